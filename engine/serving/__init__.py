"""The engine as the other process of Blender's viewport and final renders."""
