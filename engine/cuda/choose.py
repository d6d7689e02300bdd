"""Which GPU draws, if any: the first that works, in the order of preference, with the reason where none does.

NEURAL_IMPLICIT_GPU holds a number or a part of a name and chooses among several; else the one with most memory is taken.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable, Sequence

from .archive import KernelArchive, find_archive
from .bindings_device import BindingsDriver
from .device import OLDEST_CAPABILITY, DeviceInfo, Driver, old_driver
from .errors import DeviceLostError, DeviceMemoryError, NoDeviceError
from .pycuda_device import PycudaDriver
from .session import CudaSession

log = logging.getLogger(__name__)

VARIABLE = "NEURAL_IMPLICIT_GPU"
_lock = threading.Lock()


def drivers() -> list[Driver]:
    """Give the packages to try, in order."""
    return [PycudaDriver(), BindingsDriver()]


def open_session(
    candidates: Sequence[Driver],
    preference: str = "",
    find: Callable[[], KernelArchive] = lambda: KernelArchive(find_archive()),
) -> CudaSession:
    """Open the device to draw with.

    Raises:
        NoDeviceError: No device works; the message says why for each package and device.
    """
    archive: KernelArchive | None = None
    oldest_driver, reasons = 0, []
    for driver in candidates:
        try:
            found = driver.devices()
            if found and archive is None:
                archive = find()
                oldest_driver = archive.check()
            for info in ordered(found, preference):
                try:
                    assert archive is not None
                    return _open(driver, info, archive, oldest_driver)
                except (NoDeviceError, DeviceMemoryError, DeviceLostError) as error:
                    reasons.append(f"{info.name}: {error}")
            if not found:
                reasons.append(f"{driver.name}: there is no NVIDIA GPU")
        except NoDeviceError as error:
            reasons.append(str(error))
    raise NoDeviceError("; ".join(dict.fromkeys(reasons)) or "no package that reaches a GPU is installed")


def ordered(devices: Sequence[DeviceInfo], preference: str) -> list[DeviceInfo]:
    """Give the devices to try, the preferred one first, then by memory.

    Raises:
        NoDeviceError: What is preferred is not there.
    """
    ranked = sorted(devices, key=lambda info: (-info.memory_bytes, info.index))
    if not preference or not devices:
        return ranked
    by_number = preference.isdigit()
    chosen = [
        d
        for d in ranked
        if (str(d.index) == preference if by_number else preference.lower() in d.name.lower())
    ]
    if not chosen:
        names = ", ".join(f"{d.index} ({d.name})" for d in devices)
        raise NoDeviceError(f"there is no GPU {preference!r}, which {VARIABLE} asks for; there are: {names}")
    return chosen + [d for d in ranked if d not in chosen]


def _open(driver: Driver, info: DeviceInfo, archive: KernelArchive, oldest_driver: int) -> CudaSession:
    if info.capability < OLDEST_CAPABILITY:
        have, need = (f"{a}.{b}" for a, b in (info.capability, OLDEST_CAPABILITY))
        raise NoDeviceError(f"its compute capability is {have} and the kernels need {need}")
    if info.driver < oldest_driver:
        raise NoDeviceError(old_driver(info.driver, oldest_driver))
    session = CudaSession(driver.open(info), archive)
    try:
        session.load("finish", "finish_frames")  # if the driver takes one of them, it takes all
    except DeviceLostError as error:
        raise NoDeviceError(
            f"its driver does not take the kernels, {error}; install a newer driver, or run `python build.py cuda`"
        ) from error
    log.info("CUDA on GPU %d, %s, by %s", info.index, info.name, driver.name)
    return session


@functools.cache
def _opened() -> CudaSession | NoDeviceError:
    try:
        return open_session(drivers(), os.environ.get(VARIABLE, ""))
    except NoDeviceError as error:
        return error


def shared_session() -> CudaSession:
    """Give the process's one session, opened at the first call.

    Raises:
        NoDeviceError: There is none; the message says why.
    """
    with _lock:
        opened = _opened()
    if isinstance(opened, NoDeviceError):
        raise opened
    return opened
