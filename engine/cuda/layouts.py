"""The structs that kernels read, as NumPy types: what `layouts.cuh` and the other `*_layouts.cuh` say, in Python.

A test compares every size and offset with what the compiler says. Pointers are addresses in the device's memory; a field
that a kernel may do without is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

POINTER = "u8"
MOST_DEPTH = 64
TILE_ROWS = 8  # outputs of a tile of float32 parameters
WIDTHS = (16, 32, 64, 128, 256)  # of the kernels' instances
LANES = 32
STACK_SIZE = 64  # entries: a tree is at most so deep


def _struct(*fields: tuple[Any, ...]) -> np.dtype[np.void]:
    return np.dtype(list(fields), align=True)


NETWORK = _struct(
    ("parameters", POINTER),
    ("encoding", POINTER),
    ("fragments", POINTER),
    ("fragment_biases", POINTER),
    ("skips", "u8"),
    ("inputs", "i4"),
    ("features", "i4"),
    ("encoded", "i4"),
    ("width", "i4"),
    ("depth", "i4"),
    ("activation", "i4"),
    ("output_activation", "i4"),
    ("num_parameters", "i4"),
    ("num_fragments", "i4"),
    ("time", "f4"),
)
PART_ROW = _struct(("value", "f4"), ("slope", "f4", (3,)), ("spread", "f4", (3,)), ("rest", "f4"))
GRID = _struct(
    *((name, POINTER) for name in ("ahead", "cell", "part", "first", "rows")),
    *((name, "f8") for name in ("error", "half_error")),
    *((name, "i4") for name in ("resolution", "parts")),
)
RAYS = _struct(
    ("origins", POINTER),
    ("directions", POINTER),
    ("t_min", POINTER),
    ("t_max", POINTER),
    ("count", "i4"),
    ("any_hit", "i4"),
)
INSTANCE = _struct(("unit_from_world", "f8", (12,)), ("box", "f8", (6,)), ("network", "i4"), ("object", "i4"))
TREE_NODE = _struct(("box", "f8", (6,)), ("first", "i4"), ("members", "i4"))
INSTANCES = _struct(
    ("nodes", POINTER), ("order", POINTER), ("instances", POINTER), ("count", "i4"), ("network", "i4")
)
MARCH_ARGUMENTS = _struct(
    ("network", NETWORK),
    ("grid", GRID),
    ("rays", RAYS),
    ("instances", INSTANCES),
    ("t_hit", POINTER),
    ("object", POINTER),
    ("queue", POINTER),
    ("counts", POINTER),
    ("scratch", POINTER),
    ("use_half", "i4"),
    ("scratch_in_shared", "i4"),
    ("weights_in_shared", "i4"),
    ("scratch_floats", "i4"),
)
EVALUATE_ARGUMENTS = _struct(
    ("network", NETWORK),
    ("points", POINTER),
    ("values", POINTER),
    ("gradients", POINTER),
    ("scratch", POINTER),
    ("count", "i4"),
    ("scratch_in_shared", "i4"),
    ("weights_in_shared", "i4"),
    ("scratch_floats", "i4"),
    ("extend", "i4"),
)
TRIANGLE_NODE = _struct(("low", "f4", (3,)), ("high", "f4", (3,)), ("first", "i4"), ("count", "i4"))
MESH_INSTANCE = _struct(
    ("object_from_world", "f8", (12,)),
    ("box", "f8", (6,)),
    ("nodes", POINTER),
    ("corners", POINTER),
    ("faces", POINTER),
    ("object", "i4"),
    ("unused", "i4"),
)
CAST_ARGUMENTS = _struct(
    ("rays", RAYS),
    ("nodes", POINTER),
    ("order", POINTER),
    ("meshes", POINTER),
    ("t_hit", POINTER),
    ("object", POINTER),
    ("face", POINTER),
    ("barycentric", POINTER),
    ("count", "i4"),
    ("unused", "i4"),
)
CAMERA_KINDS = ("LINEAR", "EQUIRECTANGULAR", "FISHEYE_EQUIDISTANT", "FISHEYE_EQUISOLID")
CAMERA = _struct(
    ("world_from_clip", "f8", (16,)),
    ("clip_from_world", "f8", (16,)),
    ("view_row", "f8", (4,)),
    ("lens_axes", "f8", (6,)),
    *((name, "f8") for name in ("aperture", "focus", "pixel")),
    ("world_from_view", "f8", (12,)),
    *((name, "f8", (2,)) for name in ("longitude", "latitude", "sensor")),
    *((name, "f8") for name in ("fov", "lens", "near", "far")),
    *((name, "i4") for name in ("width", "height", "kind", "unused")),
)
EXTENSIONS = ("REPEAT", "EXTEND", "CLIP", "MIRROR")
TEXTURE = _struct(
    ("picture_from_uv", "f8", (6,)),
    ("bytes", POINTER),
    ("floats", POINTER),
    *((name, "i4") for name in ("width", "height", "is_srgb", "closest", "extension", "unused")),
)
MATERIAL = _struct(
    ("base_color", "f4", (3,)),
    ("emission", "f4", (3,)),
    *((name, "f4") for name in ("metallic", "ior", "alpha", "opacity")),
    *((name, "i4") for name in ("shines", "holdout", "texture")),
    ("shares", "f4", (3, 64)),
)
ENVIRONMENT = _struct(
    *((name, POINTER) for name in ("picture", "shares", "up", "across", "edges")),
    ("from_world", "f8", (9,)),
    ("world_from", "f8", (9,)),
    *((name, "i4") for name in ("width", "height", "rows", "columns")),
)
LIGHT_TYPES = ("SUN", "POINT", "SPOT", "AREA")
LIGHT = _struct(
    *((name, "f8", (3,)) for name in ("center", "x", "y", "facing")),
    ("duals", "f8", (6,)),
    ("dual_norms", "f8", (2,)),
    ("light_from_world", "f8", (9,)),
    ("power", "f8", (3,)),
    *((name, "f8") for name in ("radius", "edge", "smooth", "spread_tangent", "spread_gain")),
    *((name, "i4") for name in ("type", "cast_shadow", "is_round", "spreads_all")),
)
MESH_SURFACE = _struct(
    ("world_from_object", "f8", (12,)),
    ("object_from_world", "f8", (12,)),
    ("bias", "f8"),
    ("size", "f8"),
    *((name, "i4") for name in ("start", "first_slot", "num_slots", "unused")),
)
TILE_ARRAYS: dict[str, tuple[str, int]] = {  # name -> type and numbers of a pixel
    "origins": ("f8", 3),
    "directions": ("f8", 3),
    "t_max": ("f8", 1),
    "t_end": ("f8", 1),
    "pixel_sizes": ("f8", 1),
    "pixel_growths": ("f8", 1),
    "t_native": ("f8", 1),
    "t_neural": ("f8", 1),
    "native_object": ("i4", 1),
    "neural_object": ("i4", 1),
    "face": ("i4", 1),
    "barycentric": ("f4", 2),
    "points": ("f8", 3),
    "geometric": ("f8", 3),
    "normals": ("f8", 3),
    "lift": ("f8", 3),
    "bias": ("f8", 1),
    "material": ("i4", 1),
    "object": ("i4", 1),
    "base": ("f4", 3),
    "left": ("f4", 1),
    "solid": ("i4", 1),
    "shadow_origins": ("f8", 3),
    "shadow_directions": ("f8", 3),
    "shadow_t_max": ("f8", 1),
    "contribution": ("f4", 3),
    "color": ("f4", 4),
    "planes": ("f4", 13),
}
AMBIENT_ROW = (
    11  # of the planes: the first sample's come before it, and it and the next are sums over samples
)
WORLD_LIGHT, BRIGHT_PARTS, AMBIENT_LIGHT = -1, -2, -3  # for the number of a light
FRAME = _struct(
    ("camera", CAMERA),
    ("environment", ENVIRONMENT),
    *((name, POINTER) for name in ("materials", "textures", "lights", "instances", "neural_materials")),
    *((name, POINTER) for name in ("meshes", "corners", "corner_normals", "corner_uvs")),
    *((name, POINTER) for name in ("slots", "slot_table", "pixels", "shadow_left", "goes_on")),
    *((name, POINTER) for name in ("guides", "brightness")),
    *((name, POINTER) for name in TILE_ARRAYS),
    *((name, "f8") for name in ("offset_x", "offset_y", "ambient_distance")),
    ("world_color", "f4", (3,)),
    ("ambient_factor", "f4"),
    *((name, "i4") for name in ("x0", "y0", "columns", "count", "sample", "seed", "light", "num_neural")),
    *((name, "i4") for name in ("layer", "use_lens", "use_color", "use_ambient")),
    *((name, "i4") for name in ("write_planes", "is_counted", "is_shadow", "film_transparent", "stride")),
)
NOISE_ARGUMENTS = _struct(
    *((name, POINTER) for name in ("color", "samples", "before", "noisy", "active", "pixels", "number")),
    ("threshold", "f4"),
    *((name, "i4") for name in ("count", "columns", "decides")),
)
DENOISE_ARGUMENTS = _struct(
    *((name, POINTER) for name in ("color", "planes", "guides", "sizes", "light", "out")),
    *((name, "i4") for name in ("count", "columns", "spread", "unused")),
)
NORMALS_ARGUMENTS = _struct(
    ("frame", FRAME),
    ("network", NETWORK),
    ("scratch", POINTER),
    *(
        (name, "i4")
        for name in ("network_number", "scratch_in_shared", "weights_in_shared", "scratch_floats")
    ),
)
ACTIVATION_BOUNDS = _struct(
    *((name, "f4") for name in ("second", "third", "fourth", "least_slope", "most_slope", "error"))
)
CERTIFY_ARGUMENTS = _struct(
    *((name, POINTER) for name in ("hidden", "encoded", "biases", "last", "phases", "references", "first")),
    *((name, POINTER) for name in ("centres", "values", "radii", "bounds", "errors", "queue", "scratch")),
    ("sees", "u8"),
    ("hidden_bounds", ACTIVATION_BOUNDS),
    ("sine_bounds", ACTIVATION_BOUNDS),
    *((name, "f4") for name in ("last_bias", "time", "half")),
    *((name, "i4") for name in ("width", "size", "depth", "inputs", "features", "activation")),
    *((name, "i4") for name in ("output_activation", "num_blocks", "warp_floats")),
)
FINISHED_PLANES = (
    *("combined", "depth", "view_z", "normal", "position"),
    *("object_id", "pass_index", "material_index", "ambient_occlusion"),
)
FINISH_ARGUMENTS = _struct(
    *((name, POINTER) for name in ("color", "planes", "object_ids", "pass_indices", "material_indices")),
    *((name, POINTER) for name in ("guides", "sizes", "light", "out")),
    *((name, "f4") for name in ("background_depth", "background_view_z")),
    *((name, "i4") for name in ("count", "unused")),
    ("places", "i8", (len(FINISHED_PLANES),)),
)
STRUCTS: dict[str, np.dtype[np.void]] = {
    "Network": NETWORK,
    "PartRow": PART_ROW,
    "Grid": GRID,
    "Rays": RAYS,
    "Instance": INSTANCE,
    "TreeNode": TREE_NODE,
    "Instances": INSTANCES,
    "MarchArguments": MARCH_ARGUMENTS,
    "EvaluateArguments": EVALUATE_ARGUMENTS,
    "TriangleNode": TRIANGLE_NODE,
    "MeshInstance": MESH_INSTANCE,
    "CastArguments": CAST_ARGUMENTS,
    "Camera": CAMERA,
    "Texture": TEXTURE,
    "Material": MATERIAL,
    "Environment": ENVIRONMENT,
    "Light": LIGHT,
    "MeshSurface": MESH_SURFACE,
    "Frame": FRAME,
    "NoiseArguments": NOISE_ARGUMENTS,
    "DenoiseArguments": DENOISE_ARGUMENTS,
    "NormalsArguments": NORMALS_ARGUMENTS,
    "ActivationBounds": ACTIVATION_BOUNDS,
    "CertifyArguments": CERTIFY_ARGUMENTS,
    "FinishArguments": FINISH_ARGUMENTS,
}
