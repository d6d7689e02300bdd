"""Finds buttons as a person does: points at one place after the other and looks what is there, then presses.

Over a button Ctrl C puts the Python of its operator, or the value of its field, on Blender's clipboard, Shift Ctrl C the path
of its property. Places are pixels of the window, y upward as Blender counts.
"""

import time

import bpy

NOTHING = "nothing"
COPY, COPY_PATH = "ctrl+c", "ctrl+shift+c"
LOOK_S = 0.12  # until Blender has taken a movement, or a key


def point(inside, window, x, y):
    inside.xdotool("mousemove", window.x + int(x), window.height - int(y))


def press(inside, window, place, times=1):
    """Press the left button at a place."""
    point(inside, window, *place)
    time.sleep(LOOK_S)
    inside.xdotool("click", "--repeat", times, "--delay", 60, 1)


def under(inside, window, place, keys=COPY):
    """Give what the button at a place does, or holds; or its path."""
    manager = bpy.context.window_manager
    manager.clipboard = NOTHING
    point(inside, window, *place)
    yield LOOK_S
    inside.xdotool("key", keys)
    yield LOOK_S
    return manager.clipboard


def find(inside, window, places, wanted, keys=COPY):
    """Give the first of some places over which there is a button that does what is wanted, or whose path holds it."""
    seen = []
    for place in places:
        text = yield from under(inside, window, place, keys)
        if wanted in text:
            return place
        seen.append(text)
    raise LookupError(f"no button {wanted}; there were {sorted(set(seen))}")


def rows_of(region, share=0.5, step=10):
    """Give places down a region, at a share of its width."""
    x = region.x + int(share * region.width)
    return [(x, region.y + region.height - down) for down in range(step, region.height, step)]
