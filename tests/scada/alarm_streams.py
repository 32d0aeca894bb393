"""Samples, engines and what becomes of them, as the tests of alarms write them down."""

import math
from collections.abc import Sequence

from scada.alarms import Alarm, AlarmEngine, Command, Entry, Wiring
from scada.sample import Quality, Sample

START_MS = 1_790_000_000_000
LATENCY_MS = 40


def at(seconds: float, value: float = math.nan, tag: str = "t", reason: str = "", lag_ms: int = LATENCY_MS) -> Sample:
    """A sample; without a value it is BAD."""
    time_ms = START_MS + round(1000 * seconds)
    quality = Quality.BAD if math.isnan(value) else Quality.GOOD
    return Sample(tag, time_ms, time_ms + lag_ms, value, quality, reason)


def run(
    alarms: Sequence[Alarm],
    samples: Sequence[Sample],
    end_s: float = 10_000.0,
    commands: Sequence[Command] = (),
    **more: object,
) -> list[Entry]:
    engine = AlarmEngine(alarms, START_MS, **more)  # type: ignore[arg-type]
    for command in commands:
        engine.command(command)
    return engine.take(samples) + engine.finish(START_MS + round(1000 * end_s))


def told(entries: Sequence[Entry]) -> list[tuple[float, str, str, str]]:
    """Seconds, alarm, event and state of entries."""
    return [((e.time_ms - START_MS - LATENCY_MS) / 1000, e.alarm, e.event, e.after) for e in entries]


def course(entries: Sequence[Entry]) -> list[tuple[float, str]]:
    return [(seconds, event) for seconds, _, event, _ in told(entries)]


STATION = Wiring(
    {f"d{d}.t{k}": f"d{d}" for d in range(3) for k in range(50)}, {"d0": "gw", "d1": "gw"}, away_delay_s=30.0
)
MISSING = [Alarm(tag, kind, window_s=100.0 if kind == "stale" else 0.0) for tag in STATION.device_of
           for kind in ("bad", "stale")]  # fmt: skip


def slot(seconds: float, *devices: str, value: float = math.nan, reason: str = "timeout") -> list[Sample]:
    names = [tag for tag, device in STATION.device_of.items() if device in devices]
    return [at(seconds, value, tag, reason if math.isnan(value) else "") for tag in names]


def raised(entries: Sequence[Entry]) -> list[str]:
    return [e.alarm for e in entries if e.after == "unacknowledged" != e.before]
