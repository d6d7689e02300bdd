"""Saves a scene in which everything moves, and renders its frames one by one: what `blender -b FILE -a` has to give."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))

import animation
import spot_scene

FRAMES = 5


def main(inside):
    scene = bpy.context.scene
    spot = spot_scene.build(inside.arguments)
    animation.setup(inside)
    animation.animate(spot)
    move_the_rest(scene)
    scene.neural_implicit_render.samples = 3
    blend = inside.folder / "moving.blend"
    scene.render.filepath = str(inside.folder / "animation_")
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    if inside.arguments["module"]:
        bpy.ops.render.render(animation=True)
    # the other way round, so that nothing is left over from the frame before
    for frame in range(FRAMES, 0, -1) if not inside.arguments.get("only_animation") else ():
        scene.frame_set(frame)
        scene.render.filepath = str(inside.folder / f"still_{frame:04d}.exr")
        bpy.ops.render.render(write_still=True)
    return {"blend": str(blend)}


def move_the_rest(scene):
    """Turn spot and the lamp, hide a cube, make another rough, and let the camera come nearer and shift."""
    cube = next(obj for obj in scene.objects if obj.pass_index == spot_scene.CUBE)
    behind = next(obj for obj in scene.objects if obj.pass_index == spot_scene.BEHIND)
    spot, sun, camera = bpy.data.objects["Spot"], bpy.data.objects["Sun"], scene.camera
    principled = cube.material_slots[0].material.node_tree.nodes["Principled BSDF"]
    turn, shine = spot.rotation_euler.copy(), sun.rotation_euler.copy()
    steps = range(FRAMES)
    animation.keyframe(spot, "rotation_euler", [(turn[0], turn[1], turn[2] + 0.1 * k) for k in steps])
    animation.keyframe(spot, "scale", [(1.0, 1.0 + 0.05 * k, 1.0) for k in steps])
    animation.keyframe(sun, "rotation_euler", [(shine[0] + 0.1 * k, shine[1], shine[2]) for k in steps])
    animation.keyframe(behind, "hide_render", [k % 2 == 1 for k in steps])
    roughness = principled.inputs["Roughness"]
    animation.keyframe(roughness, "default_value", [0.2 + 0.15 * k for k in steps])
    place = camera.location.copy()
    animation.keyframe(camera, "location", [place * (1.0 - 0.02 * k) for k in steps])
    animation.keyframe(camera.data, "shift_x", [0.01 * k for k in steps])
