"""Networks made ready for the GPU on another thread: what a view gets while a training goes on."""

import threading
from dataclasses import dataclass

import pytest
from neural_implicit.addon.solid_view import prepared
from neural_implicit.addon.solid_view.prepared import Preparation

MESH, OTHER = 7, 8
LONGEST_S = 20.0


@dataclass(frozen=True)
class Made:
    data: bytes
    time: float


class Gate:
    """Stands for `prepare`; each call ends when `let` is called."""

    def __init__(self):
        self.began, self._let = [], threading.Semaphore(0)

    def __call__(self, data, time):
        self.began.append(data)
        assert self._let.acquire(timeout=LONGEST_S)
        return Made(data, time)

    def let(self, count=1):
        self._let.release(count)


@pytest.fixture
def gate(monkeypatch):
    gate = Gate()
    monkeypatch.setattr(prepared, "prepare", gate)
    return gate


@pytest.fixture
def preparation(gate):
    made = Preparation()
    yield made
    gate.let(100)
    made.clear()


def wait(condition):
    deadline = threading.Event()
    for _ in range(int(LONGEST_S / 0.01)):
        if condition():
            return
        deadline.wait(0.01)
    raise AssertionError("it never came")


def test_a_training_faster_than_this_is_drawn_all_the_same(preparation, gate):
    assert preparation.get(b"1", 0.0, MESH) is None
    wait(lambda: gate.began == [b"1"])
    for snapshot in (b"2", b"3", b"4"):  # while the first is being made
        assert preparation.get(snapshot, 0.0, MESH) is None
    gate.let()
    wait(lambda: gate.began == [b"1", b"4"])  # those between are left out
    assert preparation.get(b"4", 0.0, MESH) == Made(b"1", 0.0)
    assert preparation.get(b"5", 0.0, MESH) == Made(b"1", 0.0)
    gate.let(2)
    wait(lambda: preparation.get(b"5", 0.0, MESH) == Made(b"5", 0.0))
    assert not preparation.pending


def test_meshes_wait_for_each_other_and_lose_nothing(preparation, gate):
    assert preparation.get(b"1", 0.0, MESH) is None
    assert preparation.get(b"2", 0.0, OTHER) is None
    assert preparation.pending
    gate.let(2)
    wait(lambda: not preparation.pending)
    assert preparation.get(b"1", 0.0, MESH) == preparation.get(b"1", 0.0, OTHER) == Made(b"1", 0.0)
    assert preparation.get(b"2", 0.0, OTHER) == Made(b"2", 0.0)


def test_what_was_left_out_is_made_when_it_is_asked_for_again(preparation, gate):
    for snapshot in (b"1", b"2", b"3"):
        preparation.get(snapshot, 0.0, MESH)
    gate.let(3)
    wait(lambda: not preparation.pending)
    wait(lambda: preparation.get(b"2", 0.0, MESH) == Made(b"2", 0.0))  # an undo


def test_another_moment_is_never_shown(preparation, gate):
    gate.let()
    wait(lambda: preparation.get(b"1", 0.0, MESH) == Made(b"1", 0.0))
    assert preparation.get(b"1", 0.5, MESH) is None


def test_damaged_bytes_are_shown_by_the_proxy(preparation, monkeypatch):
    def refuse(data, time):
        raise ValueError("damaged")

    monkeypatch.setattr(prepared, "prepare", refuse)
    preparation.get(b"1", 0.0, MESH)
    wait(lambda: not preparation.pending)
    assert preparation.get(b"1", 0.0, MESH) is None
