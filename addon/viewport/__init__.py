"""Drawing in Blender's 3D views: the engine's pictures, progressively, never waiting for them."""
