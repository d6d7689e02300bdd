"""Started inside Blender: loads a script and runs its `main(inside)`; the last argument is the task's JSON file.

In the background `main` returns its result. With a window `main` is a generator that is driven by a timer, so that
Blender handles events in between; it yields

    a number                    to be called again after so many seconds
    inside.until(condition)     to be called again once the condition holds, or to fail after its deadline

and returns its result. An exception ends Blender with exit code 1 and its traceback on stderr.
"""

import importlib.util
import json
import sys
import traceback
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parent))

import inside

FIRST_S = 0.5  # until the window has been drawn once


def _load(path):
    spec = importlib.util.spec_from_file_location("script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _finish(session, result):
    (session.folder / "result.json").write_text(json.dumps(result if result is not None else {}))
    sys.stdout.flush()
    sys.stderr.flush()


def _to_end(session, steps):
    result = yield from steps
    _finish(session, result)  # here, so that a result that is no JSON fails like anything else


def _drive(session, steps):
    steps = _to_end(session, steps)
    waiting = []  # the one condition that `main` waits for, if any

    def tick():
        try:
            if waiting and not waiting[0].is_over():
                return inside.POLL_S
            waiting.clear()
            pause = next(steps)
        except StopIteration:
            sys.exit(0)
        except Exception:
            traceback.print_exc()
            sys.stderr.flush()
            session.screenshot("failed")
            sys.exit(1)
        if isinstance(pause, inside.Until):
            waiting.append(pause)
            return inside.POLL_S
        return pause

    bpy.app.timers.register(tick, first_interval=FIRST_S, persistent=True)


def main():
    task = json.loads(Path(sys.argv[-1]).read_text())
    session = inside.Inside(task["arguments"], Path(task["folder"]))
    bpy.context.preferences.view.show_splash = False  # it would lie over every screenshot
    session.enable_extension()
    outcome = _load(task["script"]).main(session)
    if bpy.app.background:
        _finish(session, outcome)
    else:
        _drive(session, outcome)


main()
