"""Renders frames of a scene in which everything moves, and scenes whose neural shapes are instances."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene

INSTANCE = 7  # pass index


def setup(inside):
    scene, render = bpy.context.scene, bpy.context.scene.render
    bpy.context.view_layer.use_pass_z = bpy.context.view_layer.use_pass_normal = True
    bpy.context.view_layer.use_pass_object_index = True
    scene.neural_implicit_render.samples = 1
    render.resolution_x, render.resolution_y = inside.arguments["size"]
    render.resolution_percentage = 100
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    render.image_settings.color_depth = "32"


def keyframe(owner, path, values):
    for frame, value in enumerate(values, start=1):
        setattr(owner, path, value)
        owner.keyframe_insert(path, frame=frame)


def animate(spot):
    """Frame 1: as it is; 2: spot is elsewhere and green; 3: the lamp is out; 4: spot is hidden; 5: the lens is long."""
    scene = bpy.context.scene
    place = spot.location.copy()
    keyframe(spot, "location", [place, place + spot.location.__class__((0.5, 0.0, 0.3)), place, place, place])
    keyframe(spot, "hide_render", [False, False, False, True, False])
    color = spot.material_slots[0].material.node_tree.nodes["Principled BSDF"].inputs["Base Color"]
    red, green = (0.8, 0.05, 0.05, 1.0), (0.05, 0.8, 0.05, 1.0)
    keyframe(color, "default_value", [red, green, red, red, red])
    keyframe(bpy.data.objects["Sun"].data, "energy", [3.0, 3.0, 0.0, 3.0, 3.0])
    keyframe(scene.camera.data, "lens", [50.0, 50.0, 50.0, 50.0, 80.0])
    scene.frame_start, scene.frame_end = 1, 5


def render_animation(inside):
    scene = bpy.context.scene
    scene.render.filepath = str(inside.folder / "frame_")
    bpy.ops.render.render(animation=True)


def layers(inside, spot):
    """Render a second view layer, without spot's collection."""
    scene = bpy.context.scene
    collection = bpy.data.collections.new("Spots")
    scene.collection.children.link(collection)
    collection.objects.link(spot)
    scene.collection.objects.unlink(spot)
    other = scene.view_layers.new("Without")
    other.layer_collection.children["Spots"].exclude = True
    other.use_pass_object_index = other.use_pass_z = other.use_pass_normal = True
    scene.frame_set(1)
    scene.render.filepath = str(inside.folder / "layers.exr")
    bpy.ops.render.render(write_still=True)
    scene.view_layers.remove(other)


def instances(inside, spot):
    """Show spot three more times: by a collection, by geometry nodes, by particles; one picture each, original hidden."""
    scene = bpy.context.scene
    scene.frame_set(1)
    spot.animation_data_clear()
    spot.pass_index = INSTANCE
    spot.hide_render = False
    collection = spot.users_collection[0]
    scene.collection.children.unlink(collection)
    makers = {"collection": by_collection, "nodes": by_nodes, "particles": by_particles}
    for name, make in makers.items():
        made = make(spot, collection)
        bpy.context.view_layer.update()
        scene.render.filepath = str(inside.folder / f"{name}.exr")
        bpy.ops.render.render(write_still=True)
        bpy.data.objects.remove(made)


def by_collection(spot, collection):
    empty = bpy.data.objects.new("Instance", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    bpy.context.scene.collection.objects.link(empty)
    return empty


def points(name):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(-0.6, 0.0, 0.0), (0.6, 0.0, 0.0), (0.0, 0.6, 0.0)], [], [(0, 1, 2)])
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def by_nodes(spot, collection):
    obj = points("Points")
    tree = bpy.data.node_groups.new("Instances", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    info, instance = tree.nodes.new("GeometryNodeObjectInfo"), tree.nodes.new("GeometryNodeInstanceOnPoints")
    info.inputs["Object"].default_value = spot
    info.inputs["As Instance"].default_value = True
    instance.inputs["Scale"].default_value = (0.5, 0.5, 0.5)
    tree.links.new(start.outputs[0], instance.inputs["Points"])
    tree.links.new(info.outputs["Geometry"], instance.inputs["Instance"])
    tree.links.new(instance.outputs[0], end.inputs[0])
    obj.modifiers.new("Instances", "NODES").node_group = tree
    return obj


def by_particles(spot, collection):
    obj = points("Emitter")
    obj.modifiers.new("Particles", "PARTICLE_SYSTEM")
    settings = obj.particle_systems[0].settings
    settings.type, settings.count, settings.render_type = "HAIR", 3, "OBJECT"
    settings.instance_object, settings.particle_size = spot, 0.1
    settings.use_advanced_hair = True
    return obj


def main(inside):
    spot = spot_scene.build(inside.arguments)
    setup(inside)
    animate(spot)
    render_animation(inside)
    layers(inside, spot)
    instances(inside, spot)
    return {}
