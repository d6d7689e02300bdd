"""Install Engine, Remove Engine and Cancel: they ask, start the installing process, and tell how it ended."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import bpy

from .conversion_queue import queue
from .engine_status import engine_place, status
from .installing.installer import Installer
from .installing.locked import LISTS, wanted
from .installing.place import Place
from .installing.removal import delete_set_aside, set_aside
from .installing.reports import InstallError
from .installing.steps import DISK_MB
from .redraw import announce, redraw_panels
from .standby import standby
from .text_lines import draw_text

TICK_S = 0.2
DIALOG_WIDTH = 520
TEXT_WIDTH = 640  # of the text in it, whose letters are narrower than a panel's are taken to be
DOWNLOAD_MB = {False: 305, True: 500}  # by whether torch is wanted; Linux x86-64, torch's CPU build
OFFLINE = (
    "Blender may not go online. Allow it in Preferences > System > Network > Allow Online Access (and start Blender without "
    "--offline-mode), or choose a folder of wheels."
)
NOT_AN_EXTENSION = (
    "The engine can be installed only where Neural Implicit is installed as an extension, from its zip."
)

installer = Installer()  # the one of this Blender session


class NEURAL_IMPLICIT_OT_install_engine(bpy.types.Operator):
    """Download and install what the engine needs, in a folder of its own; run again it goes on or updates"""

    bl_idname = "neural_implicit.install_engine"
    bl_label = "Install Engine"

    wheels: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Folder of Wheels",
        description="Install from the wheels in this folder and download nothing; empty: from pip's package index",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Python",
        description="The Python to make the environment from, 3.11 to 3.14; empty: Blender's own, or one that is found",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    torch: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="With torch",
        description="Also install torch, which only fitting on a GPU from the command line needs",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Say what it will do, and ask."""
        self.torch = self._with_torch()
        return context.window_manager.invoke_props_dialog(self, width=DIALOG_WIDTH)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the dialog."""
        layout, place = self.layout, status.place
        if place is None:
            draw_text(layout, NOT_AN_EXTENSION, context, icon="ERROR", width=TEXT_WIDTH)
            return
        for text in self._explanation(place):
            draw_text(layout, text, context, width=TEXT_WIDTH)
        if not self.wheels and not bpy.app.online_access:
            draw_text(layout, OFFLINE, context, icon="ERROR", width=TEXT_WIDTH)
        column = layout.column()
        column.use_property_split = True
        for name in ("wheels", "python", "torch"):
            column.prop(self, name)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the process; in background mode wait for its end, and report it."""
        place = engine_place()
        problem = self._problem(place)
        if problem or place is None:
            self.report({"ERROR"}, problem)
            return {"CANCELLED"}
        standby.stop()
        try:
            installer.start(sys.executable, place.folder, self._arguments())
        except OSError as error:
            self.report({"ERROR"}, f"Blender's Python {sys.executable} cannot be started: {error.strerror}.")
            return {"CANCELLED"}
        if bpy.app.background:
            return self._wait()
        bpy.app.timers.register(_tick, first_interval=TICK_S, persistent=True)
        redraw_panels()
        return {"FINISHED"}

    def _problem(self, place: Place | None) -> str:
        if place is None:
            return NOT_AN_EXTENSION
        if installer.running:
            return "The engine is being installed."
        if queue.busy:
            return "A conversion is under way. Wait for its end, or cancel it, then install the engine."
        return OFFLINE if not self.wheels and not bpy.app.online_access else ""

    def _arguments(self) -> list[str]:
        arguments = ["--torch"] if self._with_torch() else []
        for name in ("wheels", "python"):
            given = getattr(self, name)
            if given:
                arguments += [f"--{name}", str(Path(bpy.path.abspath(given)).expanduser().absolute())]
        return arguments

    def _with_torch(self) -> bool:
        """Whether torch is wanted: as said, else as it was."""
        if self.properties.is_property_set("torch"):
            return self.torch
        stamp = status.installed.stamp
        return stamp is not None and stamp.torch

    def _explanation(self, place: Place) -> tuple[str, ...]:
        number, disk = len(wanted(LISTS, self.torch)), DISK_MB[self.torch] / 1000
        size = f"about {DOWNLOAD_MB[self.torch]} MB" + (
            ", or several GB with torch's CUDA build" if self.torch else ""
        )
        source = (
            "Nothing is downloaded: all of it comes from the folder of wheels."
            if self.wheels
            else f"Downloads {number} packages, {size}, from pip's package index: the public one (PyPI), unless pip is "
            "configured otherwise on this computer."
        )
        return (
            source,
            f"Needs about {disk:.1f} GB of disk while it installs, and keeps about 1 GB of it, in {place.folder}. "
            "Nothing else on this computer is changed.",
        )

    def _wait(self) -> set[str]:
        said = ""
        while installer.running:
            installer.poll(1.0)
            if installer.text != said:
                said = installer.text
                sys.stdout.write(f"{100 * installer.fraction:3.0f} %  {said}\n")
                sys.stdout.flush()
        status.refresh()
        for warning in installer.warnings:
            self.report({"WARNING"}, warning)
        self.report({"ERROR"} if installer.problem else {"INFO"}, installer.problem or installer.result)
        return {"CANCELLED"} if installer.problem else {"FINISHED"}


class NEURAL_IMPLICIT_OT_cancel_install(bpy.types.Operator):
    """End the installation; what is downloaded completely stays for the next time"""

    bl_idname = "neural_implicit.cancel_install"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the process to end."""
        installer.cancel()
        redraw_panels()
        return {"FINISHED"}


class NEURAL_IMPLICIT_OT_remove_engine(bpy.types.Operator):
    """Delete the installed engine with all its packages; shapes and .blend files keep what they hold"""

    bl_idname = "neural_implicit.remove_engine"
    bl_label = "Remove Engine"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set it aside at once, and delete it beside Blender's own work."""
        place = engine_place()
        if place is None or installer.running or queue.busy:
            self.report(
                {"ERROR"}, "The engine is in use, or not installed here. Wait or cancel, then remove it."
            )
            return {"CANCELLED"}
        standby.stop()
        try:
            set_aside(place)
        except InstallError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        deleting = threading.Thread(
            target=delete_set_aside, args=(place.folder,), name="delete engine", daemon=True
        )
        deleting.start()
        if bpy.app.background:
            deleting.join()
        installer.forget()
        status.refresh()
        redraw_panels()
        self.report({"INFO"}, "The engine is removed.")
        return {"FINISHED"}


def _tick() -> float | None:
    if installer.poll():
        redraw_panels()
    if installer.running:
        return TICK_S
    status.refresh()
    announce(
        "ERROR" if installer.problem and not installer.cancelling else "INFO",
        installer.problem or installer.result,
    )
    if installer.result:
        bpy.ops.neural_implicit.check_engine()
    redraw_panels()
    return None


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (
        NEURAL_IMPLICIT_OT_install_engine,
        NEURAL_IMPLICIT_OT_cancel_install,
        NEURAL_IMPLICIT_OT_remove_engine,
    )
)


def register() -> None:
    """Add the operators."""
    _register_classes()


def unregister() -> None:
    """Take them away; an installation under way ends, and goes on when it is asked for again."""
    installer.stop()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _unregister_classes()
