"""Changes a source and converts it again by the real engine: from the old weights, anew where the settings say otherwise."""

import bpy
from bl_ext.user_default.neural_implicit.addon import neural_object

SMALL = {"preset": "DRAFT", "width": 16, "depth": 3, "samples": 100_000}


def convert(**settings):
    """Convert what is selected; give the steps that the report tells, the kind of network and the error."""
    bpy.ops.object.convert_to_neural_implicit(**SMALL | settings)
    (obj,) = (obj for obj in bpy.data.objects if neural_object.is_neural(obj))
    report = neural_object.report_of(obj.data)
    return {
        "steps": report["num_steps"],
        "width": report["architecture"]["width"],
        "error": report["errors"]["surface_mean"],
        "lost": report["errors"]["surface_lost"],
        "state": neural_object.state_of(obj.data),
        "missed": [one["name"] for one in report["missed"]],
    }


def stretch(cube, by):
    cube.data.vertices[0].co.x -= by
    cube.data.update()
    bpy.context.view_layer.update()


def main(inside):
    cube = bpy.data.objects["Cube"]
    cube.modifiers.new(
        "rounded", "SUBSURF"
    ).levels = 3  # a small network rounds sharp corners, and aims are missed by chance
    found = {"first": convert()}
    (obj,) = (obj for obj in bpy.data.objects if neural_object.is_neural(obj))
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    found["unchanged"] = convert(replace=True)
    stretch(cube, 0.2)
    found["changed"] = convert(replace=True)
    stretch(cube, 0.1)
    found["cold"] = convert(replace=True, warm_start=False)
    stretch(cube, 0.1)
    found["another network"] = convert(replace=True, width=12)
    return found
