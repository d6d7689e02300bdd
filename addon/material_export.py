"""Blender's materials, lights and world, reduced to what the engine shades.

A socket with a link counts by the constant behind it (an RGB or Value node), else by its own value: textures are not
evaluated.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import bpy
from mathutils import Matrix

from ..engine.protocol.scene import Light, Material, Vector

MAX_FOLLOWED = 16  # reroutes in a row; more would be a loop
AREA_SHAPES = ("SQUARE", "RECTANGLE", "DISK", "ELLIPSE")


def flat(matrix: Matrix) -> tuple[float, ...]:
    """Give a matrix's numbers, row-major."""
    return tuple(float(x) for row in matrix for x in row)


def export_material(material: bpy.types.Material | None) -> Material:
    """Give the shaded part of a material; without one, Blender's default grey."""
    if material is None:
        return Material()
    return dataclasses.replace(_shaded(material), pass_index=material.pass_index)


def _shaded(material: bpy.types.Material) -> Material:
    surface = surface_node(material.node_tree) if material.use_nodes else None
    if surface is None:
        color = material.diffuse_color
        return Material(base_color=_rgb(color), metallic=material.metallic, roughness=material.roughness)
    if surface.type == "BSDF_PRINCIPLED":
        return _principled(surface)
    if surface.type == "EMISSION":
        emission = _scaled(_color(surface, "Color"), number_of(surface, "Strength"))
        return Material(base_color=(0.0, 0.0, 0.0), specular=0.0, roughness=1.0, emission=emission)
    if "Color" in surface.inputs:  # diffuse, glossy and their like
        roughness = number_of(surface, "Roughness") if "Roughness" in surface.inputs else 1.0
        diffuse = surface.type == "BSDF_DIFFUSE"
        return Material(
            base_color=_color(surface, "Color"),
            roughness=1.0 if diffuse else roughness,
            specular=0.0 if diffuse else 0.5,
            metallic=1.0 if surface.type in ("BSDF_GLOSSY", "BSDF_METALLIC") else 0.0,
        )
    return Material(base_color=_rgb(material.diffuse_color))


def export_light(light: bpy.types.Light, world_from_light: Matrix) -> Light:
    """Give a light where it stands."""
    color = _rgb(light.color)
    if getattr(light, "use_temperature", False):  # 4.5 and later
        color = _product(color, _rgb(light.temperature_color))
    energy = float(light.energy) * 2.0 ** float(getattr(light, "exposure", 0.0))
    node = surface_node(light.node_tree) if light.use_nodes else None
    if node is not None and node.type == "EMISSION":
        color = _product(color, _color(node, "Color"))
        energy *= number_of(node, "Strength")
    size = float(getattr(light, "size", 0.0))
    shape = getattr(light, "shape", "SQUARE")
    return Light(
        type=light.type,
        world_from_light=flat(world_from_light),
        color=color,
        energy=energy,
        radius=float(getattr(light, "shadow_soft_size", 0.0)),
        angle=float(getattr(light, "angle", 0.0)),
        spot_size=float(getattr(light, "spot_size", 0.0)),
        spot_blend=float(getattr(light, "spot_blend", 0.0)),
        shape=shape if shape in AREA_SHAPES else "SQUARE",
        size=size,
        size_y=float(light.size_y) if shape in ("RECTANGLE", "ELLIPSE") else size,
        spread=float(getattr(light, "spread", math.pi)),
        normalize=bool(getattr(light, "normalize", True)),  # 4.5 and later
        cast_shadow=bool(light.use_shadow),
    )


def export_world(world: bpy.types.World | None) -> Vector:
    """Give the background's colour times its strength."""
    if world is None:
        return (0.0, 0.0, 0.0)
    node = surface_node(world.node_tree) if world.use_nodes else None
    if node is None:
        return _rgb(world.color)
    if node.type in ("BACKGROUND", "EMISSION"):
        return _scaled(_color(node, "Color"), number_of(node, "Strength"))
    return (0.0, 0.0, 0.0)


def _principled(node: bpy.types.Node) -> Material:
    return Material(
        base_color=_color(node, "Base Color"),
        metallic=number_of(node, "Metallic"),
        roughness=number_of(node, "Roughness"),
        specular=number_of(node, "Specular IOR Level"),
        ior=number_of(node, "IOR"),
        emission=_scaled(_color(node, "Emission Color"), number_of(node, "Emission Strength")),
        alpha=number_of(node, "Alpha"),
    )


def base_color_socket(surface: bpy.types.Node) -> bpy.types.NodeSocket | None:
    """Give the input of a shader that is its base colour; None where it has none."""
    if surface.type == "EMISSION":
        return None
    return surface.inputs.get("Base Color") or surface.inputs.get("Color")


def surface_node(tree: bpy.types.NodeTree | None) -> bpy.types.Node | None:
    """Give the node that makes the surface of a material, light or world; None where there is none."""
    output = tree.get_output_node("ALL") if tree is not None else None
    if output is None or "Surface" not in output.inputs:
        return None
    return node_before(output.inputs["Surface"])


def node_before(socket: bpy.types.NodeSocket) -> bpy.types.Node | None:
    """Give the node whose output a socket takes, past reroutes; None where it has its own value."""
    for _ in range(MAX_FOLLOWED):
        if not socket.is_linked or socket.links[0].is_muted:
            return None
        node = socket.links[0].from_node
        if node.type != "REROUTE":
            return node
        socket = node.inputs[0]
    return None


def _value(node: bpy.types.Node, name: str) -> Any:
    socket = node.inputs[name]
    source = node_before(socket)
    if source is not None and source.type in ("RGB", "VALUE"):
        return source.outputs[0].default_value
    return socket.default_value


def _color(node: bpy.types.Node, name: str) -> Vector:
    value = _value(node, name)
    return (float(value),) * 3 if isinstance(value, float) else _rgb(value)


def number_of(node: bpy.types.Node, name: str) -> float:
    """Give the constant of a socket; of a colour its mean."""
    value = _value(node, name)
    return float(value) if isinstance(value, (int, float)) else sum(_rgb(value)) / 3.0


def _rgb(color: Any) -> Vector:
    return (float(color[0]), float(color[1]), float(color[2]))


def _scaled(color: Vector, factor: float) -> Vector:
    return (color[0] * factor, color[1] * factor, color[2] * factor)


def _product(a: Vector, b: Vector) -> Vector:
    return (a[0] * b[0], a[1] * b[1], a[2] * b[2])
