"""How far a network is from the surface it was made from, in each sense that has been asked for."""
