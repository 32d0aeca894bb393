"""A progress bar on stderr, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_AT_ONCE_S = 0.5
Progress = Callable[[str, float], None]


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a callable (stage, share) that moves a bar; it does nothing when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda stage, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:>10}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"),
        TextColumn("{task.fields[rate]}"), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, TaskID] = {}
        began: dict[str, float] = {}

        def move(stage: str, share: float) -> None:
            if stage not in tasks:
                for done in tasks.values():
                    bar.update(done, completed=1.0)
                tasks[stage] = bar.add_task(stage, total=1.0, rate="")
                began[stage] = bar.get_time()
            elapsed = bar.get_time() - began[stage]
            rate = f"{100.0 * share / elapsed:.3g} %/s" if elapsed > 0.0 else ""
            bar.update(tasks[stage], completed=share, rate=rate)

        yield move


@contextmanager
def counting_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a callable (number done) that moves a bar with the rate and the time left; see `progress_bar`."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task, began, there = bar.add_task(what, total=total, rate=""), bar.get_time(), [0]

        def move(done: int) -> None:
            elapsed = bar.get_time() - began
            if elapsed < _AT_ONCE_S:  # an earlier start has done it: that is no rate
                there[0] = done
            rate = f"{(done - there[0]) / elapsed:.3g}/s" if done > there[0] else ""
            bar.update(task, completed=done, rate=rate)

        yield move
