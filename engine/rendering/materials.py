"""The part of Blender's Principled BSDF that we shade: Lambert below GGX, plastic or metal.

What the coat of GGX reflects, the Lambert layer below it does not get; what microfacets lose by bouncing light
between each other is given back by a factor [Turquin 2019], as Cycles' "Multiscatter GGX" does.

[Turquin 2019] E. Turquin, "Practical multiple scattering compensation for microfacet models", 2019.
"""

from __future__ import annotations

import numpy as np

from ..errors import SceneError
from ..protocol.scene import Material
from ..transforms import Array
from . import microfacets
from .bsdf import Bsdf, SurfaceTable
from .textures import TexturePicture

_PI = np.float32(np.pi)


class MaterialTable:
    """All materials of a scene, as arrays over their index."""

    def __init__(
        self, materials: tuple[Material, ...], textures: tuple[TexturePicture | None, ...] = ()
    ) -> None:
        """Prepare materials; an empty scene gets the default one. `textures` are those of base colours, by material.

        Raises:
            SceneError: A number is not finite.
        """
        chosen = materials or (Material(),)
        for number, material in enumerate(chosen):
            values = (
                *material.base_color,
                material.metallic,
                material.roughness,
                material.specular,
                material.alpha,
            )
            if not np.isfinite((*values, material.ior, *material.emission)).all():
                raise SceneError(f"Material {number} has a number that is not finite; check its sliders.")
        metallic = np.clip([m.metallic for m in chosen], 0.0, 1.0)
        ior = [_effective_ior(m) for m in chosen]
        alpha = [max(float(np.clip(m.roughness, 0.0, 1.0)) ** 2, microfacets.SMALLEST_ALPHA) for m in chosen]
        self.base_color = np.maximum([m.base_color for m in chosen], 0.0).astype(np.float32)
        self.textures = [(k, t) for k, t in enumerate(textures) if t is not None]
        self.emission = np.array([m.emission for m in chosen], np.float32)
        self.opacity = np.clip([m.alpha for m in chosen], 0.0, 1.0).astype(np.float32)
        self.opaque = bool((self.opacity == 1.0).all())
        self.pass_indices = np.array([m.pass_index for m in chosen], np.float32)
        self.holdout = np.array([m.holdout for m in chosen])
        self.has_holdout = bool(self.holdout.any())
        self.reflection = SurfaceTable(
            metallic=metallic.astype(np.float32),
            ior=np.array(ior, np.float32),
            alpha=np.array(alpha, np.float32),
            shares=np.array([microfacets.reflected_shares(a, i) for a, i in zip(alpha, ior)]),
            shines=np.array([m.metallic > 0.0 or i > 1.0 + 1e-4 for m, i in zip(chosen, ior)]),
        )

    def __len__(self) -> int:
        return len(self.opacity)

    def base_colors(self, index: Array, uvs: Array) -> Array:
        """Give the base colours (N, 3) of N points by their UV coordinates (N, 2)."""
        colors = self.base_color[index]
        for material, texture in self.textures:
            rows = np.flatnonzero(index == material)
            if len(rows):
                colors[rows] = np.maximum(texture.colors(uvs[rows]), 0.0)
        return colors

    def bsdf(self, index: Array, normal: Array, view: Array, base: Array) -> Bsdf:
        """Give what N surface points of base colours `base` reflect; `normal` and `view` are unit (N, 3), on one side."""
        return Bsdf.of(self.reflection, index, normal, view, base)


def _effective_ior(material: Material) -> float:
    """Blender's "Specular IOR Level" scales what is reflected at normal incidence by twice itself."""
    ior = max(material.ior, 1e-3)
    at_normal = ((ior - 1.0) / (ior + 1.0)) ** 2 * 2.0 * max(material.specular, 0.0)
    root = np.sqrt(min(at_normal, 0.99))
    return float((1.0 + root) / (1.0 - root))


def cosine_direction(square: Array) -> Array:
    """Give directions (N, 3) about z, chosen in proportion to their cosine, from uniform numbers (N, 2)."""
    radius, angle = np.sqrt(square[:, 0]), 2.0 * _PI * square[:, 1]
    height = np.sqrt(np.maximum(0.0, 1.0 - square[:, 0]))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
