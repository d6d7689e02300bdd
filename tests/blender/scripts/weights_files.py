"""Imports weights files of both kinds, exports them, and makes a mesh of one; gives what came of each."""

from pathlib import Path

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon import mesh_back, neural_object


def main(inside):
    """Import two files and a damaged one, export to each format, convert back."""
    arguments = inside.arguments
    problems = []
    names = [{"name": name} for name in arguments["files"]]
    result = bpy.ops.import_scene.neural_implicit(directory=arguments["directory"], files=names)
    objects = {obj.name: obj for obj in bpy.data.objects if neural_object.is_neural(obj)}
    try:
        bpy.ops.import_scene.neural_implicit(directory=arguments["directory"], files=[{"name": "damaged.h5"}])
    except RuntimeError as error:
        problems.append(str(error))
    out = Path(arguments["out"])
    for kind in ("safetensors", "h5", "glsl", "npz"):
        bpy.ops.export_scene.neural_implicit(filepath=str(out / "shape"), format=kind)
    shape = objects["spot"]
    bpy.context.view_layer.objects.active = shape
    shape.location.x = 2.0
    bpy.context.view_layer.update()
    faces = {}
    for resolution in (48, 96):
        bpy.context.view_layer.objects.active = shape
        estimate = mesh_back.estimated_faces(shape.data, resolution)
        bpy.ops.object.neural_implicit_to_mesh(resolution=resolution)
        mesh = bpy.context.active_object
        faces[str(resolution)] = [estimate, len(mesh.data.polygons), mesh.name, list(mesh.location)]
    places = np.array([list(v.co) for v in mesh.data.vertices])
    return {
        "imported": list(result),
        "objects": {name: list(obj.rotation_euler) for name, obj in objects.items()},
        "notes": {name: neural_object.report_of(obj.data)["warnings"] for name, obj in objects.items()},
        "files": sorted(path.name for path in out.iterdir()),
        "faces": faces,
        "same": (out / "shape_spot.safetensors").read_bytes()
        == Path(arguments["directory"], "spot.safetensors").read_bytes(),
        "hidden": shape.hide_get(),
        "problems": problems,
        "extent": [places.min(axis=0).tolist(), places.max(axis=0).tolist()],
    }
