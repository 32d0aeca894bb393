"""Alarms of samples that are stored: what this table would have told, or did tell.

The samples go through the engine as they came live, in the order of their arrival, those that were revised later as
they were first and then as they became; so without deadbands the journal is the one that polling made. Of tags with a
deadband the slots that were left out are filled in with the value before them, which is what was read to within the
deadband.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from scada.alarms.alarm import Alarm
from scada.alarms.causes import Wiring
from scada.alarms.conditions import Expectation
from scada.alarms.engine import AlarmEngine
from scada.alarms.entry import Command, Entry
from scada.deadband import LONGEST_SLOTS
from scada.sample import Quality, Reason, Sample
from scada.tag import Tag

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["replay", "samples_of"]


def replay(
    alarms: Iterable[Alarm],
    rows: pd.DataFrame,
    tags: Iterable[Tag],
    from_ms: int,
    to_ms: int,
    wiring: Wiring | None = None,
    sources: Mapping[str, Expectation] | None = None,
    commands: Sequence[Command] = (),
) -> list[Entry]:
    """Return the journal of stored samples.

    Parameters
    ----------
    alarms : iterable of Alarm
        A checked table.
    rows : DataFrame
        From :meth:`scada.historian.Historian.range` with ``is_full`` and ``is_every``.
    tags : iterable of Tag
        For their deadbands.
    from_ms, to_ms : int
        When evaluation begins and ends, UTC ms.
    wiring : Wiring, optional
    sources : mapping of str to Expectation, optional
    commands : sequence of Command
        What people did, with the times they did it.
    """
    engine = AlarmEngine(alarms, from_ms, wiring, sources)
    for command in commands:
        engine.command(command)
    return engine.take(samples_of(rows, tags)) + engine.finish(to_ms)


def samples_of(rows: pd.DataFrame, tags: Iterable[Tag]) -> list[Sample]:
    """Return stored rows as samples, with the slots that a deadband left out."""
    intervals = {tag.name: tag.interval_ms for tag in tags if tag.deadband}
    columns = [
        rows["tag"].tolist(),
        rows["time"].astype("int64").tolist(),
        rows["arrival"].astype("int64").tolist(),
        rows["value"].tolist(),
        rows["quality"].tolist(),
        rows["reason"].tolist(),
    ]
    found: list[Sample] = []
    last: dict[str, Sample] = {}
    for name, time_ms, arrival_ms, value, quality, reason in zip(*columns, strict=True):
        sample = Sample(name, time_ms, arrival_ms, value, Quality(quality), reason)
        interval_ms = intervals.get(name)
        if interval_ms is not None:
            before = last.get(name)
            if before is not None and reason == Reason.UNCHANGED:
                found.extend(_between(before, sample, interval_ms))
            last[name] = sample
        found.append(sample)
    return found


def _between(before: Sample, after: Sample, interval_ms: int) -> Iterator[Sample]:
    if after.time_ms - before.time_ms > LONGEST_SLOTS * interval_ms:
        return
    lag_ms = before.arrival_ms - before.time_ms
    for time_ms in range(before.time_ms + interval_ms, after.time_ms, interval_ms):
        yield replace(before, time_ms=time_ms, arrival_ms=time_ms + lag_ms)
