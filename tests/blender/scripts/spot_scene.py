"""The scene of the picture tests: spot on a plane, a cube half inside it, one behind it, a sun, a camera."""

import math
from pathlib import Path

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon import neural_object

SPOT, CUBE, BEHIND, PLANE = 1, 2, 3, 4  # pass indices
COLORS = {SPOT: (0.8, 0.05, 0.05), CUBE: (0.05, 0.05, 0.8), BEHIND: (0.05, 0.7, 0.05), PLANE: (0.5, 0.5, 0.5)}


def build(arguments):
    """Build it in an emptied scene, and give the neural spot."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    scene = bpy.context.scene
    scene.render.engine = "NEURAL_IMPLICIT"
    scene.view_settings.view_transform = "Standard"
    spot = link(bpy.data.objects.new("Spot", neural_spot(arguments)), SPOT)
    spot.rotation_euler = (math.radians(90), 0, math.radians(150))
    spot.location.z = 0.74
    add_mesh(
        bpy.ops.mesh.primitive_cube_add, CUBE, size=0.6, location=(0.2, -0.3, 0.8), rotation=(0.3, 0.2, 0.5)
    )
    add_mesh(bpy.ops.mesh.primitive_cube_add, BEHIND, size=1.0, location=(-0.9, 0.9, 0.5))
    add_mesh(bpy.ops.mesh.primitive_plane_add, PLANE, size=6.0)
    sun = link(bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN")))
    sun.data.energy = 3.0
    sun.rotation_euler = (math.radians(40), 0, math.radians(30))
    scene.camera = link(bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera")))
    scene.camera.location = (2.6, -4.0, 2.2)
    scene.camera.rotation_euler = (math.radians(71), 0, math.radians(33))
    bpy.context.view_layer.update()
    return spot


def neural_spot(arguments):
    """Give a mesh that holds the weights."""
    mesh = bpy.data.meshes.new("Spot")
    proxy = np.load(arguments["proxy"])
    weights = Path(arguments["weights"]).read_bytes()
    shape = neural_object.NeuralShape(
        job="spot",
        source_name="Spot",
        state="finished",
        weights=weights,
        report={},
        vertices_unit=proxy["vertices_unit"],
        triangles=proxy["triangles"],
    )
    neural_object.store_shape(mesh, shape)
    return mesh


def replace_by_dense(spot, arguments):
    """Put the dense mesh of the zero set in the place of the neural shape."""
    dense = np.load(arguments["dense"])
    mesh = bpy.data.meshes.new("Dense")
    mesh.from_pydata(dense["vertices"], [], dense["triangles"])
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
    mesh.materials.append(spot.data.materials[0])
    spot.data = mesh


def add_mesh(operator, pass_index, **placed):
    operator(**placed)
    return link(bpy.context.object, pass_index)


def link(obj, pass_index=0):
    if not obj.users_collection:
        bpy.context.scene.collection.objects.link(obj)
    obj.pass_index = pass_index
    if pass_index in COLORS:
        material = bpy.data.materials.new(obj.name)
        material.use_nodes = True
        principled = material.node_tree.nodes["Principled BSDF"]
        principled.inputs["Base Color"].default_value = (*COLORS[pass_index], 1.0)
        principled.inputs["Roughness"].default_value = 0.8
        obj.data.materials.append(material)
    return obj
