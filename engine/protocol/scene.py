"""The one scene model of viewport, final render and command line, as it crosses the process boundary.

Matrices are 16 numbers, row-major, and read right to left: `world_from_object` takes object space to world
space. Colours are scene-linear. Large arrays are files `blobs/<sha256>` in the session's folder; a scene
only names them, so that an unchanged mesh or network is never sent twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Matrix = tuple[float, ...]  # 16 numbers, row-major
Vector = tuple[float, float, float]

IDENTITY: Matrix = (1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayBlob:
    """An array in the file `blobs/<sha256>`, raw little-endian C order."""

    sha256: str
    dtype: Literal["float32", "float64", "int32", "uint8"]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texture:
    """A picture on native geometry; its lower left corner is at (0, 0), its upper right one at (1, 1)."""

    picture: ArrayBlob  # (H, W, 3), bottom row first: float32, scene-linear; or uint8
    is_srgb: bool = True  # how bytes are to be read
    interpolation: Literal["LINEAR", "CLOSEST"] = "LINEAR"
    extension: Literal["REPEAT", "EXTEND", "CLIP", "MIRROR"] = "REPEAT"  # beyond the picture
    picture_from_uv: tuple[float, ...] = (1.0, 0, 0, 0, 1.0, 0)  # (2, 3), row-major


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The part of a Principled BSDF that the engine shades."""

    base_color: Vector = (0.8, 0.8, 0.8)
    base_texture: Texture | None = None  # in its place, on native geometry that has UV coordinates
    metallic: float = 0.0
    roughness: float = 0.5
    specular: float = 0.5  # Blender's "Specular IOR Level"; 0.5 leaves the index of refraction as it is
    ior: float = 1.5
    emission: Vector = (0.0, 0.0, 0.0)  # colour times strength
    alpha: float = 1.0
    holdout: bool = False  # hides what is behind it and leaves a hole in the picture, colour and alpha 0
    pass_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuralObject:
    """A weight-encoded shape: a weights file (blob) and where it stands."""

    name: str
    object_id: int  # identifies the object in the object_id plane, unique in the scene, 1 or more
    weights: str  # sha256 of the weights file
    world_from_object: Matrix
    material: int = 0  # index into Scene.materials
    pass_index: int = 0
    time: float | None = None  # what a network of x, y, z, t sees as t; None: the scene's


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshGeometry:
    """Triangles in object space, shared by the instances that name it."""

    vertices: ArrayBlob  # (V, 3) float32
    triangles: ArrayBlob  # (T, 3) int32
    corner_normals: ArrayBlob | None = None  # (T, 3, 3) float32; None: flat shading
    triangle_materials: ArrayBlob | None = None  # (T,) int32, index into MeshObject.materials; None: all 0
    corner_uvs: ArrayBlob | None = None  # (T, 3, 2) float32; None: no texture is on it


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshObject:
    """One instance of native geometry."""

    name: str
    object_id: int
    geometry: int  # index into Scene.geometries
    world_from_object: Matrix
    materials: tuple[int, ...] = (0,)  # indices into Scene.materials, by slot
    pass_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """A Blender light. It shines along -z of its own space."""

    type: Literal["POINT", "SUN", "SPOT", "AREA"]
    world_from_light: Matrix
    color: Vector = (1.0, 1.0, 1.0)
    energy: float = 1.0  # W; W/m^2 for a sun, as in Blender
    radius: float = 0.0  # m, point and spot
    angle: float = 0.0  # rad, angular diameter of a sun
    spot_size: float = 0.785398  # rad, full cone
    spot_blend: float = 0.15
    shape: Literal["SQUARE", "RECTANGLE", "DISK", "ELLIPSE"] = "SQUARE"
    size: float = 0.25  # m, area: width along x
    size_y: float = 0.25  # m, area: height along y (rectangle, ellipse)
    spread: float = 3.14159265  # rad, area: full angle that it shines into; pi: all of its side
    normalize: bool = (
        True  # the energy is the light's own, whatever its size; else it is that of each unit of size
    )
    cast_shadow: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A picture of the surroundings, equirectangular as Blender's Environment Texture: its centre lies along x."""

    picture: ArrayBlob  # (H, W, 3) float32, scene-linear, bottom row first
    environment_from_world: Matrix = IDENTITY  # of which the rotation counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that is drawn, but for the camera."""

    neural_objects: tuple[NeuralObject, ...] = ()
    mesh_objects: tuple[MeshObject, ...] = ()
    geometries: tuple[MeshGeometry, ...] = ()
    materials: tuple[Material, ...] = ()
    lights: tuple[Light, ...] = ()
    world_color: Vector = (
        0.0,
        0.0,
        0.0,
    )  # colour times strength; of an environment what its picture is multiplied by
    environment: Environment | None = None
    film_transparent: bool = False
    ambient_factor: float = 0.0  # light from all sides that only near surfaces keep away; 0: none
    ambient_distance: float = 10.0  # m: what is near
    device: Literal["auto", "cpu"] = "auto"  # which traces it; "auto": the GPU where one works
    time: float = 0.0  # what networks of x, y, z, t see as t where they have no time of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Panorama:
    """What a panoramic camera sees, as Cycles has it; angles in rad."""

    kind: Literal["EQUIRECTANGULAR", "FISHEYE_EQUIDISTANT", "FISHEYE_EQUISOLID"] = "EQUIRECTANGULAR"
    longitude: tuple[float, float] = (-3.14159265, 3.14159265)  # left and right edge
    latitude: tuple[float, float] = (-1.57079633, 1.57079633)  # bottom and top edge
    fov: float = 3.14159265  # fisheye: full angle
    lens: float = 10.5  # mm, equisolid
    sensor: tuple[float, float] = (36.0, 24.0)  # mm, equisolid: what the picture covers
    near: float = 0.1  # m
    far: float = 1000.0  # m


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A linear camera, perspective or orthographic, shifted or not; or a panoramic one."""

    view_from_world: Matrix
    clip_from_view: Matrix  # OpenGL clip space: the view looks along -z, NDC z runs from -1 (near) to 1 (far)
    aperture: float = 0.0  # m: radius of the lens; 0: everything is sharp
    focus_distance: float = 10.0  # m, to the plane that is sharp
    panorama: Panorama | None = None  # then `clip_from_view` and the lens do not count


PlaneName = Literal[
    "combined",
    "depth",
    "view_z",
    "normal",
    "position",
    "object_id",
    "pass_index",
    "material_index",
    "ambient_occlusion",
]

PLANE_CHANNELS: dict[str, int] = {
    "combined": 4,  # scene-linear, premultiplied
    "depth": 1,  # value in a depth buffer, 0.5 * ndc.z + 0.5; 1 where nothing was hit
    "view_z": 1,  # distance to the camera plane, m; 1e10 where nothing was hit
    "normal": 3,  # world space; 0 where nothing was hit
    "position": 3,  # world space; 0 where nothing was hit
    "object_id": 1,  # of the first sample; 0 where nothing was hit
    "pass_index": 1,  # of the object
    "material_index": 1,  # pass index of the material
    "ambient_occlusion": 3,  # share of all sides, weighted by cosine, from which nothing near is met; mean of all samples
}
