"""Add > Neural Implicit: Blender's own primitives, converted at once in the panel's settings, and weights files."""

from __future__ import annotations

from collections.abc import Callable

import bpy

SHAPES = (
    ("MONKEY", "Monkey", "Suzanne, three solids in one", "MESH_MONKEY"),
    ("UVSPHERE", "Sphere", "A smooth shape, the easiest there is", "MESH_UVSPHERE"),
    ("TORUS", "Torus", "A smooth shape with a hole", "MESH_TORUS"),
    ("CUBE", "Cube", "Sharp edges, which a small network rounds a little", "MESH_CUBE"),
    ("CYLINDER", "Cylinder", "Round and sharp", "MESH_CYLINDER"),
    ("CONE", "Cone", "A sharp tip", "MESH_CONE"),
    ("TEXT", "Text", "A text with a depth; edit it, and convert again", "OUTLINER_OB_FONT"),
)
SMOOTH = ("MONKEY", "UVSPHERE", "TORUS")


class OBJECT_OT_neural_implicit_add(bpy.types.Operator):
    """Add a shape and convert it to a neural implicit; the shape stays, hidden, as its source"""

    bl_idname = "object.neural_implicit_add"
    bl_label = "Add Neural Implicit"
    bl_options = {"REGISTER", "UNDO"}

    shape: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Shape", items=[(*shape, number) for number, shape in enumerate(SHAPES)], default="MONKEY"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it in Object Mode."""
        return context.mode == "OBJECT"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the source, then convert it as Convert does."""
        _sources()[self.shape]()
        if self.shape == "MONKEY":
            subdivision = context.active_object.modifiers.new("Subdivision", "SUBSURF")
            subdivision.levels = subdivision.render_levels = 2
        if self.shape in SMOOTH:
            bpy.ops.object.shade_smooth()
        try:
            return bpy.ops.object.convert_to_neural_implicit()
        except RuntimeError as error:  # what Convert reports as an error; the shape stays
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"FINISHED"}


def _sources() -> dict[str, Callable[[], object]]:
    mesh = bpy.ops.mesh
    return {
        "MONKEY": mesh.primitive_monkey_add,
        "UVSPHERE": lambda: mesh.primitive_uv_sphere_add(segments=64, ring_count=32),
        "TORUS": lambda: mesh.primitive_torus_add(major_segments=96, minor_segments=32),
        "CUBE": mesh.primitive_cube_add,
        "CYLINDER": lambda: mesh.primitive_cylinder_add(vertices=128),
        "CONE": lambda: mesh.primitive_cone_add(vertices=128),
        "TEXT": _add_text,
    }


def _add_text() -> None:
    bpy.ops.object.text_add()
    bpy.context.active_object.data.extrude = 0.1


class NEURAL_IMPLICIT_MT_add(bpy.types.Menu):
    """Shapes to convert, and weights files."""

    bl_idname = "NEURAL_IMPLICIT_MT_add"
    bl_label = "Neural Implicit"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the entries."""
        layout = self.layout
        layout.operator_context = "INVOKE_REGION_WIN"
        for shape, name, _, icon in SHAPES:
            layout.operator(OBJECT_OT_neural_implicit_add.bl_idname, text=name, icon=icon).shape = shape
        layout.separator()
        layout.operator("import_scene.neural_implicit", text="From Weights File...", icon="IMPORT")


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (OBJECT_OT_neural_implicit_add, NEURAL_IMPLICIT_MT_add)
)


def _draw_in_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.menu(NEURAL_IMPLICIT_MT_add.bl_idname, icon="MESH_ICOSPHERE")


def register() -> None:
    """Add the menu to Add."""
    _register_classes()
    bpy.types.VIEW3D_MT_add.append(_draw_in_menu)


def unregister() -> None:
    """Take it away."""
    bpy.types.VIEW3D_MT_add.remove(_draw_in_menu)
    _unregister_classes()
