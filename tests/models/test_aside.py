"""Work side by side: what comes of it is what comes of doing it one after another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from models import aside
from models.aside import side_by_side


def square_of(number: int) -> Callable[[], tuple[int, int]]:
    """Who did it, and what came of it."""
    return lambda: (os.getpid(), number**2)


def test_results_come_in_order_from_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "_may_fork", lambda: hasattr(os, "fork"))
    found = side_by_side([square_of(k) for k in range(4)])
    assert [square for _, square in found] == [0, 1, 4, 9]
    if hasattr(os, "fork"):
        assert found[0][0] == os.getpid()
        assert len({process for process, _ in found}) == 4


def test_what_a_copy_dies_of_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "_may_fork", lambda: hasattr(os, "fork"))
    here = os.getpid()

    def deadly() -> int:
        if os.getpid() != here:
            os._exit(3)
        return here

    assert side_by_side([lambda: 1, deadly, lambda: 2]) == [1, here, 2]


def test_an_error_is_told_as_if_it_had_been_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "_may_fork", lambda: hasattr(os, "fork"))

    def wrong() -> int:
        raise RuntimeError("flows cannot be fitted")

    with pytest.raises(RuntimeError, match="cannot be fitted"):
        side_by_side([lambda: 1, wrong])


@pytest.fixture
def deaf() -> Iterator[None]:
    """A process that does not end when it is asked to, as one of a service or of a test's worker."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("deaf")
def test_an_error_here_leaves_no_copy_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that has much to say waits for somebody to listen: it must not wait for ever."""
    monkeypatch.setattr(aside, "_may_fork", lambda: hasattr(os, "fork"))

    def wrong() -> bytes:
        raise RuntimeError("flows cannot be fitted")

    with pytest.raises(RuntimeError, match="cannot be fitted"):
        side_by_side([wrong, lambda: bytes(2_000_000), lambda: bytes(2_000_000)])
    assert multiprocessing.active_children() == []


def test_beside_another_thread_nothing_is_copied() -> None:
    """A lock that it holds would stay locked in the copy for ever."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        found = side_by_side([square_of(k) for k in range(3)])
    finally:
        stop.set()
        thread.join()
    assert {process for process, _ in found} == {os.getpid()}
