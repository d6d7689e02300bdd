"""Renders a sphere on a plane with Cycles, direct light only, and exports the same scene for the engine; once per light."""

import json
import shutil
from types import SimpleNamespace

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon.final_request import final_request
from bl_ext.user_default.neural_implicit.addon.scene_export import SceneExporter
from bl_ext.user_default.neural_implicit.addon.session_folder import SessionFolder
from bl_ext.user_default.neural_implicit.engine.protocol.codec import to_plain
from mathutils import Vector

LIGHTS = {
    "sun": ("SUN", {"energy": 3.0, "angle": 0.1}),
    "point": ("POINT", {"energy": 300.0, "shadow_soft_size": 0.3}),
    "spot": (
        "SPOT",
        {"energy": 600.0, "shadow_soft_size": 0.1, "spot_size": 0.7, "spot_blend": 0.3},
    ),
    "area_square": ("AREA", {"energy": 200.0, "shape": "SQUARE", "size": 1.0}),
    "area_disk": ("AREA", {"energy": 200.0, "shape": "DISK", "size": 1.0}),
    "area_ellipse_scaled": ("AREA", {"energy": 200.0, "shape": "ELLIPSE", "size": 1.5, "size_y": 0.5}),
    "spot_scaled": (
        "SPOT",
        {"energy": 600.0, "shadow_soft_size": 0.1, "spot_size": 0.7, "spot_blend": 0.3},
    ),
    "area_spread": ("AREA", {"energy": 200.0, "shape": "SQUARE", "size": 1.0, "spread": 1.0}),
    "area_narrow": ("AREA", {"energy": 20.0, "shape": "DISK", "size": 3.0, "spread": 0.2}),
    "sun_unnormalized": ("SUN", {"energy": 300.0, "angle": 0.1, "normalize": False}),
    "point_unnormalized": ("POINT", {"energy": 900.0, "shadow_soft_size": 0.3, "normalize": False}),
    "spot_unnormalized": (
        "SPOT",
        {"energy": 9000.0, "shadow_soft_size": 0.1, "spot_size": 0.7, "spot_blend": 0.3, "normalize": False},
    ),
    "area_unnormalized": (
        "AREA",
        {"energy": 200.0, "shape": "ELLIPSE", "size": 1.5, "size_y": 0.5, "normalize": False},
    ),
    "alpha": ("POINT", {"energy": 300.0, "shadow_soft_size": 0.3}),
    "alpha_sun": ("SUN", {"energy": 3.0, "angle": 0.1}),
}
CAMERAS = {  # of the camera's data, of its panorama, of its lens; all in the light of a sun
    "lens": ({}, {}, {"use_dof": True, "aperture_fstop": 0.05, "focus_distance": 5.0}),
    "lens_orthographic": (
        {"type": "ORTHO", "ortho_scale": 6.0, "shift_x": 0.1},
        {},
        {"use_dof": True, "aperture_fstop": 2.0, "focus_distance": 5.0},
    ),
    "panorama": (
        {"type": "PANO"},
        {"longitude_min": -0.5, "longitude_max": 0.4, "latitude_min": -0.6, "latitude_max": 0.3},
        {},
    ),
    "fisheye": ({"type": "PANO"}, {"panorama_type": "FISHEYE_EQUIDISTANT", "fisheye_fov": 1.2}, {}),
    "equisolid": (
        {"type": "PANO"},
        {"panorama_type": "FISHEYE_EQUISOLID", "fisheye_lens": 35.0, "fisheye_fov": 2.0},
        {},
    ),
}
OTHERS = ("world", "environment", "ambient", *CAMERAS)
ALPHAS = {"alpha": 0.4, "alpha_sun": 0.75}  # of the sphere's material
PLACE = (2.0, -2.5, 4.0)
SCALES = {
    "area_ellipse_scaled": (2.0, 0.5, 1.0),
    "spot_scaled": (1.0, 0.5, 1.0),
    "area_unnormalized": (2.0, 0.5, 1.0),
    "point_unnormalized": (2.0, 2.0, 2.0),
}


def empty_scene():
    for collection in (bpy.data.objects, bpy.data.meshes, bpy.data.lights, bpy.data.materials):
        for item in list(collection):
            collection.remove(item)


def aimed(place, target):
    """Give the rotation that turns -z from `place` to `target`."""
    return (Vector(target) - Vector(place)).to_track_quat("-Z", "Y").to_euler()


def diffuse(color, alpha=1.0):
    material = bpy.data.materials.new("diffuse")
    material.use_nodes = True
    node = material.node_tree.nodes["Principled BSDF"]
    node.inputs["Base Color"].default_value = (*color, 1.0)
    node.inputs["Roughness"].default_value = 1.0
    node.inputs["Specular IOR Level"].default_value = 0.0
    node.inputs["Alpha"].default_value = alpha
    return material


def add_geometry(alpha):
    bpy.ops.mesh.primitive_plane_add(size=8.0)
    bpy.context.object.data.materials.append(diffuse((0.8, 0.7, 0.6)))
    bpy.ops.mesh.primitive_uv_sphere_add(segments=128, ring_count=64, radius=1.0, location=(0, 0, 1))
    bpy.ops.object.shade_smooth()
    bpy.context.object.data.materials.append(diffuse((0.3, 0.5, 0.8), alpha))


def add_camera(scene, name):
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = (0.0, -7.0, 3.0)
    camera.rotation_euler = aimed(camera.location, (0, 0, 0.7))
    scene.collection.objects.link(camera)
    scene.camera = camera
    data, panorama, lens = CAMERAS.get(name, ({}, {}, {}))
    own = camera.data if hasattr(camera.data, "panorama_type") else camera.data.cycles
    if data.get("type") == "PANO":
        panorama = {"panorama_type": "EQUIRECTANGULAR", **panorama}
    for target, values in ((camera.data, data), (own, panorama), (camera.data.dof, lens)):
        for key, value in values.items():
            setattr(target, key, value)


def add_light(scene, name):
    kind, values = LIGHTS[name if name in LIGHTS else "sun"]
    data = bpy.data.lights.new("light", kind)
    for key, value in values.items():
        setattr(data, key, value)
    data.color = (1.0, 0.9, 0.7)
    light = bpy.data.objects.new("light", data)
    light.location = PLACE
    light.rotation_euler = aimed(PLACE, (0, 0, 0.7))
    light.scale = SCALES.get(name, (1.0, 1.0, 1.0))
    scene.collection.objects.link(light)


def set_world(scene, color):
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    background = next(node for node in scene.world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (*color, 1.0)
    background.inputs["Strength"].default_value = 1.0


def occlude(scene, wanted):
    """Add ambient occlusion, Cycles' and ours, with the world's numbers, or take it away."""
    scene.cycles.use_fast_gi, scene.cycles.fast_gi_method = wanted, "ADD"
    scene.neural_implicit_render.ambient_occlusion = wanted
    scene.world.light_settings.ao_factor, scene.world.light_settings.distance = 0.7, 0.6


def surround(scene):
    """Give the world a turned picture with a dark sky, a bright ground and a small lamp of a hundred times its light."""
    width, height = 64, 32
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., 0] = np.linspace(0.1, 1.0, width)
    pixels[..., 1] = np.linspace(0.6, 0.2, height)[:, None]
    pixels[22:24, 40:43, :3] = 60.0
    image = bpy.data.images.new("surroundings", width, height, float_buffer=True)
    image.pixels.foreach_set(pixels.ravel())
    nodes, links = scene.world.node_tree.nodes, scene.world.node_tree.links
    background = next(node for node in nodes if node.type == "BACKGROUND")
    background.inputs["Strength"].default_value = 0.7
    texture, mapping, place = (
        nodes.new(f"ShaderNode{kind}") for kind in ("TexEnvironment", "Mapping", "TexCoord")
    )
    texture.image = image
    mapping.inputs["Rotation"].default_value = (0.2, -0.1, 1.1)
    links.new(place.outputs["Generated"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], texture.inputs["Vector"])
    links.new(texture.outputs["Color"], background.inputs["Color"])


def set_render(scene, inside):
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = inside.arguments["size"]
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = inside.arguments["samples"]
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    cycles.sample_clamp_direct = cycles.sample_clamp_indirect = 0.0
    cycles.max_bounces = cycles.diffuse_bounces = cycles.glossy_bounces = 0
    cycles.transmission_bounces = cycles.volume_bounces = 0


def render(scene, path):
    """Render to `path`.exr and give the linear pixels (h, w, 4), bottom row first."""
    scene.render.filepath = str(path.with_suffix(".exr"))
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, 4)


def export(scene, folder):
    """Write the scene and the camera that the engine would be sent."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    session = SessionFolder()
    exported = SceneExporter(session).export(depsgraph)
    engine = SimpleNamespace(
        camera_override=None, resolution_x=scene.render.resolution_x, resolution_y=scene.render.resolution_y
    )
    camera = final_request(engine, depsgraph, 1).camera
    shutil.copytree(session.blobs, folder / "blobs", dirs_exist_ok=True)
    return {"scene": to_plain(exported), "camera": to_plain(camera)}


def main(inside):
    scene = bpy.context.scene
    for name in (*LIGHTS, *OTHERS):
        empty_scene()
        add_geometry(ALPHAS.get(name, 1.0))
        add_camera(scene, name)
        set_world(scene, (0.6, 0.8, 1.0) if name == "world" else (0.0, 0.0, 0.0))
        if name == "environment":
            surround(scene)
        if name in LIGHTS or name in CAMERAS:
            add_light(scene, name)
        set_render(scene, inside)
        if name == "ambient":
            occlude(scene, True)
        np.save(inside.folder / f"{name}.npy", render(scene, inside.folder / name))
        (inside.folder / f"{name}.json").write_text(json.dumps(export(scene, inside.folder)))
        occlude(scene, False)
    return {"lights": [*LIGHTS, *OTHERS]}
