"""Work that is done side by side with other work, on a second core where there is one."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TypeVar

T = TypeVar("T")


def side_by_side(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Results of some tasks, in their order.

    The first is done here. Each other one is done by a copy of this process, if that may be made; what it changes is
    lost but for its result, so that tasks must not count on what others do. One whose copy fails is done here too.
    """
    if not _may_fork():
        return [task() for task in tasks]
    asked = [_ask(task) for task in tasks[1:]]
    try:
        return [task() if k == 0 else _answer(asked[k - 1][1], task) for k, task in enumerate(tasks)]
    finally:
        for process, here in asked:
            here.close()
            process.kill()  # one that was asked in vain; it may have a handler for anything milder
        for process, _ in asked:
            process.join()


def _may_fork() -> bool:
    """Whether a copy of this process is of use, and safe: a lock that another thread holds would stay locked in it."""
    can = "fork" in multiprocessing.get_all_start_methods() and hasattr(os, "sched_getaffinity")
    is_alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    return can and is_alone and len(os.sched_getaffinity(0)) > 1


def _ask(task: Callable[[], T]) -> tuple[multiprocessing.context.ForkProcess, Connection]:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(task, here, there), daemon=True)
    process.start()
    there.close()
    return process, here


def _do(task: Callable[[], T], here: Connection, there: Connection) -> None:
    here.close()  # or nobody would notice that the other side is gone
    with suppress(Exception):  # it will be raised where it can be dealt with
        there.send(task())


def _answer(here: Connection, task: Callable[[], T]) -> T:
    """What a copy found; where it ended without a word, or in the middle of one, the task is done here."""
    try:
        found: T = here.recv()
    except (EOFError, OSError, pickle.UnpicklingError):
        found = task()
    return found
