"""The colours of an error: dark blue is none, over green and yellow to red, which is what the worst hundredth has.

The scale is linear, so that colours can be read off the legend: each is a share of `top`.
"""

from __future__ import annotations

import bpy
import numpy as np

LAYER_NAME = "Error"
MATERIAL_NAME = "Neural Implicit Error"
STOPS = np.array(  # scene-linear, by equal steps
    [
        (0.01, 0.02, 0.15),
        (0.0, 0.12, 0.45),
        (0.0, 0.4, 0.25),
        (0.75, 0.65, 0.02),
        (0.9, 0.2, 0.01),
        (0.6, 0.0, 0.01),
    ]
)
TOP_SHARE = 0.99  # of the vertices that are below the top of the scale
SMALLEST_TOP = 1e-9


def error_colors(errors: np.ndarray) -> tuple[np.ndarray, float]:
    """Give colours (N, 4) float32 for errors (N,), and the error at the top of the scale."""
    finite = errors[np.isfinite(errors)]
    top = max(float(np.quantile(finite, TOP_SHARE)) if len(finite) else 0.0, SMALLEST_TOP)
    return scale_colors(np.nan_to_num(errors, nan=top) / top), top


def scale_colors(shares: np.ndarray) -> np.ndarray:
    """Give colours (N, 4) float32 for shares (N,) of the top of the scale."""
    places = np.linspace(0.0, 1.0, len(STOPS))
    colors = np.ones((len(shares), 4), np.float32)
    for channel in range(3):
        colors[:, channel] = np.interp(shares, places, STOPS[:, channel])
    return colors


def error_material() -> bpy.types.Material:
    """Give the material that shows a mesh's error colours as they are, unlit; made where the file has none yet."""
    found = bpy.data.materials.get(MATERIAL_NAME)
    if found is not None and found.library is None:
        return found
    material = bpy.data.materials.new(MATERIAL_NAME)
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    attribute = tree.nodes.new("ShaderNodeVertexColor")
    attribute.layer_name = LAYER_NAME
    emission = tree.nodes.new("ShaderNodeEmission")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    attribute.location, emission.location, output.location = (-400, 0), (-200, 0), (0, 0)
    tree.links.new(attribute.outputs["Color"], emission.inputs["Color"])
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    return material
