"""A mesh file, or the frames of a motion, to a weights file whose errors are known."""
