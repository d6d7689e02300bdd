"""What can be converted and what cannot: exports each kind of source, and collects the refusals."""

import math
import time

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon import mesh_arrays, mesh_export


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


def cuts():
    """How meshes are cut into triangles, against Blender: the corners of both, as sorted triples."""
    values = np.random.default_rng(0)
    grid = added(bpy.ops.mesh.primitive_grid_add, x_subdivisions=40, y_subdivisions=40)
    crumpled = values.normal(scale=0.03, size=(len(grid.data.vertices), 3)).astype(np.float32)
    positions = grid.data.attributes["position"].data
    flat = np.empty(crumpled.size, np.float32)
    positions.foreach_get("vector", flat)
    positions.foreach_set("vector", flat + crumpled.ravel())  # many quads are concave, all are bent
    grid.data.update()
    mixed = added(bpy.ops.mesh.primitive_cone_add, vertices=9)
    kinds = {"quads": grid, "triangles": added(bpy.ops.mesh.primitive_monkey_add), "large": mixed}
    kinds["capped"] = added(bpy.ops.mesh.primitive_uv_sphere_add, segments=12, ring_count=7)
    kinds["only triangles"] = added(bpy.ops.mesh.primitive_ico_sphere_add)
    return {name: cut_both_ways(obj.data) for name, obj in kinds.items()}


def cut_both_ways(mesh):
    arrays = mesh_arrays.read_mesh(mesh)
    corners, faces = arrays.triangles()
    mesh.calc_loop_triangles()
    theirs = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("loops", theirs)
    of_face = np.empty(len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("polygon_index", of_face)
    ours = sorted(map(tuple, np.column_stack([faces, np.sort(corners, axis=1)]).tolist()))
    expected = sorted(map(tuple, np.column_stack([of_face, np.sort(theirs.reshape(-1, 3), axis=1)]).tolist()))
    return {"same": ours == expected, "cut here": arrays.cut is None}


def million():
    """Read a million triangles; give the seconds that Blender's main thread works on it."""
    obj = added(bpy.ops.mesh.primitive_grid_add, x_subdivisions=708, y_subdivisions=708)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    began = time.thread_time()
    source = mesh_export.read_source(obj, depsgraph)
    main_thread_s = time.thread_time() - began
    surface = source.surface()
    return {
        "triangles": len(surface.triangles),
        "main_thread_s": main_thread_s,
        "all_s": time.thread_time() - began,
    }


def main(inside):
    nothing = operator_refusal()
    camera = operator_refusal(bpy.data.objects["Camera"])
    found = {"accepted": accepted(), "refused": refused(), "nothing selected": nothing, "camera": camera}
    return found | {"cuts": cuts(), "million": million()}
