"""One shape in one view, as the march's shader reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

import gpu
import numpy as np

from ...engine.protocol.weights import Architecture
from .prepared import Prepared
from .programs import MOST_PLANES, SHAPE_MEMBERS
from .rays import Rays

NUM_ROWS = len(SHAPE_MEMBERS) - 1 + MOST_PLANES
ROW = {name.split("[")[0]: number for number, name in enumerate(SHAPE_MEMBERS)}
TOLERANCE_PX = 0.1  # a hit is this near, in the size of a pixel
DEPTH_JUMP = 0.03  # unit space: neighbours farther apart are on an edge


class UploadedNetwork:
    """A network on the GPU."""

    def __init__(self, prepared: Prepared) -> None:
        self.architecture: Architecture = prepared.architecture
        self.prepared = prepared
        self.buffers = [uniform_buffer(rows) for rows in prepared.rows]
        cells = prepared.steps.cells.transpose(2, 1, 0)  # x runs along a row of the texture
        # Of a picture's format and of no power of two: some drivers compile anew for each kind of texture.
        self.no_picture = texture(np.zeros((3, 3, 4)), "RGBA32F")
        self.steps = texture(cells.reshape(-1, cells.shape[2]).astype(np.float32) / 255.0, "R8")


@dataclass(eq=False)
class ShapeDrawing:
    """A network, where it is seen, and as which number."""

    network: UploadedNetwork
    rays: Rays
    number: int
    planes: np.ndarray  # (P, 4) in unit space, what is behind one is cut away
    _buffers: dict[tuple[int, int], gpu.types.GPUUniformBuf] = field(default_factory=dict)

    @property
    def width(self) -> float:
        """Share of the view's width that it covers."""
        return 0.5 * max(self.rays.rectangle[2] - self.rays.rectangle[0], 0.0)

    @property
    def share(self) -> float:
        """Share of the view that it covers."""
        return self.width * 0.5 * max(self.rays.rectangle[3] - self.rays.rectangle[1], 0.0)

    def bind(
        self,
        shader: gpu.types.GPUShader,
        size: tuple[int, int],
        scale: float,
        coarser: gpu.types.GPUOffScreen | None,
    ) -> None:
        """Set all that the shader reads for a picture of `size`, `scale` of its pixels for one of the view's."""
        if size not in self._buffers:
            self._buffers[size] = uniform_buffer(self._rows(size, scale if coarser is not None else 0.0))
        shader.uniform_block("shape", self._buffers[size])
        for k, buffer in enumerate(self.network.buffers):
            shader.uniform_block(f"network_{k}", buffer)
        shader.uniform_sampler("steps", self.network.steps)
        shader.uniform_sampler(
            "coarser", self.network.no_picture if coarser is None else coarser.texture_color
        )

    def _rows(self, size: tuple[int, int], samples: float) -> np.ndarray:
        rays, steps = self.rays, self.network.prepared.steps
        rows = np.zeros((NUM_ROWS, 4))
        for name, triple in (("origin", rays.origin), ("direction", rays.direction)):
            rows[ROW[name], :3], rows[ROW[f"{name}_x"], :3], rows[ROW[f"{name}_y"], :3] = triple
        rows[ROW["box_low"], :3], rows[ROW["box_high"], :3] = steps.box_low, steps.box_high
        rows[ROW["depth"]] = (*rays.depth, rays.is_perspective)
        rows[ROW["limits"]] = (*rays.limits, self.number, self.network.prepared.time)
        for name, column in zip(("normal_x", "normal_y", "normal_z"), rays.view_from_normal.T):
            rows[ROW[name], :3] = column
        rows[ROW["picture"]] = (*size, samples, len(self.planes))
        rows[ROW["misc"]] = (TOLERANCE_PX * 2.0 / size[0], steps.steepest, *self._depth_jump())
        rows[ROW["planes"] : ROW["planes"] + len(self.planes)] = self.planes
        return rows

    def _depth_jump(self) -> tuple[float, float]:
        """Give which jump of depth is an edge: a share of what is left to 1, and a constant."""
        jump = DEPTH_JUMP / max(float(np.linalg.norm(self.rays.direction[0])), 1e-12)
        if self.rays.is_perspective:
            return jump / max(self.rays.depth[2], 1e-6), 0.0
        return 0.0, 0.5 * jump * abs(self.rays.depth[1])


def uniform_buffer(rows: np.ndarray) -> gpu.types.GPUUniformBuf:
    """Give rows (R, 4) as a uniform buffer."""
    numbers = np.ascontiguousarray(rows, np.float32).ravel()
    return gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", numbers.size, numbers))


def texture(picture: np.ndarray, texture_format: str) -> gpu.types.GPUTexture:
    """Give a picture (H, W) or (H, W, C) as a texture."""
    numbers = np.ascontiguousarray(picture, np.float32)
    pixels = gpu.types.Buffer("FLOAT", numbers.size, numbers.ravel())
    return gpu.types.GPUTexture((picture.shape[1], picture.shape[0]), format=texture_format, data=pixels)
