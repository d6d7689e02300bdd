"""Pictures on native surfaces: colours looked up by UV coordinates, as Blender's Image Texture does.

A picture's lower left corner is at (0, 0), its upper right one at (1, 1). Bytes are blended as they are
saved and then decoded, as Cycles does it. There are no smaller copies of a picture: the samples of a pixel average it.
"""

from __future__ import annotations

import numpy as np

from ..errors import SceneError
from ..protocol.scene import Texture
from ..transforms import Array

CHANNELS = 3


class TexturePicture:
    """A picture ready to be looked up."""

    def __init__(self, texture: Texture, picture: Array) -> None:
        """Prepare it.

        Args:
            texture: How it is looked up.
            picture: (H, W, 3) float32, scene-linear, or uint8, sRGB or linear; bottom row first.

        Raises:
            SceneError: It is not such a picture, or its coordinates are not finite.
        """
        shaped = picture.ndim == 3 and picture.shape[2] == CHANNELS and picture.size > 0
        if not shaped or picture.dtype not in (np.float32, np.uint8) or not np.isfinite(picture).all():
            raise SceneError(
                "A material's image texture holds no picture, or numbers that are not finite. Choose another image."
            )
        if len(texture.picture_from_uv) != 6 or not np.isfinite(texture.picture_from_uv).all():
            raise SceneError("A material's Mapping node has numbers that are not finite; check its scale.")
        self._picture = picture
        self._is_byte = picture.dtype == np.uint8
        self._is_srgb = self._is_byte and texture.is_srgb
        self._from_uv = np.reshape(texture.picture_from_uv, (2, 3)).astype(np.float64)
        self._closest = texture.interpolation == "CLOSEST"
        self._extension = texture.extension

    def colors(self, uv: Array) -> Array:
        """Give the colours (N, 3) float32, scene-linear, at UV coordinates (N, 2)."""
        height, width = self._picture.shape[:2]
        place = uv.astype(np.float64) @ self._from_uv[:, :2].T + self._from_uv[:, 2]
        place = np.nan_to_num(place, nan=0.0, posinf=0.0, neginf=0.0)
        x, y = place[:, 0] * width, place[:, 1] * height
        if self._closest:
            return self._decoded(self._texels(np.floor(x), np.floor(y)))
        x, y = x - 0.5, y - 0.5
        left, low = np.floor(x), np.floor(y)
        fx, fy = ((a - b)[:, None].astype(np.float32) for a, b in ((x, left), (y, low)))
        below = self._texels(left, low) * (1.0 - fx) + self._texels(left + 1.0, low) * fx
        above = self._texels(left, low + 1.0) * (1.0 - fx) + self._texels(left + 1.0, low + 1.0) * fx
        return self._decoded(below * (1.0 - fy) + above * fy)

    def _decoded(self, colors: Array) -> Array:
        if not self._is_srgb:
            return colors
        linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
        return linear.astype(np.float32)

    def _texels(self, x: Array, y: Array) -> Array:
        """Give the texels (N, 3) float32, as saved, of whole columns and rows (N,), wherever they lie."""
        height, width = self._picture.shape[:2]
        column, row = self._inside(x, width), self._inside(y, height)
        colors: Array = self._picture[row, column].astype(np.float32)
        if self._is_byte:
            colors /= np.float32(255.0)
        if self._extension == "CLIP":
            outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
            colors = np.where(outside[:, None], np.float32(0.0), colors)
        return colors

    def _inside(self, index: Array, size: int) -> Array:
        if self._extension == "REPEAT":
            index = np.mod(index, size)
        if self._extension == "MIRROR":
            folded = np.mod(index, 2 * size)
            index = np.minimum(folded, 2 * size - 1 - folded)
        inside: Array = np.clip(index, 0, size - 1).astype(np.int64)
        return inside
