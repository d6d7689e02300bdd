"""Converts and renders where the folder for the files is full or not writable; gives what the user reads."""

from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import engine_status, final_render, job_folder, neural_object
from bl_ext.user_default.neural_implicit.addon.conversion_queue import queue
from bl_ext.user_default.neural_implicit.addon.engine_session import EngineSession


def message_of(operator, **arguments):
    try:
        operator(**arguments)
    except RuntimeError as error:
        return str(error)
    return ""


def convert(folder, faces):
    """Convert a grid of `faces` squares a side with a tiny network; its files go to `folder`."""
    job_folder.conversions_folder = lambda: folder
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=faces, y_subdivisions=faces)
    grid = bpy.context.object
    grid.modifiers.new("Thick", "SOLIDIFY").thickness = 0.3
    small = {"preset": "DRAFT", "width": 8, "depth": 2, "samples": 20000, "activation": "RELU"}
    error = message_of(bpy.ops.object.convert_to_neural_implicit, **small)
    return {
        "error": error,
        "source_hidden": grid.hide_render,
        "states": [
            neural_object.state_of(obj.data) for obj in bpy.data.objects if neural_object.is_neural(obj)
        ],
        "left": sorted(path.name for path in folder.iterdir()) if folder.exists() else [],
        "busy": queue.busy,
    }


def render(folder):
    """Render a large mesh; the scene's arrays go to `folder`."""
    final_render.new_engine_session = lambda: EngineSession(engine_status.find_engine, folder)
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=200, y_subdivisions=200)
    scene = bpy.context.scene
    scene.render.engine, scene.render.resolution_percentage = "NEURAL_IMPLICIT", 5
    error = message_of(bpy.ops.render.render)
    left = [path.name for path in folder.rglob("*.part")]
    final_render.end()
    return {"error": error, "left": left}


def main(inside):
    place = inside.arguments
    return {
        "full source": convert(Path(place["full"]), 200),
        "full result": convert(Path(place["tight"]), 2),
        "locked": convert(Path(place["locked"]), 2),
        "full render": render(Path(place["full"])),
        "locked render": render(Path(place["locked"])),
    }
