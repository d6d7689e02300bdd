"""Frame slots: what one side writes the other reads, and the file can neither shrink nor be too small."""

import os
import sys

import numpy as np
import pytest

from engine.errors import DeviceError, ProtocolError
from engine.protocol import frames
from engine.protocol.frames import FrameFile, FrameSlots, frame_bytes
from engine.protocol.messages import MapFrames

PLANES = ("combined", "depth")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="sealed memory files are Linux's")


@pytest.fixture(params=["memory", "file"])
def frame_file(request, tmp_path, monkeypatch):
    if request.param == "file":
        monkeypatch.setattr(sys, "platform", "another")
    elif sys.platform != "linux":
        pytest.skip("sealed memory files are Linux's")
    file = FrameFile(tmp_path)
    yield file
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_a_frame_written_by_the_engine_is_read_by_the_add_on(frame_file):
    message = frame_file.resize(frame_bytes(PLANES, 20, 10), 3)
    theirs = FrameSlots.open(message)
    written = theirs.planes(2, PLANES, 20, 10)
    written["combined"][...] = np.arange(800, dtype=np.float32).reshape(10, 20, 4)
    written["depth"][...] = 0.25
    read = frame_file.slots.planes(2, PLANES, 20, 10)
    np.testing.assert_array_equal(read["combined"].reshape(-1), np.arange(800))
    np.testing.assert_array_equal(read["depth"], np.full((10, 20, 1), 0.25, np.float32))


def test_slots_do_not_overlap(frame_file):
    frame_file.resize(frame_bytes(PLANES, 7, 5), 4)
    for slot in range(4):
        for plane in frame_file.slots.planes(slot, PLANES, 7, 5).values():
            plane[...] = slot
    for slot in range(4):
        for plane in frame_file.slots.planes(slot, PLANES, 7, 5).values():
            assert (plane == slot).all()


def test_a_larger_layout_replaces_the_file_and_leaves_old_views_readable(frame_file):
    frame_file.resize(1000, 2)
    old = frame_file.slots.planes(0, ("depth",), 10, 10)["depth"]
    message = frame_file.resize(10_000_000, 3)
    assert frame_file.slots.slot_bytes >= 10_000_000
    assert FrameSlots.open(message).num_slots == 3
    assert old.sum() == 0.0  # still backed: no SIGBUS


def test_a_frame_larger_than_its_slot_is_refused(frame_file):
    frame_file.resize(frame_bytes(PLANES, 8, 8), 1)
    with pytest.raises(ProtocolError, match="does not fit"):
        frame_file.slots.planes(0, PLANES, 80, 80)
    with pytest.raises(ProtocolError, match="no frame slot"):
        frame_file.slots.planes(1, PLANES, 8, 8)


@linux_only
def test_sealed_memory_cannot_shrink(tmp_path):
    file = FrameFile(tmp_path)
    file.resize(1 << 20, 2)
    with pytest.raises(PermissionError):
        os.ftruncate(file.pass_fds[0], 4096)
    file.close()


@linux_only
def test_memory_that_could_shrink_is_refused():
    descriptor = os.memfd_create("loose", os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, 1 << 16)
    with pytest.raises(ProtocolError, match="not sealed"):
        FrameSlots.open(MapFrames(path=f"fd:{descriptor}", slot_bytes=1 << 12, num_slots=1))
    os.close(descriptor)


@linux_only
@pytest.mark.parametrize("path", ["fd:0", "fd:9999", "fd:-1", "fd:x", "/nowhere/frames"])
def test_a_file_that_is_none_is_refused(path):
    with pytest.raises(ProtocolError):
        FrameSlots.open(MapFrames(path=path, slot_bytes=1 << 12, num_slots=1))


def test_a_file_smaller_than_announced_is_refused(tmp_path):
    (tmp_path / "frames").write_bytes(bytes(1000))
    message = MapFrames(path=str(tmp_path / "frames"), slot_bytes=1000, num_slots=2)
    with pytest.raises(ProtocolError, match="holds 1000 bytes"):
        FrameSlots.open(message)


@pytest.mark.parametrize(("slot_bytes", "num_slots"), [(0, 1), (1, 0), (-1, 1), (1 << 40, 4)])
def test_impossible_layouts_are_refused(tmp_path, slot_bytes, num_slots):
    with pytest.raises(ProtocolError, match="impossible"):
        FrameSlots.open(MapFrames(path=str(tmp_path), slot_bytes=slot_bytes, num_slots=num_slots))


def test_no_room_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frames, "_allocated_file", full)
    monkeypatch.setattr(sys, "platform", "another")
    with pytest.raises(DeviceError, match=r"No space left.*Free some memory"):
        FrameFile(tmp_path).resize(1000, 1)
