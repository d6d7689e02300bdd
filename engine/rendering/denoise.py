"""A picture without its noise: light is smoothed over surfaces and never across their edges.

An edge-avoiding a-trous wavelet filter [Dammertz et al. 2010]: five passes of a B3 spline whose pixels lie 1, 2, 4, 8 and 16
apart, each weighted by how alike two pixels are in normal, place and colour. How much two colours may differ follows from the
variance of the pixels' samples, which is filtered along [Schied et al. 2017]. The surfaces' own colours are divided out
before, so textures stay sharp. Pixels beside an edge, of an object, a crease or a step, are left as they are: their samples
lie on both sides, which is their smoothing already. So are pixels of nothing and those that let light through.

[Dammertz et al. 2010] H. Dammertz, D. Sewtz, J. Hanika, H. Lensch, "Edge-Avoiding A-Trous Wavelet Transform for fast Global
Illumination Filtering", HPG 2010.
[Schied et al. 2017] C. Schied et al., "Spatiotemporal Variance-Guided Filtering", HPG 2017.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..transforms import Array
from .denoise_kernel import filter_rows, find_inner
from .scene import PreparedScene
from .surfaces import Surfaces
from .tile_pool import run_tiles

PASSES = 5
FEWEST_SAMPLES = 4  # fewer tell no variance
ROWS = 64  # of a part that one thread filters
DARKEST = np.float32(0.02)  # of a surface's colour that light is divided by
OPAQUE = np.float32(0.999)  # least alpha of a pixel that lets no light through: sums of layers are rounded


class Denoiser:
    """What the filter has to know of one picture's pixels; each tile writes its own."""

    def __init__(self, height: int, width: int) -> None:
        """Begin with a picture of nothing."""
        self._surface = np.zeros((height, width), np.int32)
        self._normal = np.zeros((height, width, 3), np.float32)
        self._position = np.zeros((height, width, 3), np.float32)
        self._own_color = np.zeros((height, width, 3), np.float32)  # sum over all samples
        self._squares = np.zeros((height, width), np.float32)  # sum of those of samples' brightness

    def add(
        self, row: Array, column: Array, sample: int, color: Array, scene: PreparedScene, surfaces: Surfaces
    ) -> None:
        """Take in a sample of N pixels.

        Args:
            row: (N,) int.
            column: (N,) int.
            sample: Its number; where the first one lies decides about edges.
            color: (N, 4) float32, what was added to the picture.
            scene: What is drawn.
            surfaces: What the sample's rays have met.
        """
        self._squares[row, column] += color[:, :3].mean(axis=1) ** 2
        row, column = row[surfaces.rays], column[surfaces.rays]
        own = scene.materials.base_colors(surfaces.materials, surfaces.uvs)
        self._own_color[row, column] += np.maximum(own, DARKEST)
        if sample == 0:
            self._surface[row, column] = 1 + surfaces.objects
            self._normal[row, column] = surfaces.normals
            self._position[row, column] = surfaces.points

    def denoised(self, mean: Array, counts: Array, cancelled: Callable[[], bool] = lambda: False) -> Array:
        """Give a picture (H, W, 4) float32 without its noise.

        Args:
            mean: (H, W, 4) float32, of all samples.
            counts: (H, W, 1) float32, samples of each pixel.
            cancelled: Asked between parts of the work.

        Raises:
            RenderCancelled: `cancelled` said so.
        """
        if counts.max() < FEWEST_SAMPLES:
            return mean
        self._surface[mean[..., 3] < OPAQUE] = 0
        own = np.maximum(self._own_color / counts, DARKEST)
        size = np.zeros(self._surface.shape, np.float32)
        guides = self._surface, self._normal, self._position
        self._each_row(lambda first, last: find_inner(*guides, first, last, size), cancelled)
        brightness = mean[..., :3].mean(axis=2)
        several = np.maximum(counts[..., 0] - 1.0, 1.0)
        variance = np.maximum(self._squares / counts[..., 0] - brightness**2, 0.0) / several
        variance /= own.mean(axis=2) ** 2
        light = np.ascontiguousarray(mean[..., :3] / own)
        for k in range(PASSES):
            light, variance = self._filtered(light, variance, size, 1 << k, cancelled)
        inner = size > 0.0
        result = mean.copy()
        result[inner, :3] = light[inner] * own[inner]
        return result

    def _filtered(
        self, light: Array, variance: Array, size: Array, spread: int, cancelled: Callable[[], bool]
    ) -> tuple[Array, Array]:
        out_light, out_variance = np.empty_like(light), np.empty_like(variance)
        arrays = light, variance, self._surface, self._normal, self._position, size

        def rows(first: int, last: int) -> None:
            filter_rows(*arrays, spread, first, last, out_light, out_variance)

        self._each_row(rows, cancelled)
        return out_light, out_variance

    def _each_row(self, work: Callable[[int, int], None], cancelled: Callable[[], bool]) -> None:
        """Do a piece of work on all rows, over all cores."""
        height = len(self._surface)
        parts = [(0, first, 1, min(first + ROWS, height)) for first in range(0, height, ROWS)]
        for _ in run_tiles(parts, lambda part, _: work(part[1], part[3]), range(1), cancelled):
            pass
