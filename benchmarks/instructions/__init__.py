"""How many instructions the server takes for a message: a figure that no busy machine moves."""
