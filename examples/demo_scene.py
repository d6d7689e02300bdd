"""A neural shape beside native geometry: builds the demo's scene in headless Blender, renders it and saves it.

`python build.py demo` runs this with bpy from PyPI, after it has converted `spot.obj`. The neural spot stands on a
native plane, its hind legs sunk into one native cube, a foreleg hidden by another, under a sun and a point light.
"""

import argparse
import importlib
import json
import math
import sys
import uuid
import warnings
from pathlib import Path

import bpy
import numpy as np

EXTENSION = "bl_ext.user_default.neural_implicit"
SPOT_FLOOR = 0.736784  # lowest point of spot.obj, whose y is up


def main():
    arguments = parse_arguments()
    warnings.simplefilter("ignore", DeprecationWarning)  # `use_nodes`: needed until 4.x, always on from 6.0
    bpy.ops.wm.read_factory_settings(use_empty=True)
    install(arguments.extension)
    scene = bpy.context.scene
    spot = add_neural_object("Spot", arguments.weights, arguments.report, arguments.proxy)
    spot.rotation_euler = (math.radians(90), 0, math.radians(105))
    spot.location = (0, 0, SPOT_FLOOR)
    spot.data.materials.append(material("Spot", (0.66, 0.21, 0.09), 0.4))
    build_surroundings(scene)
    render(scene, arguments)
    bpy.context.preferences.filepaths.save_version = 0  # no spot.blend1
    bpy.ops.wm.save_as_mainfile(filepath=str(arguments.output / "spot.blend"), check_existing=False)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extension", type=Path, required=True, help="the built zip")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--proxy", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder")
    parser.add_argument("--samples", type=int, default=16)
    return parser.parse_args()


def install(extension):
    """Install the zip and enable it, as Preferences > Get Extensions > Install from Disk does."""
    bpy.ops.extensions.package_install_files(
        filepath=str(extension), repo="user_default", enable_on_install=True
    )


def add_neural_object(name, weights, report, proxy):
    """Add an object whose mesh holds the weights; its own faces are the coarse proxy."""
    neural_object = importlib.import_module(f"{EXTENSION}.addon.neural_object")
    data = weights.read_bytes()
    arrays = np.load(proxy)
    shape = neural_object.NeuralShape(
        job=str(uuid.uuid5(uuid.NAMESPACE_OID, data.hex())),
        source_name=name,
        state="finished",
        weights=data,
        report=json.loads(report.read_text()),
        vertices_unit=arrays["vertices_unit"],
        triangles=arrays["triangles"],
    )
    mesh = bpy.data.meshes.new(name)
    neural_object.store_shape(mesh, shape)
    return linked(name, mesh)


def build_surroundings(scene):
    """Add the ground, two cubes, two lights, a world and the camera; all native."""
    bpy.ops.mesh.primitive_plane_add(size=80)
    bpy.context.object.data.materials.append(material("Ground", (0.42, 0.44, 0.47), 0.9))
    add_cube("Block", (0.78, 0.2, 0.21), (0.62, 0.98, 0.42), 20, (0.05, 0.22, 0.30))
    add_cube("Cube", (-0.24, -0.74, 0.18), (0.36, 0.36, 0.36), 35, (0.76, 0.52, 0.08))
    sun = linked("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.data.angle, sun.data.color = 2.6, math.radians(3), (1.0, 0.95, 0.88)
    sun.rotation_euler = (math.radians(42), math.radians(-18), math.radians(-38))
    point = linked("Point", bpy.data.lights.new("Point", "POINT"))
    point.data.energy, point.data.shadow_soft_size, point.data.color = 70, 0.25, (0.72, 0.84, 1.0)
    point.location = (2.2, -1.9, 2.2)
    scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    background = scene.world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (0.32, 0.42, 0.56, 1)
    background.inputs["Strength"].default_value = 0.55
    camera = linked("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens = 59
    camera.location = (-2.7, -5.4, 2.7)
    look_at(camera, (0.08, -0.12, 0.70))
    scene.camera = camera


def add_cube(name, location, size, turn_deg, color):
    bpy.ops.mesh.primitive_cube_add(size=1, location=location, rotation=(0, 0, math.radians(turn_deg)))
    cube = bpy.context.object
    cube.name, cube.scale = name, size
    cube.data.materials.append(material(name, color, 0.4))


def material(name, color, roughness):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    made.diffuse_color = (*color, 1)
    principled = made.node_tree.nodes["Principled BSDF"]
    principled.inputs["Base Color"].default_value = (*color, 1)
    principled.inputs["Roughness"].default_value = roughness
    return made


def linked(name, data):
    obj = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def look_at(obj, target):
    from mathutils import Vector

    obj.rotation_euler = (Vector(target) - obj.location).to_track_quat("-Z", "Y").to_euler()


def render(scene, arguments):
    scene.render.engine = "NEURAL_IMPLICIT"
    scene.neural_implicit_render.samples = arguments.samples
    scene.render.resolution_x, scene.render.resolution_y = 960, 540
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(arguments.output / "spot.png")
    target = arguments.output / "spot.png"
    target.unlink(missing_ok=True)  # an older picture must not pass for this one
    bpy.ops.render.render(write_still=True)
    if not target.exists():
        sys.exit("nothing was rendered; the reason is above")


if __name__ == "__main__":
    main()
