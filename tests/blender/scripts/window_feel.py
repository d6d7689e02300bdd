"""What a person finds beside the view and in its menus, pressed with mouse and keys, with the real engine.

Convert Again by its button, with the status bar beside it; Show Error; Bake to Mesh and its redo panel; Add > Neural Implicit,
and the status bar's cross.
"""

import sys
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import (
    conversion_queue,
    error_overlay,
    neural_object,
    source_watch,
)
from bl_ext.user_default.neural_implicit.addon.solid_view.handler import solid_view

sys.path.insert(0, str(Path(__file__).parent))

from click_convert import find_tab, side_panel
from pointing import find, point, press, rows_of

MOMENT_S, FEW_S, WAIT_S = 0.6, 600.0, 1500.0  # on a machine that others use
SCREENS, CLICKS = 3, 8  # of the side panel, and turns of the wheel for most of one
ARROW_X = 40  # pixels, into the header of a panel
LAST_ENTRY_Y = 25  # pixels, of the Add menu, whose end is at the window's
STATUS_Y = 10  # pixels, the middle of the status bar
queue = conversion_queue.queue


def neurals():
    return [obj for obj in bpy.data.objects if neural_object.is_neural(obj)]


def select(obj):
    bpy.ops.object.select_all(action="DESELECT")
    obj.hide_set(False)
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj


def button(inside, wanted, share):
    """Find a button of the side panel by going down it, and on where the wheel brings it."""
    window, region = side_panel(inside)
    region.tag_redraw()
    yield MOMENT_S
    for wheel in (*[5] * SCREENS, *[4] * SCREENS):  # 5 turns down
        try:
            return (yield from find(inside, window, rows_of(region, share), wanted))
        except LookupError:
            point(inside, window, region.x + region.width // 2, region.y + region.height // 2)
            inside.xdotool("click", "--repeat", CLICKS, "--delay", 60, wheel)
            yield 2 * MOMENT_S
    return (yield from find(inside, window, rows_of(region, share), wanted))


def to_view(inside):
    """Move the mouse into the view."""
    window, _, region, _ = inside.view()
    point(inside, window, region.x + region.width // 2, region.y + region.height // 2)


def first(inside):
    """Convert the startup cube, small; give what the report tells."""
    settings = bpy.context.scene.neural_implicit
    settings.preset, settings.custom = "DRAFT", True
    settings.width, settings.depth, settings.samples = 16, 3, 100_000
    select(bpy.data.objects["Cube"])
    with inside.in_view():
        bpy.ops.object.convert_to_neural_implicit()
    yield inside.until(lambda: not queue.busy, WAIT_S, "the first conversion")
    return told(neurals()[0])


def told(obj):
    report = neural_object.report_of(obj.data)
    return {
        "steps": report["num_steps"],
        "error": report["errors"]["surface_mean"],
        "state": neural_object.state_of(obj.data),
    }


def again(inside):
    """Change the source, wait for the badge, press Convert Again; look at the status bar meanwhile."""
    (obj,), cube = neurals(), bpy.data.objects["Cube"]
    cube.hide_set(False)
    cube.data.vertices[0].co.x -= 0.2
    cube.data.update()
    yield inside.until(lambda: source_watch.is_outdated(obj.data), WAIT_S, "the badge")
    select(obj)
    yield MOMENT_S
    place = yield from button(inside, "convert_to_neural_implicit(replace=True)", 0.5)
    inside.screenshot("outdated")
    window, _, _, _ = inside.view()
    press(inside, window, place)
    yield inside.until(lambda: queue.jobs and queue.jobs[0].state == "running", 30.0, "the conversion")
    (job,) = queue.jobs
    to_view(inside)
    yield MOMENT_S
    inside.screenshot("again")
    yield inside.until(lambda: not queue.busy, WAIT_S, "the second conversion")
    yield MOMENT_S
    inside.screenshot("again_done")
    facts = told(obj) | {"outdated": source_watch.is_outdated(obj.data), "objects": len(neurals())}
    return facts | {"problem": job.problem}


def show_error(inside):
    """Press Show Error, and again."""
    (obj,) = neurals()
    overlay, (window, _, _, _) = error_overlay.error_overlay, inside.view()
    bpy.data.objects["Cube"].hide_set(True)
    with inside.in_view():
        bpy.ops.view3d.view_selected()
    to_view(inside)
    inside.redraw()
    yield MOMENT_S
    yield inside.until(lambda: solid_view.complete, WAIT_S, "the picture")
    yield MOMENT_S
    inside.screenshot("error_hidden")
    facts = {}
    for name, shown in (("shown", True), ("hidden", False)):
        place = yield from button(inside, "neural_implicit.show_error()", 0.75)
        press(inside, window, place)
        yield MOMENT_S  # a hand rests too
        to_view(inside)
        yield inside.until(lambda wanted=shown: overlay.shows(obj) == wanted, FEW_S, f"the error {name}")
        yield 2 * MOMENT_S
        inside.screenshot(f"error_{name}_again" if not shown else "error_shown")
        facts[name] = overlay.shows(obj)
        if shown:
            facts |= {"mean": overlay.mean, "top": overlay.top}
    return facts


def bake_and_redo(inside):
    """Press Bake to Mesh, Return in its dialog, then give the redo panel another resolution."""
    (obj,), (window, area, _, _) = neurals(), inside.view()
    select(obj)
    before = {mesh.name for mesh in bpy.data.meshes}  # undo makes other pointers
    made = lambda: [o for o in bpy.data.objects if o.type == "MESH" and o.data.name not in before]  # noqa: E731
    place = yield from button(inside, "neural_implicit_to_mesh()", 0.25)
    press(inside, window, place)
    yield 2 * MOMENT_S
    inside.screenshot("bake_dialog")
    inside.xdotool("key", "Return")
    yield inside.until(made, WAIT_S, "the mesh")
    yield 2 * MOMENT_S
    faces = [len(o.data.polygons) for o in made()]
    inside.screenshot("baked")
    hud = next(region for region in area.regions if region.type == "HUD")
    to_view(inside)
    yield MOMENT_S
    if hud.height < 60:  # folded
        point(inside, window, hud.x + ARROW_X, hud.y + hud.height // 2)
        yield MOMENT_S  # else Blender does not know yet which region the mouse is in
        inside.xdotool("mousedown", 1)
        yield MOMENT_S
        inside.xdotool("mouseup", 1)
        yield 2 * MOMENT_S
    inside.screenshot("redo_panel")
    place = yield from find(inside, window, rows_of(hud, 0.75), "128")
    press(inside, window, place, times=2)
    yield MOMENT_S
    for key in ("ctrl+a", "4", "8", "Return"):
        inside.xdotool("key", key)
        yield 0.15
    smaller = lambda: made() and all(len(o.data.polygons) < faces[0] for o in made())  # noqa: E731
    yield inside.until(smaller, WAIT_S, "the other mesh")
    yield 2 * MOMENT_S
    inside.screenshot("redone")
    return {
        "faces": faces,
        "redone": [len(o.data.polygons) for o in made()],
        "hidden": neurals()[0].hide_get(),  # the one from before was undone and made again
        "panel": [operator.bl_idname for operator in bpy.context.window_manager.operators][-1:],
    }


def in_add_menu(inside, wanted):
    """Open Add and our menu in it; give the place of an entry. A busy machine opens menus late."""
    window, _, region, _ = inside.view()
    middle = region.x + region.width // 2
    for pause in (2, 6, 15):
        inside.xdotool("key", "shift+a")
        yield pause * MOMENT_S
        point(inside, window, middle - 80, LAST_ENTRY_Y)
        yield pause * MOMENT_S
        inside.screenshot("add_menu")
        places = [(middle + 120, LAST_ENTRY_Y + up) for up in range(0, 400, 12)]
        try:
            return (yield from find(inside, window, places, wanted))
        except LookupError:
            inside.xdotool("key", "Escape")
            yield MOMENT_S
            to_view(inside)
            yield MOMENT_S
    raise LookupError(f"no entry {wanted}")


def add_and_cancel(inside):
    """Shift A, our menu, Torus; then the cross beside it in the status bar."""
    window, _, _, _ = inside.view()
    to_view(inside)
    yield MOMENT_S
    place = yield from in_add_menu(inside, "neural_implicit_add(shape='TORUS')")
    inside.screenshot("add_torus")
    press(inside, window, place)
    yield inside.until(lambda: queue.jobs and queue.jobs[0].state == "running", 60.0, "the torus' conversion")
    (job,) = queue.jobs
    yield MOMENT_S
    places = [(x, STATUS_Y) for x in range(window.width - 6, 0, -8)]
    place = yield from find(inside, window, places, f'neural_implicit.cancel(job="{job.uuid}")')
    inside.screenshot("status_bar")
    running = job.active
    press(inside, window, place)
    yield inside.until(lambda: not queue.jobs, 30.0, "the end of the conversion")
    yield MOMENT_S
    inside.screenshot("cancelled")
    torus = [o.name for o in bpy.data.objects if o.name.startswith("Torus")]
    return {"name": job.name, "running": running, "left": torus, "state": job.state}


def main(inside):
    window, region = side_panel(inside)
    with inside.in_view():
        bpy.ops.view3d.view_selected()
    yield MOMENT_S
    yield from find_tab(inside, window, region)
    parts = {
        "first": first,
        "again": again,
        "error": show_error,
        "bake": bake_and_redo,
        "add": add_and_cancel,
    }
    facts = {}
    for name, part in parts.items():
        facts[name] = yield from part(inside)
    return facts
