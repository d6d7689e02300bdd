"""Draws a picture with its depth over a whole view."""

from __future__ import annotations

import functools
from pathlib import Path

import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

SHADERS = Path(__file__).resolve().parent.parent / "shaders"
COVERING_TRIANGLE = ((-1.0, -1.0), (3.0, -1.0), (-1.0, 3.0))


class Composite:
    """The newest picture of one view, as textures."""

    def __init__(self) -> None:
        """Begin with nothing to draw."""
        self._color: gpu.types.GPUTexture | None = None
        self._depth: gpu.types.GPUTexture | None = None

    def upload(self, color: np.ndarray, depth: np.ndarray) -> None:
        """Copy a picture to the GPU.

        Args:
            color: (H, W, 4) float32, scene-linear, premultiplied, bottom row first.
            depth: (H, W, 1) float32, value in a depth buffer.
        """
        self._color = _texture(color, "RGBA32F")
        self._depth = _texture(depth, "R32F")

    def draw(self) -> None:
        """Draw the picture, if there is one, with its depth; leaves the GPU's state as it was."""
        if self._color is None or self._depth is None:
            return
        shader, batch = _program()
        depth_test, depth_mask = gpu.state.depth_test_get(), gpu.state.depth_mask_get()
        blend = gpu.state.blend_get()
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.depth_mask_set(True)
        gpu.state.blend_set("ALPHA_PREMULT")
        shader.bind()
        shader.uniform_sampler("color_picture", self._color)
        shader.uniform_sampler("depth_picture", self._depth)
        batch.draw(shader)
        gpu.state.blend_set(blend)
        gpu.state.depth_mask_set(depth_mask)
        gpu.state.depth_test_set(depth_test)


def forget_program() -> None:
    """Free the shader; for unregistering."""
    _program.cache_clear()


def _texture(picture: np.ndarray, texture_format: str) -> gpu.types.GPUTexture:
    height, width = picture.shape[:2]
    pixels = gpu.types.Buffer(
        "FLOAT", picture.size, picture.reshape(-1)
    )  # no copy: the texture makes the only one
    return gpu.types.GPUTexture((width, height), format=texture_format, data=pixels)


@functools.cache
def _program() -> tuple[gpu.types.GPUShader, gpu.types.GPUBatch]:
    interface = gpu.types.GPUStageInterfaceInfo("neural_implicit_composite")
    interface.smooth("VEC2", "picture_coordinate")
    info = gpu.types.GPUShaderCreateInfo()
    info.vertex_in(0, "VEC2", "position")
    info.vertex_out(interface)
    info.sampler(0, "FLOAT_2D", "color_picture")
    info.sampler(1, "FLOAT_2D", "depth_picture")
    info.fragment_out(0, "VEC4", "fragment_color")
    if hasattr(info, "depth_write"):  # before 5.x writing gl_FragDepth is declaration enough
        info.depth_write("ANY")
    info.vertex_source((SHADERS / "composite_vertex.glsl").read_text(encoding="utf-8"))
    info.fragment_source((SHADERS / "composite_fragment.glsl").read_text(encoding="utf-8"))
    shader = gpu.shader.create_from_info(info)
    return shader, batch_for_shader(shader, "TRIS", {"position": COVERING_TRIANGLE})
