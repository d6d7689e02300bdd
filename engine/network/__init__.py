"""A network's numbers: activations, values, storage."""
