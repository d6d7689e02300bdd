"""A camera object as the engine's camera: linear with or without a lens, or panoramic."""

from __future__ import annotations

import bpy
from mathutils import Matrix, Vector

from ..engine.protocol.scene import Camera, Panorama
from .material_export import flat

PANORAMAS = ("EQUIRECTANGULAR", "FISHEYE_EQUIDISTANT", "FISHEYE_EQUISOLID")
LEAST_FOCUS_M = 1e-3


def export_camera(
    camera: bpy.types.Object, depsgraph: bpy.types.Depsgraph, width: int, height: int
) -> Camera:
    """Give an object's camera for a picture of so many pixels; a kind of panorama we have not is an equirectangular one."""
    evaluated = camera.evaluated_get(depsgraph)
    render, data = depsgraph.scene.render, evaluated.data
    clip_from_view = evaluated.calc_matrix_camera(
        depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    world_from_view = evaluated.matrix_world.normalized()  # a camera's own scale does not count
    view_from_world = world_from_view.inverted()
    panoramic = data.type == "PANO"
    return Camera(
        view_from_world=flat(view_from_world),
        clip_from_view=flat(Matrix.Identity(4) if panoramic else clip_from_view),
        aperture=0.0 if panoramic else _aperture(data),
        focus_distance=_focus_distance(data, view_from_world, depsgraph),
        panorama=_panorama(data, width / height) if panoramic else None,
    )


def view_lens(
    camera: bpy.types.Object | None, view_from_world: Matrix, depsgraph: bpy.types.Depsgraph
) -> tuple[float, float]:
    """Give the aperture and the focus distance, m, of a 3D view that looks through an object; 0 and 10: no lens."""
    if camera is None or camera.type != "CAMERA":
        return 0.0, 10.0
    data = camera.evaluated_get(depsgraph).data
    aperture = 0.0 if data.type == "PANO" else _aperture(data)  # a 3D view shows no panorama
    return aperture, _focus_distance(data, view_from_world, depsgraph)


def _aperture(data: bpy.types.Camera) -> float:
    if not data.dof.use_dof:
        return 0.0
    focal = 1.0 if data.type == "ORTHO" else 1e-3 * data.lens
    return focal / (2.0 * max(data.dof.aperture_fstop, 1e-5))


def _focus_distance(data: bpy.types.Camera, view_from_world: Matrix, depsgraph: bpy.types.Depsgraph) -> float:
    focus = data.dof.focus_object
    if focus is None:
        return max(float(data.dof.focus_distance), LEAST_FOCUS_M)
    place: Vector = view_from_world @ focus.evaluated_get(depsgraph).matrix_world.translation
    return max(abs(float(place.z)), LEAST_FOCUS_M)


def _panorama(data: bpy.types.Camera, aspect: float) -> Panorama:
    own = data if hasattr(data, "panorama_type") else data.cycles  # Cycles had these before 5.0
    tall = data.sensor_fit == "VERTICAL" or (data.sensor_fit == "AUTO" and aspect < 1.0)
    size = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    equisolid = own.panorama_type == "FISHEYE_EQUISOLID"
    return Panorama(
        kind=own.panorama_type if own.panorama_type in PANORAMAS else "EQUIRECTANGULAR",
        longitude=(float(own.longitude_min), float(own.longitude_max)),
        latitude=(float(own.latitude_min), float(own.latitude_max)),
        fov=float(own.fisheye_fov),
        lens=float(own.fisheye_lens) if equisolid else 10.5,
        sensor=(size * aspect, size) if tall else (size, size / aspect),
        near=float(data.clip_start),
        far=float(data.clip_end),
    )
