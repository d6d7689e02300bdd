"""The part of Blender's Principled BSDF that we shade: Lambert below GGX, plastic or metal.

What the coat of GGX reflects, the Lambert layer below it does not get; what microfacets lose by bouncing light
between each other is given back by a factor [Turquin 2019], as Cycles' "Multiscatter GGX" does.

[Turquin 2019] E. Turquin, "Practical multiple scattering compensation for microfacet models", 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import SceneError
from ..protocol.scene import Material
from ..transforms import Array, orthonormal_basis
from . import microfacets
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
        self.metallic = metallic.astype(np.float32)
        self.ior = np.array(ior, np.float32)
        self.alpha = np.array(alpha, np.float32)
        self.opacity = np.clip([m.alpha for m in chosen], 0.0, 1.0).astype(np.float32)
        self.opaque = bool((self.opacity == 1.0).all())
        self.pass_indices = np.array([m.pass_index for m in chosen], np.float32)
        self.holdout = np.array([m.holdout for m in chosen])
        self.has_holdout = bool(self.holdout.any())
        self.shares = np.array([microfacets.reflected_shares(a, i) for a, i in zip(alpha, ior)])
        self.shines = np.array([m.metallic > 0.0 or i > 1.0 + 1e-4 for m, i in zip(chosen, ior)])

    def __len__(self) -> int:
        return len(self.alpha)

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
        cosine_view = np.clip(np.einsum("ni,ni->n", normal, view), 1e-4, 1.0).astype(np.float32)
        white, schlick, dielectric = self._look_up(index, cosine_view)
        metallic = self.metallic[index][:, None]
        at_normal = ((self.ior[index] - 1.0) / (self.ior[index] + 1.0)) ** 2
        lost = ((1.0 - white) / np.maximum(white, 1e-3))[:, None]
        plastic = dielectric[:, None] * (1.0 + at_normal[:, None] * lost)
        metal = (base * (white - schlick)[:, None] + schlick[:, None]) * (1.0 + base * lost)
        return Bsdf(
            normal=normal.astype(np.float32),
            view=view.astype(np.float32),
            cosine_view=cosine_view,
            alpha=self.alpha[index],
            ior=self.ior[index],
            metallic=metallic,
            base_color=base,
            diffuse=(1.0 - metallic) * (1.0 - plastic) * base,
            specular_gain=1.0 + lost * ((1.0 - metallic) * at_normal[:, None] + metallic * base),
            specular_albedo=(1.0 - metallic) * plastic + metallic * metal,
            shines=self.shines[index],
        )

    def _look_up(self, index: Array, cosine: Array) -> tuple[Array, Array, Array]:
        last = microfacets.TABLE_SIZE - 1
        place = np.clip(cosine * microfacets.TABLE_SIZE - 0.5, 0.0, last)
        low = np.minimum(place.astype(np.int32), last - 1)
        share = place - low
        rows = [
            self.shares[index, row, low] * (1.0 - share) + self.shares[index, row, low + 1] * share
            for row in range(3)
        ]
        return rows[0], rows[1], rows[2]


def _effective_ior(material: Material) -> float:
    """Blender's "Specular IOR Level" scales what is reflected at normal incidence by twice itself."""
    ior = max(material.ior, 1e-3)
    at_normal = ((ior - 1.0) / (ior + 1.0)) ** 2 * 2.0 * max(material.specular, 0.0)
    root = np.sqrt(min(at_normal, 0.99))
    return float((1.0 + root) / (1.0 - root))


@dataclass(frozen=True, slots=True, eq=False)
class Bsdf:
    """Reflection at N points, seen from `view`; all arrays float32."""

    normal: Array  # (N, 3)
    view: Array  # (N, 3)
    cosine_view: Array  # (N,)
    alpha: Array  # (N,)
    ior: Array  # (N,)
    metallic: Array  # (N, 1)
    base_color: Array  # (N, 3)
    diffuse: Array  # (N, 3) albedo
    specular_gain: Array  # (N, 3) what bounces between microfacets give back
    specular_albedo: Array  # (N, 3)
    shines: Array  # (N,) bool: there is a specular part at all

    def take(self, chosen: Array) -> Bsdf:
        """Give the rows `chosen`."""
        return Bsdf(*(getattr(self, name)[chosen] for name in self.__slots__))

    def reflect(self, light: Array) -> tuple[Array, Array]:
        """Give bsdf times cosine (N, 3) towards unit `light` (N, 3), and the specular density of `light` (N,)."""
        light = light.astype(np.float32)
        cosine = np.maximum(np.einsum("ni,ni->n", self.normal, light), 0.0)
        result = self.diffuse * (cosine / _PI)[:, None]
        pdf = np.zeros_like(cosine)
        if not self.shines.any():
            return result, pdf
        half = light + self.view
        half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-12)
        at_half = np.einsum("ni,ni->n", self.view, half)
        facets = microfacets.density(np.clip(np.einsum("ni,ni->n", self.normal, half), 0.0, 1.0), self.alpha)
        view_lambda = microfacets.smith_lambda(self.cosine_view, self.alpha)
        masked = facets / (4.0 * self.cosine_view)
        lit = (cosine > 0.0) & self.shines
        pdf = np.where(lit, masked / (1.0 + view_lambda), 0.0)
        both = 1.0 + view_lambda + microfacets.smith_lambda(np.maximum(cosine, 1e-6), self.alpha)
        lobe = np.where(lit, masked / both, 0.0)[:, None]
        result += lobe * self._fresnel(at_half) * self.specular_gain
        return result, pdf

    def _fresnel(self, cosine: Array) -> Array:
        plastic = microfacets.dielectric_fresnel(cosine, self.ior)[:, None]
        metal = self.base_color + (1.0 - self.base_color) * microfacets.schlick_weight(cosine)[:, None]
        share: Array = (1.0 - self.metallic) * plastic + self.metallic * metal
        return share

    def sample(self, choice: Array, square: Array) -> tuple[Array, Array]:
        """Choose a direction (N, 3) float32 by the lobes' shares; weight (N, 3) is bsdf times cosine over density."""
        tangent, bitangent = orthonormal_basis(self.normal)
        share = self._glossy_share()
        local = cosine_direction(square)
        glossy = choice < share
        if glossy.any():
            local[glossy] = self._glossy(
                np.stack([tangent, bitangent], axis=1)[glossy], glossy, square[glossy]
            )
        light = local[:, :1] * tangent + local[:, 1:2] * bitangent + local[:, 2:] * self.normal
        value, specular_pdf = self.reflect(light)
        cosine = np.maximum(np.einsum("ni,ni->n", self.normal, light), 0.0)
        pdf = (1.0 - share) * cosine / _PI + share * specular_pdf
        weight = np.where(pdf[:, None] > 1e-9, value / np.maximum(pdf, 1e-9)[:, None], 0.0)
        return light, weight

    def _glossy_share(self) -> Array:
        specular = self.specular_albedo.sum(axis=1)
        share = np.clip(specular / np.maximum(specular + self.diffuse.sum(axis=1), 1e-8), 0.0, 1.0)
        return np.where(self.shines, share, 0.0)

    def density(self, light: Array) -> Array:
        """Give the density (N,) with which `sample` chooses unit directions (N, 3)."""
        _, specular_pdf = self.reflect(light)
        cosine = np.maximum(np.einsum("ni,ni->n", self.normal, light), 0.0)
        share = self._glossy_share()
        density: Array = (1.0 - share) * cosine / _PI + share * specular_pdf
        return density

    def _glossy(self, tangents: Array, chosen: Array, square: Array) -> Array:
        view = np.empty((len(square), 3), np.float32)
        view[:, :2] = np.einsum("nki,ni->nk", tangents, self.view[chosen])
        view[:, 2] = self.cosine_view[chosen]
        view /= np.linalg.norm(view, axis=1, keepdims=True)
        half = microfacets.sample_half_vector(view, self.alpha[chosen], square)
        mirrored: Array = 2.0 * np.einsum("ni,ni->n", view, half)[:, None] * half - view
        return mirrored


def cosine_direction(square: Array) -> Array:
    """Give directions (N, 3) about z, chosen in proportion to their cosine, from uniform numbers (N, 2)."""
    radius, angle = np.sqrt(square[:, 0]), 2.0 * _PI * square[:, 1]
    height = np.sqrt(np.maximum(0.0, 1.0 - square[:, 0]))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
