"""What the render engine can be told, saved with the scene."""

from __future__ import annotations

import bpy

from .redraw import redraw_views


# Named functions: Blender evaluates annotations where a lambda's body finds no names of this module.
def _sampling_changed(_settings: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    redraw_views()


def _scene_changed(settings: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """Let 3D views export the scene again, which a property of ours alone does not."""
    settings.id_data.update_tag()
    redraw_views()


class NeuralImplicitRenderSettings(bpy.types.PropertyGroup):
    """Settings of the Neural Implicit render engine."""

    samples: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Render",
        description="Samples per pixel of a final render; more smooth edges and soft shadows",
        default=32,
        min=1,
        max=4096,
    )
    viewport_samples: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Viewport",
        description="Samples per pixel that a resting 3D view refines to",
        default=16,
        min=1,
        max=1024,
        update=_sampling_changed,
    )
    noise_threshold: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Noise Threshold",
        description="Pixels whose colour changes by less in a doubling of samples get no more; 0: all get all. A picture that the GPU draws as a whole has all",
        default=0.0,
        min=0.0,
        max=1.0,
        precision=4,
    )
    viewport_noise_threshold: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Noise Threshold",
        description="The same for a resting 3D view",
        default=0.0,
        min=0.0,
        max=1.0,
        precision=4,
        update=_sampling_changed,
    )
    denoise: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Denoise",
        description="Smooth the noise of a complete picture, over surfaces and never across their edges. "
        "Pictures with depth of field stay as they are",
    )
    viewport_denoise: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Denoise",
        description="The same for a resting 3D view; F12 then shows the same only where it denoises too",
        update=_sampling_changed,
    )
    native_holdout: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Native Objects as Holdout",
        description="Meshes hide and shadow what is behind them and leave a hole in the picture, to be filled by another render",
        update=_scene_changed,
    )
    ambient_occlusion: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Ambient Occlusion",
        description="Add light from all sides that near surfaces keep away, with the world's factor and distance",
        update=_scene_changed,
    )
    partner: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Neural Scene",
        description="The scene that renders this one's neural implicits, as Set Up Z Composite has made it",
        type=bpy.types.Scene,
    )


CLASSES = (NeuralImplicitRenderSettings,)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    """Add the settings to every scene."""
    _register_classes()
    bpy.types.Scene.neural_implicit_render = bpy.props.PointerProperty(type=NeuralImplicitRenderSettings)


def unregister() -> None:
    """Take them away again; what a file has saved stays in it."""
    del bpy.types.Scene.neural_implicit_render
    _unregister_classes()
