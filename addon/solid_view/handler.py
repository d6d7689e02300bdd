"""The draw handler of all 3D views, the timer that lets pictures refine, and what happens when a driver refuses."""

from __future__ import annotations

import logging
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ..preferences import draws_networks
from ..redraw import announce
from .prepared import preparation
from .programs import forget_programs
from .region_drawing import RegionDrawing, uploads
from .scene_shapes import scene_shapes
from .studio_pictures import studio_pictures
from .view_transform import view_transforms

log = logging.getLogger(__name__)

REFINE_S = 0.01
SHADINGS = ("SOLID", "MATERIAL")


class SolidView:
    """All regions; used by Blender's main thread."""

    def __init__(self) -> None:
        self._timer = self._refine  # one object: Blender tells timers apart by identity
        self.problem = ""  # why nothing is drawn any more
        self._handle: Any = None
        self._regions: dict[int, RegionDrawing] = {}
        self._waiting: set[int] = set()  # regions whose picture is not complete
        self._awaited_networks = False

    @property
    def complete(self) -> bool:
        """Whether every region has all of its picture."""
        return not self._waiting and not preparation.pending

    def start(self) -> None:
        """Draw in every 3D view from now on."""
        studio_pictures.came = view_transforms.came = _redraw
        self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_VIEW")

    def stop(self) -> None:
        """Draw nothing any more, and free everything."""
        bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)
        self._regions.clear()
        self._waiting.clear()
        self.problem = ""
        scene_shapes.forget(geometry=True)
        preparation.clear()
        uploads.clear()
        studio_pictures.clear()
        view_transforms.clear()
        forget_programs()

    def _draw(self) -> None:
        context = bpy.context
        space, region = context.space_data, context.region
        key = region.as_pointer()
        self._waiting.discard(key)
        if len(self._regions) > 1:
            self._forget_closed()  # a closed window's pictures are large
        if not draws_networks():
            self.problem = ""  # switched on again it is tried again
        if not self.problem and draws_networks() and _is_drawn_here(space.shading):
            self._draw_region(context, key)
        else:
            self._regions.pop(key, None)

    def _draw_region(self, context: bpy.types.Context, key: int) -> None:
        if key not in self._regions:
            self._forget_closed()
            self._regions[key] = RegionDrawing()
        try:
            complete = self._regions[key].draw(context)
        except Exception as error:  # of a driver: any kind; once, and never again in this session
            self._fail(error)
            return
        if not complete:
            self._waiting.add(key)
        self._awaited_networks |= preparation.pending
        if not self.complete and not bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.register(self._timer, first_interval=REFINE_S)

    def _fail(self, error: Exception) -> None:
        log.exception("neural objects cannot be drawn in Solid shading")
        lines = str(error).strip().splitlines() or [type(error).__name__]
        self.problem = (
            f"Solid shading cannot draw the networks with this graphics driver ({lines[0]}). "
            "The proxies are drawn instead; Rendered shading shows the shapes themselves."
        )
        self._regions.clear()
        self._waiting.clear()
        text = self.problem
        bpy.app.timers.register(lambda: announce("ERROR", text), first_interval=0.0)

    def _refine(self) -> float | None:
        """Ask for a redraw of each region that has not its whole picture; gives None once all have."""
        if self.problem:
            return None
        self._forget_closed()
        networks_came = self._awaited_networks and not preparation.pending
        self._awaited_networks = preparation.pending
        for region in _regions():
            if networks_came or region.as_pointer() in self._waiting:
                region.tag_redraw()
        return None if self.complete else REFINE_S

    def _forget_closed(self) -> None:
        open_now = {region.as_pointer() for region in _regions()}
        for key in [key for key in self._regions if key not in open_now]:
            del self._regions[key]
            self._waiting.discard(key)


solid_view = SolidView()


def _regions() -> list[bpy.types.Region]:
    return [
        region
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == "VIEW_3D"
        for region in area.regions
        if region.type == "WINDOW"
    ]


def _is_drawn_here(shading: bpy.types.View3DShading) -> bool:
    """Whether a view's shading has a depth of native meshes to be tested against; X-ray has none."""
    xray = shading.type == "SOLID" and shading.show_xray and shading.xray_alpha < 1.0
    return shading.type in SHADINGS and not xray


def _redraw() -> None:
    for region in _regions():
        region.tag_redraw()


@persistent
def _scene_changed(*arguments: object) -> None:
    """Called with the scene and the evaluated one; after loading and undo with less, and then all may have changed."""
    graphs = [argument for argument in arguments if isinstance(argument, bpy.types.Depsgraph)]
    updates = [update for graph in graphs for update in graph.updates]
    scene_shapes.forget(geometry=not graphs or any(update.is_updated_geometry for update in updates))


HANDLERS = ("depsgraph_update_post", "frame_change_post", "load_post", "undo_post", "redo_post")


def register() -> None:
    """Draw neural objects in Solid and Material Preview."""
    if bpy.app.background:
        return
    solid_view.start()
    for name in HANDLERS:
        getattr(bpy.app.handlers, name).append(_scene_changed)


def unregister() -> None:
    """Leave the proxies."""
    if bpy.app.background:
        return
    for name in HANDLERS:
        getattr(bpy.app.handlers, name).remove(_scene_changed)
    solid_view.stop()
