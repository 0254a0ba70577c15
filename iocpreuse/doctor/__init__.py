"""The doctor: what this system does to sockets that are reused, asked and measured here."""
