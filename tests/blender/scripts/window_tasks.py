"""What operators do in a window while the engine works: Convert Back to Mesh by its dialog, and Esc; closed holes shown."""

import json
import math
import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene

MOMENT_S = 0.7
WAIT_S = 120


def hover(inside):
    window, _, region, _ = inside.view()
    place = window.x + region.x + region.width // 2, window.height - region.y - region.height // 2
    inside.xdotool("mousemove", *place)
    return place


def open_dialog(inside):
    hover(inside)
    yield MOMENT_S
    with inside.in_view():
        bpy.ops.object.neural_implicit_to_mesh("INVOKE_DEFAULT", resolution=inside.arguments["resolution"])
    yield MOMENT_S


def back_to_mesh(inside):
    """Open the dialog, press Enter, wait for the mesh."""
    before = set(bpy.data.objects)
    yield from open_dialog(inside)
    inside.screenshot("dialog")
    inside.xdotool("key", "Return")
    yield inside.until(lambda: set(bpy.data.objects) - before, WAIT_S, "the mesh")
    yield MOMENT_S
    inside.screenshot("meshed")
    (made,) = set(bpy.data.objects) - before
    return {"faces": len(made.data.polygons), "active": bpy.context.view_layer.objects.active == made}


def escape(inside, spot):
    """Do it again and press Esc while the engine works."""
    spot.hide_set(False)
    bpy.context.view_layer.objects.active = spot
    before = set(bpy.data.objects)
    inside.arguments["resolution"] = 1500
    yield from open_dialog(inside)
    inside.xdotool("key", "Return")
    yield MOMENT_S
    running = [o.bl_idname for o in bpy.context.window.modal_operators]
    inside.xdotool("key", "Escape")
    yield MOMENT_S
    left = [o.bl_idname for o in bpy.context.window.modal_operators]
    return {"running": running, "left": left, "made": len(set(bpy.data.objects) - before)}


def closed_holes(inside, spot):
    """Show the rim of a hole that the report says was closed: a circle around the middle, through the surface."""
    rim = [
        x
        for k in range(48)
        for x in (0.9 * math.cos(k * math.pi / 24), 0.0, 0.9 * math.sin(k * math.pi / 24))
    ]
    kept = spot.data.get("neural_implicit_report", "{}")
    spot.data["neural_implicit_report"] = json.dumps(
        json.loads(kept) | {"surface": {"filled_loops_unit": [rim]}}
    )
    inside.screenshot("holes_hidden")
    bpy.context.window_manager.neural_implicit_closed_holes = True
    yield MOMENT_S
    inside.screenshot("holes_shown")
    bpy.context.window_manager.neural_implicit_closed_holes = False
    spot.data["neural_implicit_report"] = kept


def main(inside):
    spot = spot_scene.build(inside.arguments)
    bpy.context.view_layer.objects.active = spot
    _, _, _, space = inside.view()
    space.show_gizmo = space.show_region_ui = space.show_region_toolbar = False
    yield MOMENT_S
    yield from closed_holes(inside, spot)
    facts = {"back": (yield from back_to_mesh(inside))}
    facts["escape"] = yield from escape(inside, spot)
    return facts
