"""What runs beside a plant: polling into the historian, and simulated PLCs to practise on."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from scada.clock import SystemClock
from scada.deadband import Deadband
from scada.endpoint import Endpoint, parse_url
from scada.metrics import MetricsServer, ReaderMetrics
from scada.plc.faultfile import FaultFile
from scada.plc.faults import Faults
from scada.plc.process import Process
from scada.reader import Reader, Sink
from scada.sample import Sample
from scada.tag import Tag, TagTable
from umanflow.alarming import alarms_of, evaluating
from umanflow.config import Config
from umanflow.errors import ConfigError, UserError
from umanflow.ingestprocess import IngestProcess
from umanflow.loggers import LoggedProcess, LoggerGroup, LoggerPortal
from umanflow.plant import Plant
from umanflow.pollstatus import Snapshot, StatusFile, snapshot
from umanflow.store import open_store
from umanflow.tagging import delivered_tags, every_tag, tags_of
from umanflow.twin import Twin

_logger = logging.getLogger(__name__)


def run_poll(config: Config, duration_s: float | None) -> Snapshot:
    """Poll until stopped (Ctrl-C, TERM) or for a time; return how it was at the end."""
    if not config.devices:
        raise ConfigError("the configuration has no [[devices]]; there is nothing to poll")
    table = tags_of(config)
    return asyncio.run(_poll(config, table, duration_s))


async def _poll(config: Config, table: TagTable, duration_s: float | None) -> Snapshot:
    every = every_tag(config) if config.alarms.file else table  # what is delivered may raise alarms too
    alarms = alarms_of(config, every)
    store = open_store(config, may_be_away=True)
    deadband = Deadband(table.tags, store.append)
    files = asyncio.create_task(IngestProcess(config).run()) if config.ingest.is_watching else None
    try:
        store.describe(table.tags)
        devices = [device.settings(config.folder) for device in config.devices]
        async with evaluating(config, alarms, every, store) as evaluate:
            sink = deadband if evaluate is None else _both(deadband, evaluate)
            reader = Reader(devices, list(table.tags), SystemClock(), sink)
            since_ms = SystemClock().now_ms()

            def take(is_running: bool) -> Snapshot:
                return snapshot(reader, store.status, since_ms, is_running)

            status = StatusFile(config.path(config.metrics.status), take) if config.metrics.status else None
            with _served(config, ReaderMetrics(reader, lambda: store.status)):
                # what lives as long as the program is not looked through again: an eighth of the time otherwise
                gc.collect()
                gc.freeze()
                _logger.info("polling %d tags of %d devices into %s", len(table), len(devices), store.status.name)
                keeper = asyncio.create_task(status.keep()) if status is not None else None
                try:
                    await reader.run(stop=_stop_event(duration_s))
                finally:
                    gc.unfreeze()
                    if keeper is not None:
                        keeper.cancel()
                        await asyncio.gather(keeper, return_exceptions=True)
    finally:
        try:
            if files is not None:
                files.cancel()
                await asyncio.wait([files])
            deadband.flush()
        finally:
            store.close()
    if status is not None:
        status.write(False)
    return take(False)


@contextmanager
def _served(config: Config, metrics: ReaderMetrics) -> Iterator[None]:
    """Serve the metrics for the length of a block, where the configuration says so."""
    if config.metrics.address is None:
        yield
        return
    server = MetricsServer(metrics, *config.metrics.address)
    try:
        _logger.info("metrics on http://%s:%d/metrics", config.metrics.address[0], server.port)
        yield
    finally:
        server.close()


def _both(first: Sink, second: Sink) -> Sink:
    def take(samples: Sequence[Sample]) -> None:
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
    groups = _logger_groups(config)
    shown = [*table.tags, *(tag for group in groups for tag in group.tags)]
    twin = Twin(config.network_path, shown, now_ms, config.plc.step_s, config.plc.seed)
    try:
        process: Process = twin
        if groups:
            folder = config.path(config.plc.drops or config.ingest.folder)
            process = LoggedProcess(twin, LoggerPortal(folder, groups, config.timezone, config.plc.seed), now_ms)
        asyncio.run(_serve(config, process, addresses, now_ms, duration_s))
    finally:
        twin.close()


def _logger_groups(config: Config) -> list[LoggerGroup]:
    """Loggers that send files, as configured."""
    if not config.plc.loggers:
        return []
    if not (config.plc.drops or config.ingest.folder):
        raise ConfigError("[[plc.loggers]] have no folder; write [ingest] folder, or [plc] drops")
    delivered = delivered_tags(config)
    groups = []
    for section in config.plc.loggers:
        tags = tuple(tag for tag in delivered if any(fnmatchcase(tag.name, pattern) for pattern in section.tags))
        if not tags:
            raise ConfigError(f"[[plc.loggers]] '{section.name}': no tag of [ingest] tags fits; mend its tags")
        rates = section.late, section.gaps, section.revised
        groups.append(LoggerGroup(section.name, tags, round(1000 * section.delivery_s), *rates))
    return groups


async def _serve(
    config: Config,
    twin: Process,
    addresses: Mapping[Endpoint, Mapping[int, Sequence[Tag]]],
    start_ms: int,
    duration_s: float | None,
) -> None:
    faults = Faults(seed=config.plc.seed)
    names = [device.name for device in config.devices]
    file = FaultFile(config.path(config.plc.faults), faults, start_ms, names) if config.plc.faults else None
    began_s = time.monotonic()  # whoever sets the computer's clock does not turn the city back
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
                await plant.advance(start_ms + int(1000 * (time.monotonic() - began_s) * config.plc.speed))


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
