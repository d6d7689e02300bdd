"""A picture that the GPU holds as a whole: finished there, and copied once, straight into the mapped frame file."""

import mmap

import numpy as np
import pytest

from engine.cuda.errors import DeviceLostError, DeviceMemoryError
from engine.errors import DeviceError
from engine.protocol.frames import FrameFile, FrameSlots, frame_bytes
from engine.protocol.messages import FrameReady, RenderView
from engine.rendering import device_frame
from engine.rendering.device_planes import DevicePlanes
from engine.rendering.renderer import Picture, ViewRequest, render_picture, render_rounds
from engine.serving.render_worker import RenderWorker
from engine.serving.view_board import ViewBoard
from tests.cuda import fake_driver
from tests.cuda.pictures import PLANES, SIZE, prepared
from tests.engine.networks import octahedron
from tests.engine.scene_builder import camera_at, placed


def root(array):
    """Give what an array's memory belongs to."""
    while isinstance(array, (np.ndarray, memoryview)):
        array = array.base if isinstance(array, np.ndarray) else array.obj
    return array


class CopyingDevice(fake_driver.FakeDevice):
    """Remembers where each download went and what was page-locked and let go."""

    def __init__(self, can_pin=True):
        super().__init__(fake_driver.info())
        self.can_pin, self.targets, self.let_go = can_pin, [], 0

    def download(self, array, address):
        self.targets.append((array.ctypes.data, array.nbytes))
        super().download(array, address)

    def pin(self, array):
        if not self.can_pin:
            raise DeviceLostError("the GPU failed (CUDA_ERROR_NOT_SUPPORTED)")
        return super().pin(array)

    @property
    def shared(self):
        """What is page-locked besides the session's own staging memory, which is no file."""
        return [array for array in self.pinned if isinstance(root(array), mmap.mmap)]

    def unpin(self, pinned):
        self.let_go += 1
        super().unpin(pinned)


def camera():
    return camera_at((1.7, -2.6, 1.5), (0, 0, 0.1), *SIZE, fov_y=0.75)


def request(planes=PLANES, samples=1, region=None):
    size = {"width": SIZE[0], "height": SIZE[1]}
    return ViewRequest(camera=camera(), planes=planes, samples=samples, seed=3, region=region, **size)


@pytest.fixture
def scene_on(builder, monkeypatch):
    """Give a lit octahedron prepared for a device, or for the CPU."""
    builder.neural(weights=builder.bytes(octahedron().to_bytes()))
    builder.neural(placed(0.8, 0.4, 0.0, scale=0.5), weights=builder.bytes(octahedron(0.6).to_bytes()))
    builder.light(type="SUN", energy=2.0)
    scene = builder.scene(world_color=(0.1, 0.12, 0.15))

    def prepare(device):
        return prepared(builder, scene, device and fake_driver.session(device), monkeypatch)

    return prepare


def check_same(whole, parts, samples):
    """All planes are equal, but that a whole's colours are added light by light, and tiles' also round by round."""
    for name in PLANES[1:]:
        assert np.array_equal(whole[name], parts[name]), name
    apart = np.abs(whole["combined"] - parts["combined"]).max()
    additions = 4 * (samples - 1)  # background, emission, sun and world; each is off by 2^-24, on either way
    assert apart <= additions * 2.0**-23 * parts["combined"].max()


def on_the_host(scene_on, monkeypatch, wanted):
    """Draw in tiles where the sums of the whole picture would take more than half of the memory."""
    device = CopyingDevice()
    on_device = scene_on(device)
    assert device_frame.device_scene(on_device) is not None
    session = on_device.neural[0].tracer.session
    rows, columns = wanted.window[3] - wanted.window[1], wanted.window[2] - wanted.window[0]
    with monkeypatch.context() as patch:
        patch.setattr("engine.cuda.session.KEPT_FREE", 0)
        fake_driver.fill_up(device, session, but=110 * rows * columns)
        parts = render_picture(on_device, wanted)
    assert isinstance(parts.planes, dict)
    names = [name for name, *_ in device.launches]
    assert "finish_frames" not in names and names.count("begin_pixels") > 3 * wanted.samples
    return parts


@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize("region", [None, (10, 5, 70, 50)])
def test_planes_finished_on_the_device_are_those_finished_from_tiles(scene_on, monkeypatch, samples, region):
    device = CopyingDevice()
    whole = render_picture(scene_on(device), request(samples=samples, region=region))
    assert isinstance(whole.planes, DevicePlanes) and list(whole.planes) == list(PLANES)
    names = [name for name, _, _, _ in device.launches]
    assert names.count("finish_frames") == len({1, 2, 4, samples} & set(range(samples + 1)))
    parts = on_the_host(scene_on, monkeypatch, request(samples=samples, region=region))
    assert whole.size == parts.size
    check_same(whole.planes, parts.planes, samples)
    assert (parts.planes["depth"] < 1.0).any() and (parts.planes["depth"] == 1.0).any()


def test_every_round_leaves_a_picture_of_its_own_and_memory_is_given_back(scene_on):
    device = CopyingDevice()
    on_device = scene_on(device)
    pictures = list(render_rounds(on_device, request(samples=4), lambda: False))
    held = [picture.planes["combined"].copy() for picture in pictures]
    assert [picture.samples for picture in pictures] == [1, 2, 4]
    assert not np.array_equal(held[0], held[1]) and not np.array_equal(held[1], held[2])
    pool = on_device.neural[0].tracer.session.pool()
    pool.trim()
    num_blocks = len(device.memory)
    del pictures
    pool.trim()
    assert len(device.memory) == num_blocks - 3


@pytest.mark.parametrize("samples", [1, 5])
def test_picture_larger_than_a_tile_stays_on_the_device_and_is_the_same(scene_on, monkeypatch, samples):
    whole = render_picture(scene_on(CopyingDevice()), request(samples=samples)).planes
    monkeypatch.setattr(device_frame, "LARGEST_TILE", 1000)
    device = CopyingDevice()
    tiles = render_picture(scene_on(device), request(samples=samples)).planes
    assert isinstance(tiles, DevicePlanes)
    assert [name for name, *_ in device.launches].count("begin_pixels") == 7 * samples
    for name in PLANES:
        assert np.array_equal(whole[name], tiles[name]), name


def test_memory_that_ends_in_the_first_round_goes_on_in_smaller_tiles(scene_on, monkeypatch, caplog):
    """Memory ends amid a tile, after some launches: what they added is not added twice."""
    monkeypatch.setattr(device_frame, "SMALLEST_TILE", 100)
    expected = render_picture(scene_on(CopyingDevice()), request(samples=2)).planes
    device = CopyingDevice()
    on_device = scene_on(device)
    allocate, asked = device.allocate, []

    def short(num_bytes):  # a march finds no place for its queue, once
        if any(name == "begin_lights" for name, *_ in device.launches) and num_bytes <= 512 and not asked:
            asked.append(num_bytes)
            raise DeviceMemoryError("the GPU's memory is full (CUDA_ERROR_OUT_OF_MEMORY)")
        return allocate(num_bytes)

    device.allocate = short
    session = on_device.neural[0].tracer.session
    zeros = session.zeros
    monkeypatch.setattr(session, "zeros", lambda size: session.pool().trim() or zeros(size))
    with caplog.at_level("INFO"):
        actual = render_picture(on_device, request(samples=2)).planes
    assert asked and "going on in tiles of 3072 pixels" in caplog.text
    assert isinstance(actual, DevicePlanes)
    for name in PLANES:
        assert np.array_equal(expected[name], actual[name]), name


def test_memory_that_ends_in_a_later_round_leaves_the_picture_to_the_cpu(scene_on, monkeypatch, caplog):
    device = CopyingDevice()
    on_device = scene_on(device)
    rounds = render_rounds(on_device, request(samples=2), lambda: False)
    first = next(rounds)
    fake_driver.fill_up(device, on_device.neural[0].tracer.session)
    second = next(rounds)
    assert second.samples == 1 and "the CPU draws this picture" in caplog.text  # it begins anew
    assert np.abs(first.planes["view_z"] - second.planes["view_z"]).max() < 1e-4


def test_second_picture_allocates_nothing(scene_on):
    device = CopyingDevice()
    on_device = scene_on(device)
    render_picture(on_device, request())
    asked = device.allocations
    render_picture(on_device, request())
    assert device.allocations == asked


# ---- into the file


def slot_of(frames, slot, planes=PLANES):
    return frames.slots.planes(slot, planes, *SIZE)


@pytest.fixture
def frames(tmp_path):
    file = FrameFile(tmp_path)
    yield file
    file.close()


def test_picture_goes_to_its_slot_in_one_copy_by_page_locked_memory(scene_on, frames):
    device = CopyingDevice()
    picture = render_picture(scene_on(device), request())
    engine_side = FrameSlots.open(frames.resize(frame_bytes(PLANES, *SIZE), 3))
    for slot in (1, 2):
        device.targets.clear()
        memory = engine_side.memory
        picture.copy_to(engine_side.planes(slot, PLANES, *SIZE), memory)
        start = memory.ctypes.data + slot * engine_side.slot_bytes
        assert device.targets == [(start, frame_bytes(PLANES, *SIZE))]
    (locked,) = device.shared  # all slots, once, on whole pages
    assert (locked.ctypes.data, locked.nbytes) == (memory.ctypes.data, 3 * engine_side.slot_bytes)
    assert locked.ctypes.data % mmap.PAGESIZE == 0 and locked.nbytes % mmap.PAGESIZE == 0
    seen = {name: view.copy() for name, view in slot_of(frames, 2).items()}  # by the other side's mapping
    assert all(np.array_equal(seen[name], picture.planes[name]) for name in PLANES)
    assert not any(view.any() for view in slot_of(frames, 0).values())


def test_file_that_is_mapped_anew_is_locked_anew_and_the_old_mapping_let_go_first(scene_on, frames):
    device = CopyingDevice()
    picture = render_picture(scene_on(device), request())
    first = FrameSlots.open(frames.resize(frame_bytes(PLANES, *SIZE), 2))
    picture.copy_to(first.planes(0, PLANES, *SIZE), first.memory)
    second = FrameSlots.open(frames.resize(2 * frame_bytes(PLANES, *SIZE), 2))
    first.close()  # as the server does; the session still holds the mapping that is locked
    assert device.shared[0][: frame_bytes(PLANES, *SIZE)].any()  # its pages can still be read
    picture.copy_to(second.planes(1, PLANES, *SIZE), second.memory)
    assert device.let_go == 1
    (locked,) = device.shared
    assert locked.ctypes.data == second.memory.ctypes.data and locked.nbytes == 2 * second.slot_bytes
    assert np.array_equal(slot_of(frames, 1)["depth"], picture.planes["depth"])


def test_lock_ends_when_it_is_released_and_not_on_a_lost_device(scene_on, frames):
    device = CopyingDevice()
    session = fake_driver.session(device)
    slots = FrameSlots.open(frames.resize(4096, 1))
    assert session.share(slots.memory) and session.share(slots.memory)
    session.release_shared()
    assert device.pinned == [] and device.let_go == 1
    assert session.share(slots.memory)
    session.lost = True
    session.release_shared()  # the driver would refuse; the process's end lets go
    assert device.let_go == 1


def test_file_that_cannot_be_locked_is_filled_by_a_copy_more(scene_on, frames, caplog):
    device = CopyingDevice(can_pin=False)
    picture = render_picture(scene_on(device), request())
    slots = FrameSlots.open(frames.resize(frame_bytes(PLANES, *SIZE), 2))
    with caplog.at_level("INFO"):
        for slot in (0, 1):
            picture.copy_to(slots.planes(slot, PLANES, *SIZE), slots.memory)
    assert caplog.text.count("cannot be page-locked") == 1
    for slot in (0, 1):
        assert all(np.array_equal(slot_of(frames, slot)[n], picture.planes[n]) for n in PLANES)


def test_planes_of_the_cpu_are_copied_as_before(scene_on, frames):
    picture = render_picture(scene_on(None), request(("depth", "combined")))
    slots = FrameSlots.open(frames.resize(frame_bytes(("depth", "combined"), *SIZE), 1))
    picture.copy_to(slots.planes(0, ("depth", "combined"), *SIZE), slots.memory)
    seen = slot_of(frames, 0, ("depth", "combined"))
    assert picture.size == SIZE[::-1]
    assert all(np.array_equal(seen[name], picture.planes[name]) for name in seen)


# ---- the worker


class Sent:
    """The stream's end that the worker writes to."""

    def __init__(self):
        self.messages = []

    def send(self, message):
        self.messages.append(message)


def worker_with(picture, frames):
    board, sent = ViewBoard(), Sent()
    worker = RenderWorker(sent, board, None)
    worker.slots = FrameSlots.open(frames.resize(frame_bytes(PLANES, *SIZE), 2))
    message = RenderView(
        view="view",
        request=7,
        scene_id="s",
        camera=camera(),
        width=SIZE[0],
        height=SIZE[1],
        planes=PLANES,
        slots=(1,),
    )
    board.request(message)
    ticket = board.wait_for_work()
    ticket.undelivered, ticket.finished = picture, True
    return worker, board, ticket, sent


def test_worker_delivers_a_devices_picture_into_the_granted_slot(scene_on, frames):
    device = CopyingDevice()
    picture = render_picture(scene_on(device), request())
    worker, _, ticket, sent = worker_with(picture, frames)
    worker._deliver(ticket)
    (ready,) = sent.messages
    assert isinstance(ready, FrameReady) and (ready.slot, ready.width, ready.height) == (1, *SIZE)
    assert len(device.shared) == 1
    assert np.array_equal(slot_of(frames, 1)["normal"], picture.planes["normal"])


def test_slot_is_the_views_again_where_the_device_is_lost_on_the_way(scene_on, frames, monkeypatch):
    device = CopyingDevice()
    picture = render_picture(scene_on(device), request())
    worker, board, ticket, sent = worker_with(picture, frames)

    def fail(array, address):
        raise DeviceLostError("the GPU failed (CUDA_ERROR_UNKNOWN)")

    monkeypatch.setattr(device, "download", fail)
    with pytest.raises(DeviceError):
        worker._deliver(ticket)
    assert sent.messages == [] and board.has_slot(ticket)
    assert isinstance(picture, Picture)
