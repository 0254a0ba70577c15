"""Builds the Windows side on Linux, and runs it under Wine."""
