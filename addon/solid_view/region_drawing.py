"""What is drawn over one region of a 3D view: its traced picture, in the colours of its shading."""

from __future__ import annotations

import bpy
import gpu
import numpy as np

from .lighting import FLAT, MATCAP, ROW, matcap_of, shading_rows, transform_of
from .prepared import Prepared
from .programs import MOST_PLANES, draw_whole, shade_program
from .rays import rays_of
from .scene_shapes import Finish
from .shape_uniforms import ShapeDrawing, UploadedNetwork, drawings_of, texture, uniform_buffer
from .shown_shapes import Shown, ShownShapes
from .traced_picture import TracedPicture

MOST_UPLOADED = 64  # networks, beyond those of the view that draws; 50 kB each


class Uploads:
    """Networks on the GPU, those of all views; the newest are kept."""

    def __init__(self) -> None:
        self._networks: dict[Prepared, UploadedNetwork] = {}

    def get(self, prepared: Prepared, num_shown: int) -> UploadedNetwork:
        """Give one of `num_shown` networks of a view, uploaded now where it is not yet there."""
        network = self._networks.pop(prepared, None) or UploadedNetwork(prepared)
        self._networks[prepared] = network
        while len(self._networks) > MOST_UPLOADED + num_shown:
            self._networks.pop(next(iter(self._networks)))
        return network

    def clear(self) -> None:
        """Free them."""
        self._networks.clear()


uploads = Uploads()


class KeptTexture:
    """A picture on the GPU, uploaded again when it is another one."""

    def __init__(self, texture_format: str) -> None:
        self._format = texture_format
        self._picture: np.ndarray | None = None
        self._texture: gpu.types.GPUTexture | None = None

    def of(self, picture: np.ndarray | None) -> gpu.types.GPUTexture | None:
        """Give the texture of a picture; None for none."""
        if picture is not self._picture:
            self._picture = picture
            self._texture = None if picture is None else texture(picture, self._format)
        return self._texture


class RegionDrawing:
    """One region."""

    def __init__(self) -> None:
        self.picture = TracedPicture()
        self._key: object = None
        self._shapes: list[ShapeDrawing] = []
        self._shown = ShownShapes()
        self._shading: gpu.types.GPUUniformBuf | None = None
        self._palette_key: object = None
        self._palette: gpu.types.GPUTexture | None = None
        self._matcap = KeptTexture("RGBA16F")
        self._transform = KeptTexture("RGBA16F")

    def draw(self, context: bpy.types.Context) -> bool:
        """Draw; whether everything is traced and nothing more will come."""
        shown = self._shown.of(context)
        if not shown.ready:
            return True
        size = (context.region.width, context.region.height)
        key = _key(context, shown)
        if key != self._key:
            self._key, self._shapes = key, _drawings(context, shown)
        depth_test, depth_mask = gpu.state.depth_test_get(), gpu.state.depth_mask_get()
        blend = gpu.state.blend_get()
        try:
            self.picture.trace(key, size, self._shapes)
            gpu.state.depth_test_set("LESS_EQUAL")
            gpu.state.depth_mask_set(True)
            gpu.state.blend_set("ALPHA_PREMULT")
            self._shade(context, shown.finishes, size)
        finally:
            gpu.state.blend_set(blend)
            gpu.state.depth_mask_set(depth_mask)
            gpu.state.depth_test_set(depth_test)
        return self.picture.complete

    def _shade(self, context: bpy.types.Context, finishes: list[Finish], size: tuple[int, int]) -> None:
        known, denser = self.picture.known, self.picture.denser
        assert known is not None
        matcap = self._matcap.of(matcap_of(context.space_data.shading))
        transform = self._transform.of(transform_of(context))
        rows = shading_rows(context)
        rows[ROW["options"], 2] = transform is not None
        if rows[ROW["options"], 0] == MATCAP and matcap is None:
            rows[ROW["options"], 0] = FLAT
        if known.scale < 1.0:  # lines around coarse pixels would be stairs
            rows[ROW["outline_width"], 0] = rows[ROW["edge_color"], 3] = 0.0
        if denser is not None:
            done = denser.rows / denser.target.height
            rows[ROW["source"]] = (max(denser.scale, 1.0), done, *size)
        shader = shade_program()
        shader.bind()
        self._shading = uniform_buffer(rows)  # it has to live until the GPU has drawn
        shader.uniform_block("shading", self._shading)
        shader.uniform_sampler("known", known.target.texture_color)
        shader.uniform_sampler("denser", (denser or known).target.texture_color)
        palette = self._palette_of(finishes)
        shader.uniform_sampler("palette", palette)
        shader.uniform_sampler("matcap", matcap or palette)
        shader.uniform_sampler("transform", transform or palette)
        draw_whole(shader)

    def _palette_of(self, finishes: list[Finish]) -> gpu.types.GPUTexture:
        if self._palette is None or self._palette_key != finishes:
            rows = np.zeros((len(finishes) + 1, 4, 4))
            for number, finish in enumerate(finishes, 1):
                rows[number, 0, :3] = finish.color
                rows[number, 1, :2] = finish.roughness, finish.metallic
                rows[number, 2, 0] = finish.selected
                rows[number, 3, :3] = finish.emission
            self._palette, self._palette_key = texture(rows, "RGBA32F"), finishes
        return self._palette


def _key(context: bpy.types.Context, shown: Shown) -> object:
    """Name all that the traced picture depends on."""
    view, region = context.region_data, context.region
    camera = tuple(np.array(view.view_matrix).ravel()), tuple(np.array(view.window_matrix).ravel())
    planes = np.array(view.clip_planes).tobytes() if view.use_clip_planes else b""
    return camera, region.width, region.height, shown.key, planes


def _drawings(context: bpy.types.Context, shown: Shown) -> list[ShapeDrawing]:
    view = context.region_data
    view_matrix, window = np.array(view.view_matrix, np.float64), np.array(view.window_matrix, np.float64)
    planes = (
        np.array(view.clip_planes, np.float64)[:MOST_PLANES] if view.use_clip_planes else np.zeros((0, 4))
    )
    volumes = np.abs(np.linalg.det(shown.world_from_unit[:, :3, :3]))
    kept = np.flatnonzero(volumes >= 1e-30)  # the others are scaled to nothing
    places = shown.world_from_unit[kept]
    networks = [uploads.get(shown.ready[k][1], len(kept)) for k in kept]
    rays = rays_of(view_matrix, window, places, shown.boxes[kept])
    return drawings_of(networks, rays, 1 + kept, planes @ places)
