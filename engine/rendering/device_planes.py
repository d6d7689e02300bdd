"""The planes of a whole picture that lie on the device, laid out as in a frame: one after the other, bottom row first.

They come to the host when one is first asked for, or in one copy straight into the mapped frame file, whose memory the
session keeps page-locked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cuda import layouts
from ..cuda.session import CudaSession, DeviceArray
from ..protocol.frames import frame_bytes
from ..protocol.scene import PLANE_CHANNELS, PlaneName
from ..transforms import Array
from .camera import BACKGROUND_DEPTH, BACKGROUND_VIEW_Z
from .device_denoise import DeviceDenoiser
from .device_tile import DeviceSums
from .scene import PreparedScene

THREADS = 128  # of a block: the kernel's launch bounds


class DevicePlanes(Mapping[PlaneName, Array]):
    """Planes (h, w, channels) float32; nothing changes them any more."""

    def __init__(
        self, session: CudaSession, memory: DeviceArray, names: tuple[PlaneName, ...], size: tuple[int, int]
    ) -> None:
        """Take over finished planes, of `size` rows and columns, in the order of `names`."""
        self.size = size
        self._session, self._memory, self._names = session, memory, names
        self._host: dict[PlaneName, Array] | None = None

    def copy_to(self, views: dict[PlaneName, np.ndarray], mapped: npt.NDArray[np.uint8]) -> None:
        """Copy all planes to a frame's `views` into memory that is `mapped`, without a stop between, if the driver can.

        Raises:
            DeviceLostError: The device works no more.
        """
        start = views[self._names[0]].ctypes.data - mapped.ctypes.data
        target = mapped[start : start + self._memory.num_bytes]
        assert tuple(views) == self._names and target.nbytes == sum(view.nbytes for view in views.values())
        with self._session.lock:
            if self._session.share(mapped):
                self._session.device.download(target, self._memory.address)
            else:
                target[...] = self._session.download(self._memory, target.shape, np.uint8)

    def __getitem__(self, name: PlaneName) -> Array:
        """Give a plane."""
        if self._host is None:
            with self._session.lock:
                flat = self._session.download(self._memory, (self._memory.num_bytes // 4,), np.float32)
            channels = [PLANE_CHANNELS[n] for n in self._names]
            pixels = self.size[0] * self.size[1]
            parts = np.split(flat, pixels * np.cumsum(channels)[:-1])
            self._host = {n: part.reshape(*self.size, -1) for n, part in zip(self._names, parts)}
        return self._host[name]

    def __iter__(self) -> Iterator[PlaneName]:
        """Give the names, in their order."""
        return iter(self._names)

    def __len__(self) -> int:
        """Count the planes."""
        return len(self._names)


def finished_planes(
    session: CudaSession,
    scene: PreparedScene,
    sums: DeviceSums,
    denoiser: DeviceDenoiser | None,
    names: tuple[PlaneName, ...],
    size: tuple[int, int],
) -> DevicePlanes:
    """Give the planes of a whole picture from its sums; waits for all work.

    Args:
        session: The device.
        scene: What was drawn; its objects' ids are looked up.
        sums: Of all pixels.
        denoiser: Whose light the complete picture takes, where it is to be smoothed.
        names: The planes that are wanted, in the order of the frame.
        size: Rows and columns.

    Raises:
        DeviceMemoryError: The planes do not fit.
        DeviceLostError: The device works no more, or failed at what was drawn before.
    """
    count = size[0] * size[1]
    out = session.empty(frame_bytes(names, size[1], size[0]))
    tables = {
        "object_ids": scene.object_ids,
        "pass_indices": scene.pass_indices,
        "material_indices": scene.materials.pass_indices,
    }
    memory = {name: session.array(np.asarray(table, np.float32)) for name, table in tables.items()}
    arguments = np.zeros(1, layouts.FINISH_ARGUMENTS)
    arguments["places"] = -1
    begin = 0
    for plane in names:
        arguments["places"][0, layouts.FINISHED_PLANES.index(plane)] = begin
        begin += count * PLANE_CHANNELS[plane]
    given: dict[str, Any] = {**memory, "out": out, "color": sums.color, "planes": sums.planes}
    for name, array in given.items():
        arguments[name] = array.address
    arguments["background_depth"], arguments["background_view_z"] = BACKGROUND_DEPTH, BACKGROUND_VIEW_Z
    arguments["count"] = count
    if denoiser is not None:
        denoiser.fill(arguments, sums)
    session.launch("finish", "finish_frames", -(-count // THREADS), THREADS, 0, arguments)
    session.device.synchronize()
    return DevicePlanes(session, out, names, size)
