"""Alarms from samples: the same call live and in replay, with the same journal for the same samples.

Whatever happens has a time: a sample that of its arrival, a command when it was given, the end of a delay when it falls
due. Everything is carried out in the order of these times, and what a sample brings in the same millisecond as another
in the order of sample time and tag; so it does not matter in which portions samples come, nor how often the clock is
looked at. Samples may come out of order by `patience_ms` of arrival. One that comes later still counts as arrived now.
A value that is older than the newest one judged of its tag tells nothing of the present: it is passed over and counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from scada.alarms.alarm import AWAY, Alarm
from scada.alarms.away import Answering
from scada.alarms.board import Board
from scada.alarms.causes import Wiring, complete
from scada.alarms.commands import carry_out
from scada.alarms.conditions import Expectation, Verdict, judge_of
from scada.alarms.entry import Command, Entry
from scada.alarms.standing import Standing
from scada.alarms.timers import Rank, Timers
from scada.sample import Quality, Reason, Sample

__all__ = ["AlarmEngine"]

_PATIENCE_MS = 200
_AT_ONCE = 20_000  # samples that are kept before they are looked at
_ORDER = attrgetter("arrival_ms", "time_ms", "tag", "quality")
_PLAIN = {"LL", "L", "H", "HH", "on", "off", "bad", "stale"}
_STOPPED = Reason.STOPPED.value


class _Channel:
    """The alarms of one tag, and the values that change nothing of them."""

    __slots__ = ("device", "high", "is_plain", "is_quiet", "low", "stale", "standings", "time_ms", "trusted_ms")

    def __init__(self, device: _Device) -> None:
        self.device = device
        self.standings: list[Standing] = []
        self.stale: list[Standing] = []
        self.low, self.high = -math.inf, math.inf
        self.is_plain = self.is_quiet = True
        self.time_ms = self.trusted_ms = -1

    def add(self, standing: Standing) -> None:
        alarm = standing.alarm
        self.standings.append(standing)
        self.is_plain &= alarm.kind in _PLAIN
        if alarm.kind in {"H", "HH"}:
            self.high = min(self.high, alarm.limit)
        elif alarm.kind in {"L", "LL"}:
            self.low = max(self.low, alarm.limit)
        elif alarm.kind == "on":
            self.high = min(self.high, math.nextafter(0.5, 0.0))
        elif alarm.kind == "off":
            self.low = max(self.low, 0.5)
        elif alarm.kind == "stale":
            self.stale.append(standing)

    def look(self) -> None:
        """Find out whether all alarms are at rest."""
        self.is_quiet = self.is_plain and all(standing.is_at_rest for standing in self.standings)


class _Gateway:
    """A gateway and how many of its devices are lost."""

    __slots__ = ("devices", "lost", "standing")

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.devices = self.lost = 0


class _Device(Answering):
    """A device, its alarm and its gateways, the farthest first; without them nothing comes of its silence."""

    __slots__ = ("gateways", "standing")

    def __init__(self) -> None:
        super().__init__()
        self.standing: Standing | None = None
        self.gateways: tuple[_Gateway, ...] = ()


class AlarmEngine:
    """Evaluates alarms.

    Parameters
    ----------
    alarms : iterable of Alarm
        A checked table; alarms of silent devices and gateways are added to it.
    start_ms : int
        When evaluation begins, UTC ms: values are missed from then on.
    wiring : Wiring, optional
    sources : mapping of str to Expectation, optional
        What alarms may expect beside the values of other tags.
    run : str
        Names the entries it makes; unique for each run of a program that stores them.
    patience_ms : int
        How far out of order samples may arrive, ms.

    Attributes
    ----------
    board : Board
    late : int
        Values passed over since a newer one of their tag was there.
    answers : list of (Command, str)
        Commands carried out, with an empty text, or refused, with the reason; for whoever gave them to take away.
    """

    def __init__(
        self,
        alarms: Iterable[Alarm],
        start_ms: int,
        wiring: Wiring | None = None,
        sources: Mapping[str, Expectation] | None = None,
        run: str = "",
        patience_ms: int = _PATIENCE_MS,
    ) -> None:
        wiring = wiring or Wiring()
        self.late = 0
        self.answers: list[tuple[Command, str]] = []
        self._timers = Timers()
        self._clock_ms = start_ms
        self._patience_ms = patience_ms
        self._samples: list[Sample] = []
        self._newest_ms = start_ms
        self._commands: list[Command] = []
        self.board = Board(complete(alarms, wiring), wiring, self._timers, run, self._listen_again)
        self._channels = self._connect(wiring, sources or {})
        for channel in self._channels.values():
            for standing in channel.stale:
                self._miss_from(channel, standing, start_ms)

    def _connect(self, wiring: Wiring, sources: Mapping[str, Expectation]) -> dict[str, _Channel]:
        by_id, nowhere = self.board.by_id, _Device()
        devices: dict[str, _Device] = {}
        gateways: dict[str, _Gateway] = {}
        for name in dict.fromkeys(wiring.device_of.values()):
            if f"{name}/{AWAY}" not in by_id:
                continue
            device = devices[name] = _Device()
            device.standing = by_id[f"{name}/{AWAY}"]
            above = [gateway for gateway in reversed(wiring.above(name)) if f"{gateway}/{AWAY}" in by_id]
            for gateway in above:
                gateways.setdefault(gateway, _Gateway(by_id[f"{gateway}/{AWAY}"]))
                gateways[gateway].devices += 1
            device.gateways = tuple(gateways[gateway] for gateway in above)
        self._devices = tuple(devices.values())
        channels = {tag: _Channel(devices[name]) for tag, name in wiring.device_of.items() if name in devices}
        for standing in self.board.standings:
            alarm = standing.alarm
            if alarm.kind == AWAY:
                continue
            standing.judge = judge_of(alarm, sources)
            channels.setdefault(alarm.tag, _Channel(nowhere)).add(standing)
            if alarm.kind == "deviation" and alarm.expected not in sources:
                channels.setdefault(alarm.expected, _Channel(nowhere)).add(standing)
        for channel in channels.values():
            channel.look()
        return channels

    def restore(self, newest: Mapping[str, Entry], recent: Iterable[Entry] = ()) -> None:
        """Go on where the journal ends; see :meth:`Board.restore`. To be called before any sample."""
        self.board.restore(newest, recent)
        for device in self._devices:
            is_away = device.standing is not None and device.standing.is_active
            # of a gateway that was away, any answer of any device is news
            is_behind = any(gateway.standing.is_active for gateway in device.gateways)
            if (is_away or is_behind) and not device.is_lost:
                device.is_lost = True
                for gateway in device.gateways:
                    gateway.lost += 1
        for channel in self._channels.values():
            channel.look()

    def restore_untouched(self, newest: Mapping[str, Entry]) -> None:
        """Restore, from a journal that could not be read before, the alarms that nothing has happened to meanwhile."""
        untouched = {
            standing.alarm.id for standing in self.board.standings if not standing.changed_ms and standing.is_at_rest
        }
        self.restore({name: entry for name, entry in newest.items() if name in untouched})

    def take(self, samples: Sequence[Sample]) -> list[Entry]:
        """Take samples; return what became of the alarms so far."""
        self._samples.extend(samples)
        if len(self._samples) >= _AT_ONCE:
            self._newest_ms = max(self._newest_ms, max(sample.arrival_ms for sample in self._samples))
            self._run_until(self._newest_ms - self._patience_ms)
        return self._taken()

    def command(self, command: Command) -> None:
        """Take a command; it is carried out, and answered, when its time has come."""
        self._commands.append(command)

    def advance(self, now_ms: int) -> list[Entry]:
        """Let time pass; return what became of the alarms up to the patience before `now_ms`."""
        self._newest_ms = max(self._newest_ms, now_ms)
        self._run_until(self._newest_ms - self._patience_ms)
        return self._taken()

    def finish(self, end_ms: int) -> list[Entry]:
        """Do all that is left up to and with `end_ms`; at the end of a replay."""
        self._run_until(end_ms + 1)
        return self._taken()

    def _taken(self) -> list[Entry]:
        entries, self.board.entries = self.board.entries, []
        return entries

    def _run_until(self, end_ms: int) -> None:
        """Do everything that happened before `end_ms`."""
        if end_ms <= self._clock_ms:
            return
        ready = [sample for sample in self._samples if sample.arrival_ms < end_ms]
        self._samples = [sample for sample in self._samples if sample.arrival_ms >= end_ms]
        ready.sort(key=_ORDER)
        commands = sorted(
            (command for command in self._commands if command.time_ms < end_ms), key=attrgetter("time_ms", "number")
        )
        self._commands = [command for command in self._commands if command.time_ms >= end_ms]
        done = 0
        for command in commands:
            reach = done
            while reach < len(ready) and ready[reach].arrival_ms <= command.time_ms:
                reach += 1
            self._judge_all(ready[done:reach])
            done = reach
            time_ms = max(command.time_ms, self._clock_ms)
            self._timers.fire(time_ms, self._clock_ms)
            self.answers.append((command, carry_out(self.board, command, time_ms)))
        self._judge_all(ready[done:] if done else ready)
        self._timers.fire(end_ms - 1, self._clock_ms)
        self._clock_ms = end_ms

    def _judge_all(self, samples: list[Sample]) -> None:
        """Judge samples in order; most say that all is well, and are done with in a few steps."""
        channels, timers, clock_ms, good = self._channels, self._timers, self._clock_ms, Quality.GOOD
        for sample in samples:
            time_ms = sample.arrival_ms
            if time_ms < clock_ms:
                time_ms = clock_ms
            if time_ms >= timers.next_ms:
                timers.fire(time_ms, clock_ms)
            channel = channels.get(sample.tag)
            if channel is None:
                continue
            if (
                channel.is_quiet
                and sample.quality is good
                and channel.low <= sample.value <= channel.high
                and sample.time_ms >= channel.time_ms
                and not channel.device.is_lost
            ):
                channel.time_ms = sample.time_ms
                channel.trusted_ms = channel.device.answered_ms = time_ms
            else:
                self._judge(channel, sample, time_ms)

    def _judge(self, channel: _Channel, sample: Sample, time_ms: int) -> None:
        if sample.reason == _STOPPED:  # it tells of the reader, not of the plant
            return
        if sample.quality is Quality.GOOD and math.isnan(sample.value):
            sample = replace(sample, quality=Quality.BAD, reason=Reason.NAN.value)
        self._judge_device(channel.device, sample, time_ms)
        if sample.quality <= Quality.UNCERTAIN:
            if sample.time_ms < channel.time_ms:
                self.late += 1
                return
            channel.time_ms, channel.trusted_ms = sample.time_ms, time_ms
            for standing in channel.stale:
                if not self._timers.is_set(Rank.STALE, standing.index):
                    self._miss_from(channel, standing, time_ms)
        for standing in channel.standings:
            if standing.judge is not None:
                verdict = standing.judge(sample, standing.is_beyond)
                self.board.note(standing, verdict, time_ms, sample.time_ms, sample.value)
        channel.look()

    def _judge_device(self, device: _Device, sample: Sample, time_ms: int) -> None:
        if device.standing is None:
            return
        was_lost = device.is_lost
        verdict = device.judge(sample, time_ms)
        self.board.note(device.standing, verdict, time_ms, sample.time_ms, math.nan)
        if device.is_lost is was_lost:
            return
        for gateway in device.gateways:
            gateway.lost += 1 if device.is_lost else -1
            verdict = Verdict.YES if gateway.lost == gateway.devices else Verdict.NO
            self.board.note(gateway.standing, verdict, time_ms, sample.time_ms, math.nan)

    def _miss_from(self, channel: _Channel, standing: Standing, since_ms: int) -> None:
        """Miss a tag's values when none has come for the window."""

        def look(time_ms: int) -> None:
            since = max(channel.trusted_ms, since_ms)
            if since + standing.alarm.window_ms > time_ms:
                self._miss_from(channel, standing, since)
                return
            self.board.note(standing, Verdict.YES, time_ms, time_ms, math.nan)
            channel.look()

        self._timers.set(Rank.STALE, standing.index, since_ms + standing.alarm.window_ms, look)

    def _listen_again(self, standing: Standing, time_ms: int) -> None:
        """An alarm's cause has ended: values that are still missing are missed from now on."""
        if standing.alarm.kind == "stale":
            self._miss_from(self._channels[standing.alarm.tag], standing, time_ms)
