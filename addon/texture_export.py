"""Image textures of base colours: which we can show, and how they are handed to the engine."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

from ..engine.protocol.scene import ArrayBlob, Texture
from .material_export import base_color_socket, node_before, surface_node
from .picture_export import READABLE, is_srgb, pixels_of, shrunk
from .session_folder import SessionFolder

MOST_COLUMNS = 8192  # of a picture that is handed on
EXTENSIONS = ("REPEAT", "EXTEND", "CLIP", "MIRROR")
OWN_UVS = ""  # the name of the layer a mesh renders with


class TextureStore:
    """Pictures by image, read once and kept until the image changes."""

    def __init__(self, folder: SessionFolder) -> None:
        """Put pictures into `folder`."""
        self._folder = folder
        self._pictures: dict[
            int, tuple[object, ArrayBlob | None]
        ] = {}  # by the image's session_uid, and its state

    def forget(self, uid: int | None = None) -> None:
        """Read an image again, or all."""
        if uid is None:
            self._pictures.clear()
        else:
            self._pictures.pop(uid, None)

    def texture(self, material: bpy.types.Material) -> Texture | None:
        """Give a material's base colour as a texture; None where it has none that we show.

        Raises:
            OSError: The session's folder is full.
        """
        node = base_texture(material)
        picture = None if node is None else self._picture(node.image.original)
        if node is None or picture is None:
            return None
        mapping = _mapping(node)
        return Texture(
            picture=picture,
            is_srgb=is_srgb(node.image),
            interpolation="CLOSEST" if node.interpolation == "Closest" else "LINEAR",
            extension=node.extension if node.extension in EXTENSIONS else "REPEAT",
            picture_from_uv=(*mapping[0][:2], mapping[0][3], *mapping[1][:2], mapping[1][3]),
        )

    def _picture(self, image: bpy.types.Image) -> ArrayBlob | None:
        uid, state = image.session_uid, _state(image)
        if uid not in self._pictures or self._pictures[uid][0] != state:
            picture = pixels_of(image)
            self._pictures[uid] = (state, None if picture is None else self._stored(image, picture))
        return self._pictures[uid][1]

    def _stored(self, image: bpy.types.Image, picture: np.ndarray) -> ArrayBlob:
        picture = shrunk(picture, MOST_COLUMNS)
        if image.is_float:
            return self._folder.put_array(np.nan_to_num(picture).astype(np.float32))
        return self._folder.put_array(np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8))


def _state(image: bpy.types.Image) -> object:
    """Give what tells that an image was read again from its file, of which Blender does not tell us."""
    try:
        status = Path(bpy.path.abspath(image.filepath, library=image.library)).stat()
    except (OSError, ValueError):  # packed, generated, or its file is gone
        return tuple(image.size)
    return (*image.size, status.st_mtime_ns, status.st_size)


def base_texture(material: bpy.types.Material | None) -> bpy.types.Node | None:
    """Give the Image Texture node of a material's base colour; None where there is none, or none that we show."""
    node = texture_before(material)
    return node if node is not None and why_not_shown(node) is None else None


def texture_before(material: bpy.types.Material | None) -> bpy.types.Node | None:
    """Give the Image Texture node before a base colour, whether we can show it or not."""
    if material is None or not material.use_nodes:
        return None
    surface = surface_node(material.node_tree)
    socket = None if surface is None else base_color_socket(surface)
    node = None if socket is None else node_before(socket)
    return node if node is not None and node.type == "TEX_IMAGE" else None


def why_not_shown(node: bpy.types.Node) -> str | None:
    """Say why we do not show an Image Texture node; None where we do."""
    image = node.image
    if image is None or image.size[0] * image.size[1] == 0:
        return "has no image that can be read"
    if image.source not in READABLE:
        return f"shows a {image.source.lower()}"
    if node.projection != "FLAT":
        return f"is projected as a {node.projection.lower()}"
    before, last = _coordinates(node)
    if before is None:
        return None
    if before.type == "UVMAP" or (before.type == "TEX_COORD" and last.name == "UV"):
        return None
    return f"has the coordinates of {before.bl_label}"


def uv_layer_name(materials: list[bpy.types.Material | None]) -> str | None:
    """Give the name of the UV layer that an object's textures want; None: they want none, OWN_UVS: its render layer."""
    for material in materials:
        node = base_texture(material)
        if node is not None:
            before, _ = _coordinates(node)
            return before.uv_map if before is not None and before.type == "UVMAP" else OWN_UVS
    return None


def _coordinates(node: bpy.types.Node) -> tuple[bpy.types.Node | None, bpy.types.NodeSocket | None]:
    """Give the node that a texture takes its coordinates from, past one Mapping, and its socket; None: the UVs."""
    socket = node.inputs["Vector"]
    before = node_before(socket)
    if before is not None and before.type == "MAPPING":
        socket = before.inputs["Vector"]
        before = node_before(socket) or before  # without coordinates of its own every place is the same
    return before, (_source(socket) if socket.is_linked else None)


def _source(socket: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """Give the output that a socket takes, past reroutes."""
    link = socket.links[0]
    while link.from_node.type == "REROUTE":
        link = link.from_node.inputs[0].links[0]
    return link.from_socket


def _mapping(node: bpy.types.Node) -> Matrix:
    """Give what a Mapping node before a texture does to coordinates."""
    mapping = node_before(node.inputs["Vector"])
    if mapping is None or mapping.type != "MAPPING":
        return Matrix.Identity(4)
    values = {name: Vector(mapping.inputs[name].default_value) for name in ("Rotation", "Scale")}
    turn = Euler(tuple(values["Rotation"]), "XYZ").to_matrix().to_4x4()
    scale = Matrix.Diagonal((*values["Scale"], 1.0))
    moves = mapping.vector_type in ("POINT", "TEXTURE")
    place = Matrix.Translation(mapping.inputs["Location"].default_value) if moves else Matrix.Identity(4)
    if mapping.vector_type == "TEXTURE":
        return (place @ turn @ scale).inverted_safe()
    if mapping.vector_type == "NORMAL":
        return turn @ scale.inverted_safe()
    return place @ turn @ scale
