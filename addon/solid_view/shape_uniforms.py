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
    rectangle: tuple[float, float, float, float]  # of the view, as `Rays` has it
    num_planes: int  # what is behind one is cut away
    rows: np.ndarray  # (NUM_ROWS, 4) float32, all but what a picture's size decides
    _buffers: dict[tuple[int, int], gpu.types.GPUUniformBuf] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Share of the view that it covers."""
        x0, y0, x1, y1 = self.rectangle
        return 0.25 * max(x1 - x0, 0.0) * max(y1 - y0, 0.0)

    def bind(
        self,
        shader: gpu.types.GPUShader,
        size: tuple[int, int],
        scale: float,
        coarser: gpu.types.GPUOffScreen | None,
    ) -> None:
        """Set all that the shader reads for a picture of `size`, `scale` of its pixels for one of the view's."""
        if size not in self._buffers:
            rows = self.rows.copy()
            rows[ROW["picture"]] = (*size, scale if coarser is not None else 0.0, self.num_planes)
            rows[ROW["misc"], 0] = TOLERANCE_PX * 2.0 / size[0]
            self._buffers[size] = uniform_buffer(rows)
        shader.uniform_block("shape", self._buffers[size])
        for k, buffer in enumerate(self.network.buffers):
            shader.uniform_block(f"network_{k}", buffer)
        shader.uniform_sampler("steps", self.network.steps)
        shader.uniform_sampler(
            "coarser", self.network.no_picture if coarser is None else coarser.texture_color
        )


def drawings_of(
    networks: list[UploadedNetwork], rays: list[Rays], numbers: np.ndarray, planes: np.ndarray
) -> list[ShapeDrawing]:
    """Give N shapes as they are drawn.

    Args:
        networks: N of them.
        rays: The same.
        numbers: (N,) by which the shading knows them.
        planes: (N, P, 4) of a clipping region, in unit space.
    """
    if not networks:
        return []
    rows = np.zeros((len(networks), NUM_ROWS, 4), np.float32)
    origin, direction = np.array([r.origin for r in rays]), np.array([r.direction for r in rays])
    for name, triples in (("origin", origin), ("direction", direction)):
        for k, suffix in enumerate(("", "_x", "_y")):
            rows[:, ROW[name + suffix], :3] = triples[:, k]
    steps = [network.prepared.steps for network in networks]
    rows[:, ROW["box_low"], :3] = [s.box_low for s in steps]
    rows[:, ROW["box_high"], :3] = [s.box_high for s in steps]
    rows[:, ROW["depth"]] = [(*r.depth, r.is_perspective) for r in rays]
    rows[:, ROW["limits"], :2] = [r.limits for r in rays]
    rows[:, ROW["limits"], 2] = numbers
    rows[:, ROW["limits"], 3] = [network.prepared.time for network in networks]
    turned = np.array([r.view_from_normal for r in rays])
    for k, name in enumerate(("normal_x", "normal_y", "normal_z")):
        rows[:, ROW[name], :3] = turned[:, :, k]
    rows[:, ROW["misc"], 1] = [s.steepest for s in steps]
    rows[:, ROW["misc"], 2:] = _depth_jumps(direction[:, 0], rays)
    rows[:, ROW["planes"] : ROW["planes"] + planes.shape[1]] = planes
    return [
        ShapeDrawing(network, r.rectangle, planes.shape[1], own)
        for network, r, own in zip(networks, rays, rows)
    ]


def _depth_jumps(ahead: np.ndarray, rays: list[Rays]) -> np.ndarray:
    """Give which jumps of depth are edges (N, 2), by rays (N, 3) through the middle: a share of what is left to 1, a constant."""
    jumps = DEPTH_JUMP / np.maximum(np.linalg.norm(ahead, axis=1), 1e-12)
    found = np.zeros((len(rays), 2))
    if rays[0].is_perspective:
        found[:, 0] = jumps / np.maximum([r.depth[2] for r in rays], 1e-6)
    else:
        found[:, 1] = 0.5 * jumps * np.abs([r.depth[1] for r in rays])
    return found


def uniform_buffer(rows: np.ndarray) -> gpu.types.GPUUniformBuf:
    """Give rows (R, 4) as a uniform buffer."""
    numbers = np.ascontiguousarray(rows, np.float32).ravel()
    return gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", numbers.size, numbers))


def texture(picture: np.ndarray, texture_format: str) -> gpu.types.GPUTexture:
    """Give a picture (H, W) or (H, W, C) as a texture."""
    numbers = np.ascontiguousarray(picture, np.float32)
    pixels = gpu.types.Buffer("FLOAT", numbers.size, numbers.ravel())
    return gpu.types.GPUTexture((picture.shape[1], picture.shape[0]), format=texture_format, data=pixels)
