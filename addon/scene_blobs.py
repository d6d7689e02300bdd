"""Which blobs a scene needs."""

from __future__ import annotations

from ..engine.protocol.scene import Scene


def blob_names(scene: Scene) -> set[str]:
    """Give the names of all blobs that a scene refers to."""
    names = {neural.weights for neural in scene.neural_objects}
    for geometry in scene.geometries:
        arrays = (geometry.vertices, geometry.triangles, geometry.corner_normals, geometry.triangle_materials)
        names |= {array.sha256 for array in (*arrays, geometry.corner_uvs) if array is not None}
    names |= {m.base_texture.picture.sha256 for m in scene.materials if m.base_texture is not None}
    if scene.environment is not None:
        names.add(scene.environment.picture.sha256)
    return names
