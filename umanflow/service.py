"""What runs beside a plant: polling into the historian, and simulated PLCs to practise on."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scada.clock import SystemClock
from scada.deadband import Deadband
from scada.endpoint import Endpoint, parse_url
from scada.plan import plan
from scada.plc.faultfile import FaultFile
from scada.plc.faults import Faults
from scada.reader import Reader, Sink
from scada.sample import Sample
from scada.tag import Tag
from scada.tags import TagTable, read_tags
from umanflow.alarming import alarms_of, evaluating
from umanflow.config import Config
from umanflow.errors import ConfigError, UserError
from umanflow.plant import Plant
from umanflow.store import open_store
from umanflow.twin import Twin

_logger = logging.getLogger(__name__)


def tags_of(config: Config) -> TagTable:
    """Read the configured tag table; every mistake in it is told at once."""
    path = config.path(config.tags.file)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; [tags] file names the tag table")
    return read_tags(path, {device.name for device in config.devices}, config.tags.addressing)


def plan_rows(config: Config) -> list[dict[str, object]]:
    """The requests that polling will make."""
    table = tags_of(config)
    limits = {device.name: device.max_registers for device in config.devices}
    return [
        {
            "device": device,
            "table": request.table,
            "start": request.start,
            "count": request.count,
            "interval_s": request.tags[0].interval_s,
            "tags": len(request.tags),
        }
        for device, tags in table.by_device.items()
        for request in plan(tags, max_registers=limits[device])
    ]


def run_poll(config: Config, duration_s: float | None) -> Reader:
    """Poll until stopped (Ctrl-C, TERM) or for a time; return the reader with its figures."""
    if not config.devices:
        raise ConfigError("the configuration has no [[devices]]; there is nothing to poll")
    table = tags_of(config)
    return asyncio.run(_poll(config, table, duration_s))


async def _poll(config: Config, table: TagTable, duration_s: float | None) -> Reader:
    alarms = alarms_of(config, table)
    store = open_store(config, may_be_away=True)
    deadband = Deadband(table.tags, store.append)
    try:
        store.describe(table.tags)
        devices = [device.settings(config.folder) for device in config.devices]
        async with evaluating(config, alarms, table, store) as take:
            sink = deadband if take is None else _both(deadband, take)
            reader = Reader(devices, list(table.tags), SystemClock(), sink)
            await reader.run(stop=_stop_event(duration_s))
            return reader
    finally:
        try:
            deadband.flush()
        finally:
            store.close()


def _both(first: Sink, second: Sink) -> Sink:
    def take(samples: list[Sample]) -> None:
        try:
            first(samples)
        finally:  # a full disk silences no alarm
            second(samples)

    return take


def _stop_event(duration_s: float | None) -> asyncio.Event:
    """An event that comes with Ctrl-C, TERM or the end of a time."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, stop.set)
        except NotImplementedError:  # not on Windows
            break
    if duration_s is not None:
        loop.call_later(duration_s, stop.set)
    return stop


def status_rows(reader: Reader) -> list[dict[str, object]]:
    """Each device's figures."""
    return [
        {
            "device": name,
            "requests": s.requests,
            "good": s.samples_good,
            "bad": s.samples_bad,
            "lost": s.samples_lost,
            "errors": "; ".join(f"{kind} {count}" for kind, count in sorted(s.errors.items())) or None,
            "last error": s.last_error or None,
            "p50 ms": round(s.p50_ms, 2),
            "p99 ms": round(s.p99_ms, 2),
            "last good": pd.Timestamp(s.last_good_ms, unit="ms", tz="UTC").isoformat() if s.last_good_ms else None,
        }
        for name, s in reader.status.items()
    ]


def run_plc(config: Config, duration_s: float | None) -> None:
    """Serve every configured device on its own address until stopped."""
    table = tags_of(config)
    addresses: dict[Endpoint, dict[int, Sequence[Tag]]] = {}
    for device in config.devices:
        tags = table.by_device.get(device.name, ())
        if tags:
            addresses.setdefault(parse_url(device.url), {})[device.unit] = tags
    if not addresses:
        raise ConfigError("no device of the configuration has tags; there is nothing to serve")
    now_ms = pd.Timestamp.now(tz="UTC").value // 1_000_000
    twin = Twin(config.network_path, list(table.tags), now_ms, config.plc.step_s, config.plc.seed)
    try:
        asyncio.run(_serve(config, twin, addresses, now_ms, duration_s))
    finally:
        twin.close()


async def _serve(
    config: Config,
    twin: Twin,
    addresses: Mapping[Endpoint, Mapping[int, Sequence[Tag]]],
    start_ms: int,
    duration_s: float | None,
) -> None:
    faults = Faults(seed=config.plc.seed)
    names = [device.name for device in config.devices]
    file = FaultFile(config.path(config.plc.faults), faults, start_ms, names) if config.plc.faults else None
    clock = SystemClock()
    began = clock.now_ms()
    tls = config.plc.tls_files(config.folder)
    async with Plant(list(addresses.values()), twin, list(addresses), faults, tls) as plant:
        stop = _stop_event(duration_s)
        await plant.advance(start_ms)
        tick_s = min(1.0, config.plc.step_s / config.plc.speed)
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), tick_s)
            except TimeoutError:
                if file is not None and file.refresh() and file.trouble:
                    _logger.warning("faults stay as they were: %s", file.trouble)
                await plant.advance(start_ms + int((clock.now_ms() - began) * config.plc.speed))


def export_samples(
    config: Config,
    path: Path,
    tags: Sequence[str] | None,
    since: str | None,
    until: str | None,
    known_at: str | None = None,
) -> int:
    """Write samples of the historian to a file; return how many."""
    period = milliseconds(since, "--from"), milliseconds(until, "--to")
    store = open_store(config)
    try:
        return store.export(path, tags, *period, milliseconds(known_at, "--known-at"))
    finally:
        store.close()


def export_days(
    config: Config, folder: Path, tags: Sequence[str] | None, since: str | None, until: str | None
) -> list[Path]:
    """Write samples of the historian to one Parquet file for each day; return the files."""
    period = milliseconds(since, "--from"), milliseconds(until, "--to")
    store = open_store(config)
    try:
        return store.export_days(folder, tags, *period)
    finally:
        store.close()


def milliseconds(text: str | None, option: str) -> int | None:
    """Read a time as UTC ms; a time without a zone is UTC."""
    if text is None:
        return None
    try:
        stamp = pd.Timestamp(text)
    except ValueError as error:
        raise UserError(f"{option}: '{text}' is no time; write 2026-01-05 or 2026-01-05T06:00Z") from error
    stamp = stamp.tz_localize("UTC") if stamp.tz is None else stamp.tz_convert("UTC")
    return int(stamp.value // 1_000_000)
