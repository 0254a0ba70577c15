"""The house's plan: no circle among the files of a folder, and layers that look one way."""
