"""Keeps what our own callbacks draw in a 3D view, read back from its framebuffer: in Solid, by a matcap, and in Rendered.

Screenshots would show Blender's own drawing as well, which software Vulkan damages in blocks.
"""

import sys
from pathlib import Path

import bpy
import gpu
import numpy as np
from bl_ext.user_default.neural_implicit.addon.solid_view.handler import solid_view
from bl_ext.user_default.neural_implicit.addon.viewport import draw as viewport_draw
from bl_ext.user_default.neural_implicit.addon.viewport.session import session

sys.path.insert(0, str(Path(__file__).parent))

import solid_scene
from solid_scene import MOMENT_S, WAIT_S
from viewport_pictures import rests


def read_back(width, height):
    """Give the bound framebuffer's colours (height, width, 4), linear and premultiplied."""
    buffer = gpu.state.active_framebuffer_get().read_color(0, 0, width, height, 4, 0, "FLOAT")
    buffer.dimensions = width * height * 4
    return np.array(buffer, np.float32).reshape(height, width, 4)


def kept_in_solid(inside, name):
    """Read what is there after our handler, which comes first."""
    region, found = inside.view()[2], {}
    size = region.width, region.height

    def read():
        if bpy.context.region == region:
            found["picture"] = read_back(*size)

    inside.redraw()
    yield MOMENT_S
    yield inside.until(lambda: solid_view.complete or solid_view.problem, WAIT_S, f"the picture {name}")
    handle = bpy.types.SpaceView3D.draw_handler_add(read, (), "WINDOW", "POST_VIEW")
    inside.redraw()
    yield inside.until(lambda: found, WAIT_S, "a redraw")
    bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
    np.save(inside.folder / f"{name}.npy", found["picture"])
    inside.screenshot(name)


def kept_in_rendered(inside):
    region, draw, found = inside.view()[2], viewport_draw.draw, {}
    size = region.width, region.height

    def drawn(*arguments, **named):
        result = draw(*arguments, **named)
        found["picture"] = read_back(*size)
        return result

    bpy.context.scene.render.engine = "NEURAL_IMPLICIT"
    bpy.context.scene.neural_implicit_render.viewport_samples = 1
    inside.shade("RENDERED")
    inside.redraw()
    yield MOMENT_S
    yield inside.until(lambda: session._views and rests(), WAIT_S, "the rendered picture")
    viewport_draw.draw = drawn
    inside.redraw()
    yield inside.until(lambda: found, WAIT_S, "a redraw")
    viewport_draw.draw = draw
    np.save(inside.folder / "rendered.npy", found["picture"])
    inside.screenshot("rendered")


def main(inside):
    facts = {"backend": gpu.platform.backend_type_get(), "renderer": gpu.platform.renderer_get()}
    if facts["backend"] != inside.arguments["backend"]:
        return facts
    spot = solid_scene.build(inside)
    yield from solid_scene.show(inside)
    shading = inside.view()[3].shading
    yield from kept_in_solid(inside, "studio")
    shading.light = "MATCAP"
    yield from kept_in_solid(inside, "matcap")
    shading.light = "STUDIO"
    spot.scale = (-1.2, 0.7, 1.0)
    yield from kept_in_solid(inside, "negative")
    facts["problem"] = solid_view.problem
    yield from kept_in_rendered(inside)
    return facts
