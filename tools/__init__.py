"""What builds, checks and tests the project; nothing here is installed with it."""
