"""What can be converted and what cannot: exports each kind of source, and collects the refusals."""

import math

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon import mesh_export


def mesh_object(name, vertices, edges=(), faces=()):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, edges, faces)
    return link(bpy.data.objects.new(name, mesh))


def link(obj):
    bpy.context.scene.collection.objects.link(obj)
    return obj


def triangle(scale=1.0, offset=0.0):
    corners = [(offset, 0, 0), (offset + scale, 0, 0), (offset, scale, 0)]
    return mesh_object("Triangle", corners, faces=[(0, 1, 2)])


def added(operator, **arguments):
    operator(**arguments)
    return bpy.context.object


def export(obj):
    bpy.context.view_layer.update()
    surface = mesh_export.export_surface(obj, bpy.context.evaluated_depsgraph_get())
    corners = surface.vertices[surface.triangles]
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return {
        "vertices": len(surface.vertices),
        "triangles": len(surface.triangles),
        "area": float(np.linalg.norm(sides, axis=1).sum() / 2),
        "dtypes": [str(surface.vertices.dtype), str(surface.triangles.dtype)],
        "slot": surface.material_slot,
    }


def edited_cube():
    """A cube with one face deleted in Edit Mode, which is still on."""
    import bmesh

    cube = added(bpy.ops.mesh.primitive_cube_add)
    bpy.ops.object.mode_set(mode="EDIT")
    edit = bmesh.from_edit_mesh(cube.data)
    edit.faces.ensure_lookup_table()
    bmesh.ops.delete(edit, geom=[edit.faces[0]], context="FACES")
    bmesh.update_edit_mesh(cube.data)
    return cube


def accepted():
    stretched = added(bpy.ops.mesh.primitive_cube_add)
    stretched.scale.x = 5.0
    subdivided = added(bpy.ops.mesh.primitive_cube_add)
    subdivided.modifiers.new("Subdivision", "SUBSURF").levels = 2
    curve = added(bpy.ops.curve.primitive_bezier_circle_add)
    curve.data.bevel_depth = 0.1
    two_materials = added(bpy.ops.mesh.primitive_cube_add)
    for _ in range(2):
        two_materials.data.materials.append(bpy.data.materials.new("Material"))
    for polygon in two_materials.data.polygons[:5]:
        polygon.material_index = 1
    kinds = {
        "cube": stretched,
        "subdivided": subdivided,
        "curve": curve,
        "text": added(bpy.ops.object.text_add),
        "metaball": added(bpy.ops.object.metaball_add),
        "surface": added(bpy.ops.surface.primitive_nurbs_surface_sphere_add),
        "triangle": triangle(),
        "huge": triangle(1e8),
        "tiny": triangle(1e-8),
        "two materials": two_materials,
    }
    results = {name: export(obj) for name, obj in kinds.items()}
    results["edited"] = export(edited_cube())
    bpy.ops.object.mode_set(mode="OBJECT")
    return results


def refused():
    flat = added(bpy.ops.mesh.primitive_cube_add)
    flat.scale.z = 0.0
    broken = triangle()
    broken.data.vertices[1].co.x = math.nan
    infinite = triangle()
    infinite.data.attributes["position"].data.foreach_set("vector", [math.inf, 0, 0, 1, 0, 0, 0, 1, 0])
    line = added(bpy.ops.curve.primitive_nurbs_path_add)
    line.data.bevel_depth = 0.0
    camera = link(bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera")))
    faults = {
        "no faces": mesh_object("Points", [(0, 0, 0), (1, 0, 0)]),
        "loose edges": mesh_object("Edge", [(0, 0, 0), (1, 0, 0)], edges=[(0, 1)]),
        "empty": mesh_object("Nothing", []),
        "zero scale": flat,
        "not a number": broken,
        "infinite": infinite,
        "line": line,
        "camera": camera,
    }
    return {name: refusal(obj) for name, obj in faults.items()}


def refusal(obj):
    try:
        return export(obj)
    except mesh_export.SurfaceError as error:
        return str(error)


def operator_refusal(*objects):
    """What the operator says of a selection."""
    bpy.ops.object.select_all(action="DESELECT")
    for obj in objects:
        obj.select_set(True)
    try:
        return list(bpy.ops.object.convert_to_neural_implicit())
    except RuntimeError as error:
        return str(error)


def main(inside):
    nothing = operator_refusal()
    camera = operator_refusal(bpy.data.objects["Camera"])
    return {"accepted": accepted(), "refused": refused(), "nothing selected": nothing, "camera": camera}
