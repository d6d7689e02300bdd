"""What of a scene goes beyond our shading, in sentences that a render says once each."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from .camera_export import PANORAMAS
from .material_export import base_color_socket, node_before, surface_node
from .neural_object import is_neural
from .texture_export import base_texture, texture_before, uv_layer_name, why_not_shown

CONSTANTS = ("RGB", "VALUE")
SHADED = ("BSDF_PRINCIPLED", "BSDF_DIFFUSE", "BSDF_GLOSSY", "BSDF_METALLIC", "EMISSION")
NOT_SHADED = ("Transmission Weight", "Subsurface Weight", "Coat Weight", "Sheen Weight")
_said: set[str] = set()


def new_approximations(depsgraph: bpy.types.Depsgraph) -> list[str]:
    """Give the sentences on a scene that were not given before in this session."""
    sentences = [*_of_materials(depsgraph), *_of_world(depsgraph.scene.world)]
    camera = depsgraph.scene.camera
    if camera is not None and camera.type == "CAMERA" and camera.data.type == "PANO":
        own = camera.data if hasattr(camera.data, "panorama_type") else camera.data.cycles
        if own.panorama_type not in PANORAMAS:
            sentences.append(f"The panorama of {camera.name} is rendered as an equirectangular one.")
    new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in _said]
    _said.update(new)
    return new


def forget_said() -> None:
    """Say everything again."""
    _said.clear()


def _of_materials(depsgraph: bpy.types.Depsgraph) -> Iterator[str]:
    yield from _of_textures(depsgraph)
    materials = {slot.material for obj in depsgraph.objects for slot in obj.material_slots if slot.material}
    for material in sorted(materials, key=lambda m: m.name):
        node = surface_node(material.node_tree) if material.use_nodes else None
        if node is None:
            continue
        if node.type not in SHADED:
            yield f"{material.name}: the shader {node.bl_label} is replaced by a plain one."
        shown = base_color_socket(node) if texture_before(material) is not None else None
        linked = [
            s.name
            for s in node.inputs
            if s != shown and (n := node_before(s)) is not None and n.type not in CONSTANTS
        ]
        if linked:
            yield f"{material.name}: textures of {', '.join(linked)} are replaced by the sockets' own values."
        beyond = [n for n in NOT_SHADED if n in node.inputs and node.inputs[n].default_value > 0.0]
        if beyond:
            yield f"{material.name}: {', '.join(beyond)} is left out."


def _of_textures(depsgraph: bpy.types.Depsgraph) -> Iterator[str]:
    for obj in depsgraph.objects:
        materials = [slot.material for slot in obj.material_slots]
        textured = [m for m in materials if base_texture(m) is not None]
        if is_neural(obj) and base_texture(materials[0] if materials else None) is not None:
            yield f"{obj.name}: a neural implicit has no UV coordinates, so {textured[0].name} shows its plain base colour."
        elif len({uv_layer_name([m]) for m in textured}) > 1:
            yield f"{obj.name}: all its textures take the UV map of {textured[0].name}."
        for material in materials:
            node = texture_before(material)
            why = None if node is None else why_not_shown(node)
            if why is not None:
                yield f"{material.name}: the texture of its base colour {why} and is left out."


def _of_world(world: bpy.types.World | None) -> Iterator[str]:
    node = surface_node(world.node_tree) if world is not None and world.use_nodes else None
    before = node_before(node.inputs["Color"]) if node is not None and "Color" in node.inputs else None
    if before is None or before.type in CONSTANTS:
        return
    if before.type != "TEX_ENVIRONMENT" or before.projection != "EQUIRECTANGULAR":
        yield f"{world.name}: {before.bl_label} is replaced by the background's own colour."
    elif before.image is None or before.image.size[0] == 0:
        yield f"{world.name}: its environment texture cannot be read."
