"""Opens the tab Neural Implicit and presses its button with the mouse, as a person would."""

import os
import time
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import conversion_queue, neural_object
from bl_ext.user_default.neural_implicit.addon.standby import standby

queue = conversion_queue.queue
TAB = "Neural Implicit"


def side_panel(inside):
    window, area, _, space = inside.view()
    space.show_region_ui = True
    return window, next(region for region in area.regions if region.type == "UI")


def processor_time(pid):
    """Give the seconds of processor time that a process and its threads have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def click(inside, window, x, y):
    """Press the left button at a place of the window; y grows upward, as Blender counts."""
    inside.xdotool("mousemove", window.x + x, window.height - y)
    time.sleep(0.1)
    inside.xdotool("click", 1)


def find_tab(inside, window, region):
    """Press one place after the other along the tabs until ours shows."""
    for down in range(30, region.height, 30):
        if region.active_panel_category == TAB:
            return
        click(inside, window, region.x + region.width - 10, region.y + region.height - down)
        yield 0.3
    raise LookupError(f"no tab {TAB}; {region.active_panel_category} is shown")


def main(inside):
    window, region = side_panel(inside)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    bpy.ops.mesh.primitive_monkey_add()
    bpy.context.scene.neural_implicit.preset = inside.arguments["preset"]
    with inside.in_view():
        bpy.ops.view3d.view_selected()
    inside.redraw()
    yield 0.5
    yield from find_tab(inside, window, region)
    inside.screenshot("before")
    yield inside.until(lambda: standby.ready, timeout_s=400, what="an engine that stands by")
    ready_pid = standby.process_id
    processor_s = processor_time(ready_pid)
    x, top = region.x + region.width // 2 - 10, region.y + region.height
    longest = 0.0
    for down in range(
        222, 150, -8
    ):  # the panel's last row, so from below: on the way is nothing that a click changes
        clicked = time.monotonic()
        click(inside, window, x, top - down)
        yield 0.3
        if queue.jobs:
            break
    (job,) = queue.jobs
    yield inside.until(
        lambda: any(neural_object.is_neural(o) for o in bpy.data.objects),
        timeout_s=200,
        what="the first snapshot",
    )
    first_s, processor_s = time.monotonic() - clicked, processor_time(ready_pid) - processor_s
    yield 1.0
    inside.screenshot("during")
    last = time.perf_counter()
    while queue.busy:
        yield 0.02
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    yield 0.5
    inside.screenshot("after")
    obj = bpy.context.object
    return {
        "name": obj.name,
        "stood by": job.engine._process.process_id == ready_pid,
        "first_snapshot_s": first_s,
        "processor_s until then": processor_s,
        "longest_block_s": longest,
        "bytes": len(neural_object.weights_of(obj.data)),
        "state": neural_object.state_of(obj.data),
        "problem": job.problem,
    }
