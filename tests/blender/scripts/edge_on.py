"""Draws a selected neural cube, the faces of which bulge a little, with one face seen almost edge-on; then its dense mesh."""

import math
import sys
from pathlib import Path

import bpy
from mathutils import Euler

sys.path.insert(0, str(Path(__file__).parent))

import solid_scene
import spot_scene
from solid_scene import settle

TURN_DEG, DISTANCE = 25.0, 5.0


def main(inside):
    cube = solid_scene.build(inside)
    for obj in list(bpy.data.objects):
        if obj.type == "MESH" and obj != cube:
            bpy.data.objects.remove(obj)
    cube.location = cube.rotation_euler = (0.0, 0.0, 0.0)
    cube.data.materials[0].diffuse_color = (0.8, 0.8, 0.8, 1.0)
    yield from solid_scene.show(inside)
    _, _, _, space = inside.view()
    overlay = space.overlay
    overlay.show_overlays = True
    overlay.show_floor = overlay.show_axis_x = overlay.show_axis_y = overlay.show_cursor = False
    overlay.show_text = overlay.show_object_origins = overlay.show_extras = False
    cube.select_set(True)
    bpy.context.view_layer.objects.active = cube
    view = space.region_3d
    view.view_location, view.view_distance = (0.0, 0.0, 0.0), DISTANCE
    for variant in ("neural", "dense"):
        if variant == "dense":
            spot_scene.replace_by_dense(cube, inside.arguments)
        for perspective in ("PERSP", "ORTHO"):
            view.view_perspective = perspective
            down = math.degrees(math.atan2(1.0, DISTANCE)) if perspective == "PERSP" else 0.0
            for degrees in inside.arguments["degrees"]:
                turn = (math.radians(90.0 - degrees - down), 0.0, math.radians(TURN_DEG))
                view.view_rotation = Euler(turn).to_quaternion()
                yield from settle(inside, f"{perspective}_{degrees}_{variant}")
    return {"region": solid_scene.rectangle(inside)}
