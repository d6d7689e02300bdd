"""The world as the engine shades it: one colour, or the picture of an Environment Texture with its turn."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Euler, Matrix

from ..engine.protocol.scene import Environment, Vector
from .material_export import export_world, flat, node_before, number_of, surface_node
from .picture_export import is_srgb, pixels_of, shrunk
from .session_folder import SessionFolder

MOST_COLUMNS = 2048  # of the picture that is handed on; a larger one is averaged down


def export_surroundings(
    world: bpy.types.World | None, folder: SessionFolder
) -> tuple[Vector, Environment | None]:
    """Give the world's colour, and its picture where it has one, which the colour multiplies.

    Raises:
        OSError: The session's folder is full.
    """
    texture, strength = _environment_texture(world)
    picture = None if texture is None else _linear_picture(texture.image)
    if texture is None or picture is None:
        return export_world(world), None
    environment = Environment(
        picture=folder.put_array(picture), environment_from_world=flat(_turn(texture.inputs["Vector"]))
    )
    return (strength, strength, strength), environment


def _environment_texture(world: bpy.types.World | None) -> tuple[bpy.types.Node | None, float]:
    node = surface_node(world.node_tree) if world is not None and world.use_nodes else None
    if node is None or node.type not in ("BACKGROUND", "EMISSION"):
        return None, 0.0
    texture = node_before(node.inputs["Color"])
    if texture is None or texture.type != "TEX_ENVIRONMENT" or texture.image is None:
        return None, 0.0
    return (texture if texture.projection == "EQUIRECTANGULAR" else None), number_of(node, "Strength")


def _turn(socket: bpy.types.NodeSocket) -> Matrix:
    """Give what a Mapping node does to directions; its place and scale do not count."""
    mapping = node_before(socket)
    if mapping is None or mapping.type != "MAPPING":
        return Matrix.Identity(4)
    turn = Euler(tuple(mapping.inputs["Rotation"].default_value), "XYZ").to_matrix().to_4x4()
    return turn.inverted() if mapping.vector_type == "TEXTURE" else turn


def _linear_picture(image: bpy.types.Image) -> np.ndarray | None:
    """Give an image (H, W, 3) float32, scene-linear, bottom row first; None where it cannot be read."""
    picture = pixels_of(image)
    if picture is None:
        return None
    if is_srgb(image):
        picture = np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)
    return np.ascontiguousarray(np.nan_to_num(shrunk(picture, MOST_COLUMNS)), np.float32)
