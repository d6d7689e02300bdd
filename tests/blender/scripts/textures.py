"""Renders textured geometry with Cycles and exports the same scenes for the engine; once per way to look up a picture."""

import json
import sys
from pathlib import Path

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon.approximations import forget_said, new_approximations
from bl_ext.user_default.neural_implicit.addon.scene_export import SceneExporter
from bl_ext.user_default.neural_implicit.addon.session_folder import SessionFolder

sys.path.insert(0, str(Path(__file__).parent))

import cycles_lights

SECOND = "Second"  # UV layer
CASES = {  # how the picture is kept, how it is looked up, what its Mapping node does, whose coordinates
    "packed": ("packed", {}, {"Location": (0.1, 0.3, 0), "Rotation": (0, 0, 0.4), "Scale": (3, 2, 1)}, "UV"),
    "file": ("file", {"interpolation": "Closest", "extension": "EXTEND"}, {"Scale": (1.5, 1.5, 1)}, SECOND),
    "float": ("float", {"extension": "MIRROR"}, {"vector_type": "TEXTURE", "Scale": (0.4, 0.3, 1)}, "UV"),
    "clip": ("packed", {"extension": "CLIP"}, {"Scale": (1.3, 1.6, 1)}, ""),
    "plain": ("packed", {}, None, ""),
}


def picture(kind, folder):
    """Give an image of smooth random colours: packed, a file on disk, or in floats above 1."""
    width, height = 24, 16
    random = np.random.default_rng(7)
    coarse = random.uniform(0.05, 0.95, (height // 4, width // 4, 4))
    pixels = coarse.repeat(4, axis=0).repeat(4, axis=1)
    for axis in (0, 1):
        pixels = (np.roll(pixels, 1, axis) + pixels + np.roll(pixels, -1, axis)) / 3.0
    pixels *= 1.5 if kind == "float" else 1.0
    pixels[..., 3] = 1.0
    image = bpy.data.images.new(kind, width, height, float_buffer=kind == "float")
    image.pixels.foreach_set(pixels.astype(np.float32).ravel())
    if kind == "packed":
        image.pack()
    if kind == "file":
        image.filepath_raw, image.file_format = str(folder / "picture.png"), "PNG"
        image.save()
        image = bpy.data.images.load(str(folder / "picture.png"), check_existing=False)
    return image


def cover(obj, image, settings, mapping, coordinates):
    """Give an object's material the picture as its base colour."""
    tree = obj.material_slots[0].material.node_tree
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    for key, value in settings.items():
        setattr(texture, key, value)
    socket = texture.inputs["Vector"]
    if mapping is not None:
        node = tree.nodes.new("ShaderNodeMapping")
        node.vector_type = mapping.get("vector_type", "POINT")
        for key in ("Location", "Rotation", "Scale"):
            if key in mapping:
                node.inputs[key].default_value = mapping[key]
        tree.links.new(node.outputs[0], socket)
        socket = node.inputs["Vector"]
    if coordinates == "UV" or (mapping is not None and not coordinates):
        tree.links.new(tree.nodes.new("ShaderNodeTexCoord").outputs["UV"], socket)
    elif coordinates:
        node = tree.nodes.new("ShaderNodeUVMap")
        node.uv_map = coordinates
        tree.links.new(node.outputs[0], socket)
    tree.links.new(texture.outputs["Color"], tree.nodes["Principled BSDF"].inputs["Base Color"])


def second_layer(mesh):
    """Add UV coordinates that are turned and larger; the mesh still renders with its own."""
    mesh.uv_layers.new(name=SECOND, do_init=True)
    own, layer = mesh.uv_layers[0], mesh.uv_layers[SECOND]
    for source, target in zip(own.uv, layer.uv):
        u, v = source.vector
        target.vector = (0.2 + 0.9 * v, 1.1 - 0.8 * u)
    own.active_render = True


def main(inside):
    scene = bpy.context.scene
    said = {}
    for name, (kind, settings, mapping, coordinates) in CASES.items():
        cycles_lights.empty_scene()
        cycles_lights.add_geometry(1.0)
        cycles_lights.add_camera(scene, name)
        cycles_lights.set_world(scene, (0.0, 0.0, 0.0))
        cycles_lights.add_light(scene, "sun")
        image = picture(kind, inside.folder)
        for obj in [o for o in scene.objects if o.type == "MESH"]:
            second_layer(obj.data)
            cover(obj, image, settings, mapping, coordinates)
        cycles_lights.set_render(scene, inside)
        np.save(inside.folder / f"{name}.npy", cycles_lights.render(scene, inside.folder / name))
        (inside.folder / f"{name}.json").write_text(json.dumps(cycles_lights.export(scene, inside.folder)))
        said[name] = new_approximations(bpy.context.evaluated_depsgraph_get())
    return {"said": said, "beyond": beyond(scene), "fresh": read_anew(inside)}


def read_anew(inside):
    """Give whether an export after an image's file was read again has another picture, and one in between has not."""
    image = picture("file", inside.folder)
    material = bpy.data.materials[0]
    texture = next(node for node in material.node_tree.nodes if node.type == "TEX_IMAGE")
    texture.image, texture.projection = image, "FLAT"
    exporter = SceneExporter(SessionFolder())
    seen = []
    for change in (lambda: None, lambda: None, lambda: written_and_reloaded(image)):
        change()
        graph = bpy.context.evaluated_depsgraph_get()
        exporter.forget_updated(graph)
        pictures = [m.base_texture.picture for m in exporter.export(graph).materials if m.base_texture]
        seen.append(pictures[0].sha256)
    return [seen[0] == seen[1], seen[1] == seen[2]]


def written_and_reloaded(image):
    other = bpy.data.images.new("other", 24, 16)
    other.filepath_raw, other.file_format = image.filepath, "PNG"
    other.save()
    image.reload()


def beyond(scene):
    """Give what is said of textures that we do not show, and that it is said once."""
    forget_said()
    texture = next(
        node
        for material in bpy.data.materials
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE"
    )
    texture.projection = "BOX"
    first = new_approximations(bpy.context.evaluated_depsgraph_get())
    return [first, new_approximations(bpy.context.evaluated_depsgraph_get())]
