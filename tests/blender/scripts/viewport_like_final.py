"""Looks through the camera in a window, and renders the same picture by F12: plain, with ambient occlusion, with a lens."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene
from viewport_pictures import bare, keep_planes, taken

FILLS = (2.0 - 2.0**0.5) * 50.0  # camera zoom at which the frame is as large as the view
FSTOP = 0.05


def ambient(scene):
    scene.neural_implicit_render.ambient_occlusion = True


def lens(scene):
    dof = scene.camera.data.dof
    dof.use_dof, dof.aperture_fstop, dof.focus_distance = True, FSTOP, 5.0


def plain(scene):
    """Change nothing."""


def main(inside):
    keep_planes()
    spot_scene.build(inside.arguments)
    scene = bpy.context.scene
    _, _, region, space = inside.view()
    bare(space)
    scene.world.light_settings.ao_factor, scene.world.light_settings.distance = 0.5, 1.0
    scene.neural_implicit_render.samples = scene.neural_implicit_render.viewport_samples = 2
    inside.shade("RENDERED")
    yield 0.5
    space.region_3d.view_perspective = "CAMERA"
    space.region_3d.view_camera_zoom, space.region_3d.view_camera_offset = FILLS, (0.0, 0.0)
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = region.width, region.height, 100
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
    for change in (plain, ambient, lens):
        change(scene)
        yield from taken(inside, change.__name__)
        render.filepath = str(inside.folder / f"{change.__name__}.exr")
        bpy.ops.render.render(write_still=True)
        yield 0.5
    return {}
