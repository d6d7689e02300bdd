"""The light of a 3D view's shading, as the shading shader reads it."""

from __future__ import annotations

import math

import bpy
import numpy as np

from .programs import SHADING_MEMBERS
from .studio_pictures import studio_pictures
from .view_transform import transform_key, view_transforms

FLAT, STUDIO, MATCAP, ENVIRONMENT = range(4)
NUM_LIGHTS = 4
OUTLINE_PX = 2  # wide, as Blender draws it
# A plain room where the studio's picture cannot be read: brighter from above (irradiance over pi, by direction).
PLAIN_ROOM = ((0.55, 0.55, 0.55), (0.0, 0.0, 0.0), (0.25, 0.25, 0.25), *(((0.0, 0.0, 0.0),) * 6))


def _rows() -> dict[str, int]:
    rows, number = {}, 0
    for member in SHADING_MEMBERS:
        name, _, count = member.partition("[")
        rows[name] = number
        number += int(count.rstrip("]")) if count else 1
    return rows | {"end": number}


ROW = _rows()


def kind_of_light(shading: bpy.types.View3DShading) -> int:
    """Give which of the four the view is lit by."""
    if shading.type == "MATERIAL":
        return ENVIRONMENT
    return {"FLAT": FLAT, "MATCAP": MATCAP}.get(shading.light, STUDIO)


def shading_rows(context: bpy.types.Context) -> np.ndarray:
    """Give the rows of the shading buffer, (R, 4); those of the picture are still to be filled in."""
    space, view, preferences = context.space_data, context.region_data, context.preferences
    shading = space.shading
    rows = np.zeros((ROW["end"], 4))
    kind = kind_of_light(shading)
    window = np.array(view.window_matrix)
    rows[ROW["options"]] = (kind, shading.show_specular_highlight, 0.0, window[3, 3] == 0.0)
    rows[ROW["eye"]] = (
        *(1.0 / window[0, 0], 1.0 / window[1, 1]),
        *(window[0, 2] / window[0, 0], window[1, 2] / window[1, 1]),
    )
    if kind == STUDIO:
        _put_studio(rows, shading, preferences, view)
    if kind == ENVIRONMENT:
        _put_environment(rows, shading, view)
    theme = preferences.themes[0].view_3d
    rows[ROW["selected_color"], :3] = _linear(theme.object_selected)
    rows[ROW["active_color"], :3] = _linear(theme.object_active)
    if kind != ENVIRONMENT and shading.show_object_outline:
        rows[ROW["edge_color"]] = (*shading.object_outline_color, 1.0)
    if space.overlay.show_overlays and space.overlay.show_outline_selected:
        rows[ROW["outline_width"], 0] = OUTLINE_PX * max(1.0, round(preferences.system.pixel_size))
    return rows


def transform_of(context: bpy.types.Context) -> np.ndarray | None:
    """Give the table of the view transform that Material Preview shows; None where there is none, or not yet."""
    shading = context.space_data.shading
    if kind_of_light(shading) != ENVIRONMENT:
        return None
    return view_transforms.get(transform_key(context.scene, shading))


def matcap_of(shading: bpy.types.View3DShading) -> np.ndarray | None:
    """Give the matcap that the view is lit by; None where there is none, or not yet."""
    chosen = shading.selected_studio_light if kind_of_light(shading) == MATCAP else None
    return None if chosen is None else studio_pictures.matcap(chosen.path)


def _put_environment(
    rows: np.ndarray, shading: bpy.types.View3DShading, view: bpy.types.RegionView3D
) -> None:
    chosen = shading.selected_studio_light
    found = None if chosen is None else studio_pictures.harmonics(chosen.path)
    rows[ROW["harmonics"] : ROW["harmonics"] + 9, :3] = PLAIN_ROOM if found is None else found
    rows[ROW["harmonics"] : ROW["harmonics"] + 9, :3] *= shading.studiolight_intensity
    world = _about_z(-shading.studiolight_rotate_z) @ np.array(view.view_matrix)[:3, :3].T
    rows[ROW["world"] : ROW["world"] + 3, :3] = world.T  # columns


def _put_studio(
    rows: np.ndarray,
    shading: bpy.types.View3DShading,
    preferences: bpy.types.Preferences,
    view: bpy.types.RegionView3D,
) -> None:
    chosen = shading.selected_studio_light
    lights = chosen.solid_lights if chosen is not None else preferences.system.solid_lights
    ambient = chosen.light_ambient if chosen is not None else preferences.system.light_ambient
    rows[ROW["ambient"], :3] = ambient
    turn = np.eye(3)
    if shading.use_world_space_lighting:
        turn = np.array(view.view_matrix)[:3, :3] @ _about_z(shading.studiolight_rotate_z) @ VIEW_TO_WORLD
    for k, light in enumerate(list(lights)[:NUM_LIGHTS]):
        if not light.use:
            continue
        rows[ROW["direction"] + k] = (*(turn @ np.array(light.direction)), light.smooth)
        rows[ROW["diffuse"] + k, :3] = light.diffuse_color
        rows[ROW["specular"] + k, :3] = light.specular_color


# Studio lights are made for a view along y: what is up there is z in the world.
VIEW_TO_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def _about_z(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _linear(color: object) -> np.ndarray:
    """Give a theme's colour, which is in sRGB, as a linear one."""
    values = np.array(color, np.float64)[:3]
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
