"""What a test's script finds inside Blender: its arguments, a folder, and hands for the window.

def main(inside):                       # in the background
    return {"version": bpy.app.version_string}

def main(inside):                       # with a window
    inside.shade("RENDERED")
    yield inside.until(lambda: drawn(), timeout_s=30)
    inside.screenshot("rendered")
    return {}
"""

import subprocess
import time

import addon_utils
import bpy

EXTENSION = "bl_ext.user_default.neural_implicit"
POLL_S = 0.05


class Until:
    """A condition that a generator waits for, with a deadline."""

    def __init__(self, condition, timeout_s, what):
        """Start the clock."""
        self._condition = condition
        self._what = what
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s

    def is_over(self):
        """Whether the condition holds; raises TimeoutError once it is too late."""
        if self._condition():
            return True
        if time.monotonic() > self._deadline:
            raise TimeoutError(f"waited {self._timeout_s} s in vain for {self._what}")
        return False


class Inside:
    """One run of one script."""

    def __init__(self, arguments, folder):
        """Take the task's arguments and its folder for files."""
        self.arguments = arguments
        self.folder = folder

    def enable_extension(self):
        """Enable it where the profile does not do so (bpy as a module starts from factory settings)."""
        if EXTENSION not in bpy.context.preferences.addons:
            addon_utils.enable(EXTENSION, default_set=True)
        if EXTENSION not in bpy.context.preferences.addons:
            raise RuntimeError(f"{EXTENSION} cannot be enabled; its traceback is above")

    def until(self, condition, timeout_s=30.0, what="a condition"):
        """Give what to yield in order to go on once `condition()` is true."""
        return Until(condition, timeout_s, what)

    def view(self):
        """Give window, area, region and space of the largest 3D view."""
        found = [
            (w, a) for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "VIEW_3D"
        ]
        window, area = max(found, key=lambda pair: pair[1].width * pair[1].height)
        region = next(region for region in area.regions if region.type == "WINDOW")
        return window, area, region, area.spaces.active

    def in_view(self):
        """Give a context override for operators that need a 3D view."""
        window, area, region, space = self.view()
        return bpy.context.temp_override(window=window, area=area, region=region, space_data=space)

    def shade(self, shading):
        """Set the view's shading: SOLID, MATERIAL or RENDERED; choose the render engine first, EEVEE compiles long."""
        self.view()[3].shading.type = shading

    def redraw(self):
        """Ask for a redraw of every 3D view; a window at rest does not draw by itself."""
        for window in bpy.context.window_manager.windows:
            for area in window.screen.areas:
                area.tag_redraw()

    def screenshot(self, name):
        """Write what is on the screen to `NAME.png` in the run's folder and give its path."""
        path = self.folder / f"{name}.png"
        subprocess.run(["import", "-window", "root", str(path)], check=True, timeout=30)
        return path

    def xdotool(self, *arguments):
        """Move, click and type as a person would; gives what xdotool prints."""
        ended = subprocess.run(
            ["xdotool", *map(str, arguments)], check=True, timeout=30, capture_output=True, text=True
        )
        return ended.stdout
