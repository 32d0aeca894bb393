"""Polling all devices: one task for each connection, supervised."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable, Sequence

from scada.clock import SET_BACK_MS, Clock
from scada.device import DeviceSettings
from scada.endpoint import Endpoint, parse_url
from scada.errors import ScadaError
from scada.poller import Poller, Sink
from scada.sample import Sample
from scada.status import ReaderStatus
from scada.tag import Tag
from scada.transport import Connection
from scada.unit import Unit

__all__ = ["DeviceSettings", "Reader", "ReaderStatus", "Sink"]

_logger = logging.getLogger(__name__)
_LONGEST_PHASE_MS = 1000
_PHASE_SHARE = 0.1  # of the interval, so that the time of a sample stays true to a tenth of its interval


class Reader:
    """Reads tags from devices for as long as it runs.

    Parameters
    ----------
    devices : sequence of DeviceSettings
    tags : iterable of Tag
        Those of other devices are ignored.
    clock : Clock
    sink : callable
        ``sink(samples)`` is called with a sequence of Sample for each reply or failure, often a
        :class:`scada.readings.Readings`; it must not block for long.
    seed : int
        Of the jitter in pauses.

    Attributes
    ----------
    status : dict of str to ReaderStatus
        By device.
    faults : int
        Exceptions nobody expected; each is logged and the reading goes on.
    sink_errors : int
        Times the sink raised a ScadaError, such as a full disk; the reading goes on.

    Raises
    ------
    ScadaError
        A device is named twice, a URL cannot be used, or a tag does not fit into one request of its device.

    Notes
    -----
    Samples carry the time of their slot: whole multiples of the interval. On a clock that passes by itself the
    connections are staggered by up to a tenth of the interval (one second at most); `arrival_ms` tells how late a reply
    was.
    """

    def __init__(
        self, devices: Sequence[DeviceSettings], tags: Iterable[Tag], clock: Clock, sink: Sink, seed: int = 0
    ) -> None:
        self._clock = clock
        self._sink = sink
        self._is_sink_failing = False
        self._set_back_ms = 0
        self.faults = 0
        self.sink_errors = 0
        self._idle: set[Poller] = set()
        self.status: dict[str, ReaderStatus] = {}
        tags_of: dict[str, list[Tag]] = {}
        for tag in tags:
            tags_of.setdefault(tag.device, []).append(tag)
        groups = _by_connection(devices)
        self._connections: list[Connection] = []
        self._pollers: list[Poller] = []
        for endpoint, group in groups.items():
            # of its own, so that the jitter does not depend on who failed first
            rng = random.Random(f"{seed} {group[0].name}")
            units = [Unit(settings, tags_of.get(settings.name, ()), rng) for settings in group]
            self.status.update({unit.settings.name: unit.status for unit in units})
            holdoff_s = max(settings.socket_holdoff_s for settings in group)
            self._connections.append(Connection(endpoint, group[0].tls, holdoff_s))
            self._pollers.append(Poller(self._connections[-1], units, clock, self._deliver, rng))

    async def run(self, until_ms: int | None = None, stop: asyncio.Event | None = None) -> None:
        """Read until told otherwise; a further run goes on where the last one ended.

        Parameters
        ----------
        until_ms : int, optional
            Slots before this time are read, UTC ms.
        stop : asyncio.Event, optional
            Ends the run when set: requests under way are finished, what was due beside them is recorded as lost.
        """
        for number, poller in enumerate(self._pollers):
            poller.begin(self._phases_ms(poller, number))
        tasks = [asyncio.create_task(self._supervise(poller, until_ms), name=poller.name) for poller in self._pollers]
        for task in tasks:
            self._clock.join(task)  # before any of them runs, or a lockstep clock would leave the late ones behind
        stopper = asyncio.create_task(self._stop_on(stop, tasks)) if stop is not None else None
        try:
            await asyncio.gather(*tasks)
        finally:
            extra = [stopper] if stopper is not None else []
            for task in [*tasks, *extra]:
                task.cancel()
            await asyncio.gather(*tasks, *extra, return_exceptions=True)
            for connection in self._connections:
                connection.close()
            await asyncio.sleep(0)  # lets the closed sockets go

    async def _stop_on(self, stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
        await stop.wait()
        for poller, task in zip(self._pollers, tasks, strict=True):
            poller.is_stopping = True
            if poller in self._idle:
                task.cancel()

    async def _supervise(self, poller: Poller, until_ms: int | None) -> None:
        """Keep one connection going; an error of the clock itself, such as a plant without solution, ends the run."""
        while not poller.is_stopping and (wake_ms := poller.next_wake_ms(until_ms)) is not None:
            self._idle.add(poller)
            try:
                await self._clock.sleep_until(wake_ms)
            except asyncio.CancelledError:
                if poller.is_stopping:
                    return
                raise
            finally:
                self._idle.discard(poller)
            try:
                await poller.serve_due(until_ms)
                self._tell_clock(poller)
            except Exception:
                self.faults += 1
                _logger.exception("reading %s failed; going on", poller.name)

    def _tell_clock(self, poller: Poller) -> None:
        """Log that the clock was set back, once for all connections."""
        if poller.set_back_ms > self._set_back_ms + SET_BACK_MS:
            behind_s = (poller.set_back_ms - self._set_back_ms) / 1000
            _logger.warning(
                "the computer's clock was set back by %.0f s; the slots of that time are read again", behind_s
            )
            self._set_back_ms = poller.set_back_ms

    def _deliver(self, samples: Sequence[Sample]) -> None:
        try:
            self._sink(samples)
        except ScadaError as error:
            self.sink_errors += 1
            if not self._is_sink_failing:  # once, not for every block
                _logger.error("samples are not stored: %s", error)
            self._is_sink_failing = True
        else:
            self._is_sink_failing = False

    def _phases_ms(self, poller: Poller, number: int) -> list[int]:
        """Spread the connections over a small part of each interval."""
        share = number / len(self._pollers) if self._clock.is_realtime else 0.0
        return [int(share * min(interval_ms * _PHASE_SHARE, _LONGEST_PHASE_MS)) for interval_ms in poller.intervals_ms]


def _by_connection(devices: Sequence[DeviceSettings]) -> dict[Endpoint, list[DeviceSettings]]:
    """Group devices that share a connection, and refuse those that disagree about it."""
    groups: dict[Endpoint, list[DeviceSettings]] = {}
    places: dict[tuple[str, int], tuple[Endpoint, DeviceSettings]] = {}
    names: set[str] = set()
    for settings in devices:
        if settings.name in names:
            raise ScadaError(f"device '{settings.name}' is configured twice; rename one")
        names.add(settings.name)
        endpoint = parse_url(settings.url)
        there, first = places.setdefault(endpoint.place, (endpoint, settings))
        if there != endpoint:
            raise ScadaError(
                f"devices '{first.name}' and '{settings.name}' share a port and differ in its settings"
                f" ({there}, {endpoint}); write the same url for both"
            )
        if first.tls != settings.tls:
            raise ScadaError(
                f"devices '{first.name}' and '{settings.name}' share {endpoint} and differ in their TLS settings;"
                " write the same for both"
            )
        groups.setdefault(endpoint, []).append(settings)
    return groups
