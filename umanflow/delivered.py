"""What files and other systems deliver, on its way from the historian to the alarms.

`umanflow ingest` may run beside polling, by itself or once a day; whoever stored a reading, it is looked for in the
historian. What is newer than all that was seen of its tag goes to the alarms, and so does another value for the newest
time; what is older tells nothing of the present.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from scada.alarms import Alarm
from scada.alarms.replay import samples_of
from scada.errors import HistorianError
from scada.historian import Historian
from scada.sample import Sample
from umanflow.config import Config
from umanflow.store import open_store
from umanflow.tagging import delivered_tags

__all__ = ["DeliveredSamples", "Watch", "follow_delivered", "watched_tags"]

_T = TypeVar("_T")
_SHARE = 0.02  # of the time that questions may take
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watch:
    """What the alarms of a tag ask of its past.

    Attributes
    ----------
    back_ms : int
        How far they look back from its newest value, ms.
    fresh_ms : float
        Age at which its newest value is stale, ms.
    """

    back_ms: int = 0
    fresh_ms: float = math.inf


class DeliveredSamples:
    """Reads what is new of some tags.

    Parameters
    ----------
    store : Historian
        For reading alone.
    watched : mapping of str to Watch
    """

    def __init__(self, store: Historian, watched: Mapping[str, Watch]) -> None:
        self._store = store
        self._watched = dict(watched)
        self._seen: dict[str, tuple[int, int]] = {}  # time and arrival of the newest
        self._is_begun = False

    def take(self, now_ms: int) -> list[Sample]:
        """Return what came since the last time, by arrival and time.

        Of a tag that is met for the first time the newest value, and those before it that its alarms look back to.

        Raises
        ------
        HistorianError
            It cannot be asked; the next time brings all.
        """
        newest = {
            name: sample
            for name, sample in self._store.last(list(self._watched)).items()
            if (sample.time_ms, sample.arrival_ms) != self._seen.get(name)
        }
        since_ms = {name: self._since_ms(name, sample) for name, sample in newest.items()}
        # a value that was stale before this began must not pass for one that has just come
        told = [
            name
            for name, sample in newest.items()
            if self._is_begun or now_ms - sample.arrival_ms < self._watched[name].fresh_ms
        ]
        found: list[Sample] = []
        if told:
            end_ms = max(newest[name].time_ms for name in told) + 1
            rows = self._store.range(told, min(since_ms[name] for name in told), end_ms, is_full=True)
            found = [sample for sample in samples_of(rows, ()) if sample.time_ms >= since_ms[sample.tag]]
        self._seen.update({name: (sample.time_ms, sample.arrival_ms) for name, sample in newest.items()})
        self._is_begun = True
        return sorted(found, key=lambda sample: (sample.arrival_ms, sample.time_ms, sample.tag))

    def _since_ms(self, name: str, newest: Sample) -> int:
        """From when on values of a tag are news."""
        if name not in self._seen:
            return newest.time_ms - self._watched[name].back_ms
        return min(self._seen[name][0] + 1, newest.time_ms)  # or another value for the newest time


def watched_tags(config: Config, alarms: Iterable[Alarm]) -> dict[str, Watch]:
    """Delivered tags that alarms look at."""
    delivered = delivered_tags(config).by_name
    found: dict[str, Watch] = {}
    for alarm in alarms:
        for name in {alarm.tag, alarm.expected} & delivered.keys():
            before = found.get(name, Watch())
            is_stale = alarm.kind == "stale"
            found[name] = Watch(
                before.back_ms if is_stale else max(before.back_ms, alarm.window_ms, round(1000 * alarm.on_delay_s)),
                min(before.fresh_ms, alarm.window_ms) if is_stale else before.fresh_ms,
            )
    return found


async def follow_delivered(config: Config, alarms: Iterable[Alarm], take: Callable[[Sequence[Sample]], None]) -> None:
    """Task: give the alarms what is delivered, until cancelled; a historian that is away is asked again.

    Parameters
    ----------
    config
    alarms
    take
        Where samples go.
    """
    watched = watched_tags(config, alarms)
    if not watched:
        return
    store: Historian | None = None
    has_failed = False
    try:
        delivered: DeliveredSamples | None = None
        while True:
            began = time.monotonic()
            try:
                if delivered is None:
                    store = await _done(partial(open_store, config))
                    delivered = DeliveredSamples(store, watched)
                samples = await _done(partial(delivered.take, time.time_ns() // 1_000_000))
                if samples:
                    take(samples)
                has_failed = False
            except HistorianError as error:
                if not has_failed:
                    _logger.warning("alarms of delivered tags wait: %s", error)
                has_failed = True
            except Exception:  # whatever a reading may hold, the next one is looked at
                _logger.exception("looking for delivered values failed; going on")
            await asyncio.sleep(max(config.ingest.poll_s, (time.monotonic() - began) / _SHARE))
    finally:
        if store is not None:
            store.close()


async def _done(work: Callable[[], _T]) -> _T:
    """Do what blocks in a thread, and see it through though we are cancelled."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
