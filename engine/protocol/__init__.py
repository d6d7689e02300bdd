"""What the add-on and the engine say to each other: messages, scenes, frames, weights.

Imports the standard library and NumPy only, and runs on every Python that Blender ships.
"""
