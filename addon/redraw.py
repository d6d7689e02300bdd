"""What timers need of the windows: panels drawn again, sentences shown, a drag under way noticed."""

from __future__ import annotations

from typing import Literal

import bpy

from .text_lines import ends_with_full_stop


def redraw_panels() -> None:
    """Draw the side panels of all 3D views and the preferences again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions if area.type in ("VIEW_3D", "PREFERENCES") else ():
                if region.type == "UI" or area.type == "PREFERENCES":
                    region.tag_redraw()


def redraw_status_bar() -> None:
    """Draw it again in every window where no operator shows a text of its own."""
    for window in bpy.context.window_manager.windows:
        if not window.modal_operators:
            window.workspace.status_text_set_internal(None)


def redraw_views() -> None:
    """Draw all 3D views again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def user_is_dragging() -> bool:
    """Whether a transform is under way in any window."""
    for window in bpy.context.window_manager.windows:
        if any(operator.bl_idname.startswith("TRANSFORM_OT_") for operator in window.modal_operators):
            return True
    return False


def announce(level: Literal["INFO", "ERROR"], text: str) -> None:
    """Show a sentence as Blender's own reports are shown; in background mode the operator tells it."""
    windows = bpy.context.window_manager.windows
    if bpy.app.background or not windows:
        return
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.neural_implicit.announce("INVOKE_DEFAULT", level=level, text=ends_with_full_stop(text))


class NEURAL_IMPLICIT_OT_announce(bpy.types.Operator):
    """Report what a conversion in the background has come to."""

    bl_idname = "neural_implicit.announce"
    bl_label = "Neural Implicit"
    bl_options = {"INTERNAL"}

    level: bpy.props.StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]
    text: bpy.props.StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait for the window's next event: only then does a report reach the user."""
        self._timer = context.window_manager.event_timer_add(0.01, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Report, and let everything else pass."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        self.report({self.level}, self.text)
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((NEURAL_IMPLICIT_OT_announce,))
