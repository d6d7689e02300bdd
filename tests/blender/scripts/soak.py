"""Does to a window what people do in a day, in an order drawn from a seed, with the real engine; counts what goes wrong.

Each action leaves the session at peace: nothing converts, one window is open, the extension is enabled. Those that need a
neural object take the one that is there. Times, memory, files and processes are kept for whoever reads them (`soak.csv`).
"""

import logging
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import addon_utils
import bpy
from bl_ext.user_default.neural_implicit.addon import conversion_queue, neural_object
from bl_ext.user_default.neural_implicit.addon.solid_view import handler
from bl_ext.user_default.neural_implicit.addon.viewport import session as viewport_session
from mathutils import Euler

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene
from main_thread_times import MainThreadTimes
from soak_watch import Faults, Rows, Watch

EXTENSION = "bl_ext.user_default.neural_implicit"
queue = conversion_queue.queue


def neural():
    return next((obj for obj in bpy.data.objects if neural_object.is_neural(obj)), None)


class Day:
    """The actions; each is a generator."""

    def __init__(self, inside, seed):
        self.inside, self.rng = inside, random.Random(seed)
        self.wait_s = inside.arguments["wait_s"]
        self.files = []
        self.told = []

    def pause(self, most_s=0.6):
        return self.rng.uniform(0.02, most_s)

    def source(self):
        """Give a native mesh in this scene, selected alone."""
        here = bpy.context.view_layer.objects
        obj = next((o for o in here if o.type == "MESH" and not neural_object.is_neural(o)), None)
        with self.inside.in_view():
            if here.active is not None and here.active.mode != "OBJECT":  # an undo went back into it
                bpy.ops.object.mode_set(mode="OBJECT")
            if obj is None:
                bpy.ops.mesh.primitive_ico_sphere_add(
                    subdivisions=3, location=(self.rng.uniform(-1, 1), 0, 1)
                )
                obj = bpy.context.object
            obj.hide_set(False)
            bpy.ops.object.select_all(action="DESELECT")
            obj.select_set(True)
            bpy.context.view_layer.objects.active = obj
        return obj

    def convert(self):
        """Begin a conversion and wait for the first shape of it."""
        self.source()
        before = {obj.name for obj in bpy.data.objects if neural_object.is_neural(obj)}
        with self.inside.in_view():
            bpy.ops.object.convert_to_neural_implicit(
                preset="DRAFT", samples=60_000, seed=self.rng.randrange(99)
            )
        (job,) = [job for job in queue.jobs if job.active]
        made = lambda: [o for o in bpy.data.objects if neural_object.is_neural(o) and o.name not in before]  # noqa: E731
        yield self.inside.until(lambda: made() or not job.active, self.wait_s, "the first snapshot")
        return job, (made() or [None])[0]

    def rest(self):
        """Cancel what runs."""
        while any(job.active for job in queue.jobs):
            bpy.ops.neural_implicit.cancel(keep=self.rng.random() < 0.5)
            yield self.pause(0.2)

    def toggle(self):
        for _ in range(self.inside.arguments["toggles"]):
            addon_utils.disable(EXTENSION)
            addon_utils.enable(EXTENSION)
        yield self.pause()

    def reload_scripts(self):
        bpy.ops.script.reload()
        yield self.pause()

    def open_files(self):
        """Save this scene, then open it, an empty one and the one with damaged weights in turn."""
        path = str(self.inside.folder / f"day{len(self.files)}.blend")
        bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
        self.files.append(path)
        for _ in range(self.inside.arguments["files"]):
            bpy.ops.wm.open_mainfile(filepath=self.rng.choice(self.files))
            yield self.pause()

    def damage(self):
        """Save a file whose weights are cut, or nonsense; it opens, and shows its proxy."""
        obj = neural()
        if obj is None or queue.busy:
            return
        data = bytearray(neural_object.weights_of(obj.data))
        if not data:  # damaged already
            return
        if self.rng.random() < 0.5:
            del data[self.rng.randrange(len(data)) :]
        else:
            for _ in range(40):
                data[self.rng.randrange(len(data))] = self.rng.randrange(256)
        obj.data[neural_object.WEIGHTS_KEY] = bytes(data)
        obj.data.update()
        path = str(self.inside.folder / f"damaged{len(self.files)}.blend")
        bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
        self.files.append(path)
        yield self.pause()
        yield from self.draw()

    def undo(self):
        """Undo and redo while a network trains, and after."""
        yield from self.convert()
        for _ in range(6):
            with self.inside.in_view():
                self.source().location.x += 0.1
                bpy.ops.ed.undo_push(message="Move")
                step = self.rng.choice((bpy.ops.ed.undo, bpy.ops.ed.redo, bpy.ops.ed.undo))
                if step.poll():
                    step()
            yield self.pause()
        yield from self.rest()
        with self.inside.in_view():
            for _ in range(3):
                if bpy.ops.ed.undo.poll():
                    bpy.ops.ed.undo()
        yield self.pause()

    def delete(self):
        """Delete the object, or its source, while it trains."""
        job, obj = yield from self.convert()
        yield self.pause()
        source = bpy.data.objects.get(job.name)
        victim = obj if self.rng.random() < 0.6 else source
        if victim is not None:
            bpy.data.objects.remove(victim)
        yield self.pause(1.5)
        yield from self.rest()

    def change_source(self):
        yield from self.convert()
        source = self.source()
        for vertex in list(source.data.vertices)[:20]:
            vertex.co.x += self.rng.uniform(-0.1, 0.1)
        source.data.update()
        with self.inside.in_view():
            bpy.ops.object.mode_set(mode="EDIT")
            yield self.pause()
            bpy.ops.object.mode_set(mode="OBJECT")
        yield self.pause(1.5)
        yield from self.rest()

    def switch(self):
        """Change shading, engine, scene and workspace while a picture is being drawn."""
        for _ in range(8):
            kind = self.rng.randrange(4)
            if kind == 0:
                self.inside.shade(self.rng.choice(("SOLID", "SOLID", "RENDERED", "WIREFRAME")))
            elif kind == 1:
                engines = ("NEURAL_IMPLICIT", "BLENDER_WORKBENCH", "NEURAL_IMPLICIT")
                bpy.context.scene.render.engine = self.rng.choice(engines)
            elif kind == 2:
                if len(bpy.data.scenes) < 3:
                    bpy.data.scenes.new("Other").render.engine = "NEURAL_IMPLICIT"
                bpy.context.window.scene = self.rng.choice(bpy.data.scenes)
            else:
                names = [w for w in bpy.data.workspaces if w.name in ("Layout", "Modeling", "UV Editing")]
                if names:
                    bpy.context.window.workspace = self.rng.choice(names)
            yield self.pause()
        yield from self.settled()

    def windows(self):
        """Open a second window and close it while it draws."""
        bpy.ops.wm.window_new()
        yield self.pause()
        self.inside.redraw()
        yield self.pause(0.3)
        extra = bpy.context.window_manager.windows[-1]
        if len(bpy.context.window_manager.windows) > 1:
            with bpy.context.temp_override(window=extra):
                bpy.ops.wm.window_close()
        yield self.pause()

    def draw(self):
        """Look from somewhere else, in Solid or in Rendered."""
        self.inside.shade(self.rng.choice(("SOLID", "RENDERED")))
        bpy.context.scene.render.engine = "NEURAL_IMPLICIT"
        _, _, _, space = self.inside.view()
        space.region_3d.view_distance = self.rng.uniform(4.0, 9.0)
        space.region_3d.view_rotation.rotate(Euler((0.0, 0.0, self.rng.uniform(-1.0, 1.0))))
        yield self.pause()

    def kill_engine(self):
        """Kill the engine that draws, or the one that trains, at a random moment; a message comes, and things go on."""
        session = viewport_session.session
        if self.rng.random() < 0.5:
            bpy.context.scene.render.engine = "NEURAL_IMPLICIT"
            self.inside.shade("RENDERED")
            self.inside.redraw()
            yield self.inside.until(
                lambda: session.process_id is not None, self.wait_s, "an engine that draws"
            )
            yield self.pause(2.0)
            if session.process_id is not None:
                os.kill(session.process_id, signal.SIGKILL)
            yield self.pause()
            self.inside.shade("SOLID")
            self.told.append("drawing")
            return
        self.source()
        with self.inside.in_view():
            bpy.ops.object.convert_to_neural_implicit(preset="DRAFT", samples=60_000)
        (job,) = [job for job in queue.jobs if job.active]
        started = lambda: job.engine is not None and job.engine._process.process_id is not None  # noqa: E731
        yield self.inside.until(lambda: started() or not job.active, self.wait_s, "an engine that trains")
        yield self.rng.uniform(0.0, 4.0)
        if job.active and job.engine._process.running:
            os.kill(job.engine._process.process_id, signal.SIGKILL)
            yield self.inside.until(
                lambda: not job.active, self.wait_s, "the end of a job whose engine was killed"
            )
        if job.state == "failed" and not job.problem:
            raise AssertionError("a job failed without a sentence")
        self.told.append(job.state)
        for failed in [job for job in queue.jobs if not job.active]:
            queue.cancel(failed, bpy.context)
        yield from self.rest()

    def lose_folder(self):
        """The folder that Blender shares with its engine is deleted while it draws; what is drawn next is right again."""
        session = viewport_session.session
        bpy.context.scene.render.engine = "NEURAL_IMPLICIT"
        self.inside.shade("RENDERED")
        self.inside.redraw()
        yield self.inside.until(lambda: session.process_id is not None, self.wait_s, "an engine that draws")
        if session._engine is not None:
            shutil.rmtree(session.engine.folder.path, ignore_errors=True)
        for _ in range(3):
            self.source().data.update()
            self.source().location.z += 0.1
            yield self.pause()
        yield self.inside.until(
            lambda: self.drawn_again(session), self.wait_s, "a picture after the folder was lost"
        )
        self.inside.shade("SOLID")

    def drawn_again(self, session):
        views = session._views.values()
        self.inside.redraw()
        return all(not v.due and v.samples > 0 and not v.message for v in views)

    def tidy(self):
        """Throw away all but the newest few objects, so that memory tells of leaks."""
        meshes = [obj for obj in bpy.data.objects if obj.type == "MESH"]
        for obj in meshes[: -self.inside.arguments["objects"]]:
            bpy.data.objects.remove(obj)
        yield self.pause()

    def settled(self):
        """Go back to the first scene, workspace and Solid."""
        if "Layout" in bpy.data.workspaces:
            bpy.context.window.workspace = bpy.data.workspaces["Layout"]
        bpy.context.window.scene = bpy.data.scenes[0]
        yield 0.2
        self.inside.shade("SOLID")
        yield self.rng.uniform(0.0, self.inside.arguments["rest_s"])


ACTIONS = (
    *("toggle", "reload_scripts", "open_files", "undo", "delete", "change_source", "switch"),
    *("windows", "draw", "kill_engine", "lose_folder", "damage"),
)


def main(inside):
    faults, watch = Faults(), Watch()
    rows = Rows(inside.folder / "soak.csv", inside.arguments["marker"])
    logging.getLogger(EXTENSION).addHandler(faults)
    spot_scene.build(inside.arguments)
    day = Day(inside, inside.arguments["seed"])
    yield 0.3
    times = MainThreadTimes() if inside.arguments["times"] else None
    begun, done, memory = time.monotonic(), [], []
    actions = [*ACTIONS, *["kill_engine"] * (inside.arguments["kills"] - 1)]
    rounds = inside.arguments["rounds"]
    in_time = lambda: time.monotonic() - begun < inside.arguments["seconds"]  # noqa: E731
    while len(done) < rounds * len(actions) and in_time():
        order = list(actions)
        day.rng.shuffle(order)
        for name in order:
            if not in_time():
                break
            print("soak", round(time.monotonic() - begun, 1), name, flush=True)
            yield from getattr(day, name)()
            yield from day.rest()
            yield from day.tidy()
            yield from day.settled()
            done.append(name)
            memory.append(round(rows.add(name, len(day.told), watch.take_gap()), 1))
            if handler.solid_view.problem:
                raise AssertionError(handler.solid_view.problem)
    inside.redraw()
    yield inside.until(lambda: handler.solid_view.complete, day.wait_s, "the last picture")
    inside.screenshot("last")
    return {
        "done": done,
        "faults": faults.lines,
        "told": day.told,
        "memory_mb": memory,
        "longest_gap_s": watch.longest,
        "times": times.result() if times else {},
        "jobs": len(queue.jobs),
        "windows": len(bpy.context.window_manager.windows),
        "seconds": time.monotonic() - begun,
    }
