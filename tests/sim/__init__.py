"""The simulator's worlds in C, and the mutants that they are to notice."""
