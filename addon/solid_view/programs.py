"""The shaders: one that traces for each architecture, and one that shades what was traced."""

from __future__ import annotations

import functools
from pathlib import Path

import gpu
from gpu_extras.batch import batch_for_shader

from ...engine.protocol.weights import Architecture
from .network_rows import buffer_rows
from .network_source import network_source
from .step_bytes import RESOLUTION
from .view_transform import SIDE, STOPS

SHADERS = Path(__file__).resolve().parent.parent / "shaders"
MOST_STEPS = 256  # cells and evaluations of a ray
MOST_EVALUATIONS = 128
PATIENCE, GROWTH = 40, 1.1  # evaluations after which a ray's steps grow, by this factor each
MOST_PLANES = 6  # of a clipping region
COVERING = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))

# Every member is a vec4, so that the layout is that of an array (rows, 4).
SHAPE_MEMBERS = (
    *("origin", "origin_x", "origin_y", "direction", "direction_x", "direction_y"),
    *("box_low", "box_high", "depth", "limits", "normal_x", "normal_y", "normal_z"),
    *("picture", "misc", f"planes[{MOST_PLANES}]"),
)
SHADING_MEMBERS = (
    *("options", "ambient", "direction[4]", "diffuse[4]", "specular[4]", "harmonics[9]", "world[3]"),
    *("eye", "source", "outline_width", "selected_color", "active_color", "edge_color"),
)


@functools.cache
def march_program(arch: Architecture) -> gpu.types.GPUShader:
    """Give the shader that traces networks of a shape.

    Raises:
        Exception: The driver does not compile it.
    """
    info = gpu.types.GPUShaderCreateInfo()
    rows = buffer_rows(arch)
    structs = [f"struct NetworkRows{k} {{ vec4 rows[{count}]; }};" for k, count in enumerate(rows)]
    info.typedef_source("\n".join([_struct("ShapeView", SHAPE_MEMBERS), *structs]))
    info.uniform_buf(0, "ShapeView", "shape")
    for k in range(len(rows)):
        info.uniform_buf(1 + k, f"NetworkRows{k}", f"network_{k}")
    info.sampler(0, "FLOAT_2D", "steps")
    info.sampler(1, "FLOAT_2D", "coarser")
    info.fragment_out(0, "VEC4", "surface")
    constants = (
        f"const int RESOLUTION = {RESOLUTION};\nconst int MOST_STEPS = {MOST_STEPS};\n"
        f"const int MOST_EVALUATIONS = {MOST_EVALUATIONS};\nconst int PATIENCE = {PATIENCE};\n"
        f"const float GROWTH = {GROWTH};\nfloat network_time()\n{{\n  return shape.limits.w;\n}}\n"
    )
    return _create(info, "neural_implicit_march", constants + network_source(arch), "neural_march_fragment")


@functools.cache
def shade_program() -> gpu.types.GPUShader:
    """Give the shader that shades a traced picture."""
    info = gpu.types.GPUShaderCreateInfo()
    info.typedef_source(_struct("Shading", SHADING_MEMBERS))
    info.uniform_buf(0, "Shading", "shading")
    for slot, name in enumerate(("known", "denser", "palette", "matcap", "transform")):
        info.sampler(slot, "FLOAT_2D", name)
    info.fragment_out(0, "VEC4", "fragment_color")
    constants = f"const int TRANSFORM_SIDE = {SIDE};\nconst float TRANSFORM_STOPS = {STOPS};\n"
    return _create(info, "neural_implicit_shade", constants, "neural_shade_fragment")


def draw_whole(shader: gpu.types.GPUShader) -> None:
    """Draw all of the picture with the bound shader, or what a scissor leaves of it."""
    _covering(shader).draw(shader)


def draw_part(shader: gpu.types.GPUShader, x0: int, y0: int, x1: int, y1: int) -> None:
    """Draw the pixels from (x0, y0) to before (x1, y1) of the bound picture."""
    gpu.state.scissor_test_set(True)
    gpu.state.scissor_set(x0, y0, x1 - x0, y1 - y0)
    _covering(shader).draw(shader)
    gpu.state.scissor_test_set(False)


@functools.cache
def _covering(shader: gpu.types.GPUShader) -> gpu.types.GPUBatch:
    return batch_for_shader(shader, "TRIS", {"position": COVERING})


def forget_programs() -> None:
    """Free the shaders and what is drawn with them; for unregistering."""
    march_program.cache_clear()
    shade_program.cache_clear()
    _covering.cache_clear()


def _struct(name: str, members: tuple[str, ...]) -> str:
    return f"struct {name} {{ {' '.join(f'vec4 {member};' for member in members)} }};"


def _create(
    info: gpu.types.GPUShaderCreateInfo, name: str, before: str, fragment: str
) -> gpu.types.GPUShader:
    interface = gpu.types.GPUStageInterfaceInfo(f"{name}_interface")
    interface.smooth("VEC2", "picture_coordinate")
    info.vertex_in(0, "VEC2", "position")
    info.vertex_out(interface)
    if hasattr(info, "depth_write"):  # before 5.x writing gl_FragDepth is declaration enough
        info.depth_write("ANY")
    info.vertex_source((SHADERS / "neural_vertex.glsl").read_text(encoding="utf-8"))
    info.fragment_source(before + (SHADERS / f"{fragment}.glsl").read_text(encoding="utf-8"))
    return gpu.shader.create_from_info(info)
