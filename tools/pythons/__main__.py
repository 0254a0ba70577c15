"""Gets the Pythons that the tests run on: python -m tools.pythons."""

from tools import pythons

pythons.setup()
