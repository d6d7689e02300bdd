"""What can go wrong with a GPU; each is told in a sentence, and the CPU goes on."""

from __future__ import annotations

from ..errors import DeviceError


class NoDeviceError(DeviceError):
    """There is no GPU that the kernels run on; the message says why."""


class DeviceMemoryError(DeviceError):
    """The device's memory does not hold what was asked for."""


class DeviceLostError(DeviceError):
    """The device, or its context, works no more; nothing on it can be used again."""
