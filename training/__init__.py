"""Makes the weights that come with the program; not needed to run it."""
