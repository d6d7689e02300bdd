"""Pictures that a GPU draws as a whole, where one can; the renderer draws the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..protocol.scene import PLANE_CHANNELS, PlaneName
from ..transforms import Array
from .scene import PreparedScene
from .tile_planes import background_planes

if TYPE_CHECKING:
    from .device_frame import DeviceFrame

log = logging.getLogger(__name__)

PLACES = {"depth": 0, "view_z": 1, "normal": 2, "position": 5}  # of the planes in a device's frame
OBJECT, HIT, MATERIAL, AMBIENT = 8, 9, 10, 11
ROWS = {"object_id": OBJECT, "pass_index": OBJECT, "material_index": MATERIAL, "ambient_occlusion": AMBIENT}


class DevicePicture:
    """One picture under way on the GPU."""

    def __init__(self, frame: DeviceFrame, scene: PreparedScene, planes: tuple[PlaneName, ...]) -> None:
        """Draw `planes` of a frame."""
        self._frame, self._scene, self._names = frame, scene, planes

    def draw(self, samples: range, cancelled: Callable[[], bool]) -> Iterator[float]:
        """Add samples to all pixels that need them; yields the share that is done."""
        return self._frame.draw(samples, cancelled)

    def settle(self, samples: int) -> None:
        """Look for pixels that need no more samples, at the end of a round."""
        self._frame.settle(samples)

    def smooth(self, samples: int, cancelled: Callable[[], bool]) -> None:
        """Take the noise out of the complete picture, where that is wanted; `samples` is the most that a pixel has."""
        self._frame.smooth(samples, cancelled)

    @property
    def settled(self) -> bool:
        """Whether no pixel needs another sample."""
        return self._frame.settled

    def planes(self, samples: int) -> Mapping[PlaneName, Array]:
        """Give the planes (h, w, channels) float32 after so many samples; on the device, if it holds them all."""
        finished = self._frame.finish(self._names)
        return self._from_tiles(samples) if finished is None else finished

    def _from_tiles(self, samples: int) -> dict[PlaneName, Array]:
        height, width = self._frame.sum.shape[:2]
        planes = background_planes(self._names, height, width)
        rows = self._frame.planes
        hit = rows[HIT] > 0.0
        for name, plane in planes.items():
            if name == "combined":
                plane[...] = self._frame.sum / np.float32(samples)
            elif name in PLACES:
                for channel in range(PLANE_CHANNELS[name]):
                    plane[hit, channel] = rows[PLACES[name] + channel][hit]
            elif name == "ambient_occlusion":
                plane[...] = rows[AMBIENT][..., None] / np.float32(samples)
            else:
                plane[hit, 0] = self._table(name)[rows[ROWS[name]][hit].astype(np.int64)]
        return planes

    def _table(self, name: PlaneName) -> Array:
        """Give the ids or indices of objects or materials that a plane shows."""
        if name == "material_index":
            return self._scene.materials.pass_indices
        return self._scene.object_ids if name == "object_id" else self._scene.pass_indices


def device_picture(scene: PreparedScene, request: Any) -> DevicePicture | None:
    """Give a picture of a `ViewRequest` that the GPU draws, or None: the renderer does.

    Raises:
        SceneError: The camera cannot be used.
    """
    if not any(hasattr(instance.tracer, "device_grid") for instance in scene.neural):
        return None
    from ..cuda.errors import DeviceLostError, DeviceMemoryError
    from .device_frame import DeviceFrame, device_scene
    from .device_tile import Window
    from .panorama import make_camera

    camera = make_camera(request.camera, request.width, request.height)
    x0, y0, x1, y1 = request.window
    rows = {HIT, *(ROWS[name] for name in request.planes if name in ROWS)}
    for name in PLACES.keys() & set(request.planes):
        rows |= set(range(PLACES[name], PLACES[name] + PLANE_CHANNELS[name]))
    use_color = "combined" in request.planes
    window = Window(
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        seed=request.seed,
        use_color=use_color,
        use_ambient="ambient_occlusion" in request.planes,
        use_lens=camera.has_lens,
        planes=tuple(sorted(rows)),
        noise_threshold=request.noise_threshold if use_color else 0.0,
        denoise=request.denoise and use_color and not camera.has_lens,
    )
    try:
        on_device = device_scene(scene)
    except (DeviceMemoryError, DeviceLostError) as error:
        log.warning("%s: the CPU draws this picture", error)
        scene.troubles.append(str(error))
        return None
    if on_device is None:
        return None
    return DevicePicture(DeviceFrame(on_device, camera, window), scene, request.planes)
