"""How polling goes: kept in a small file, so that `umanflow poll --status` can tell from another terminal."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from scada.historian.settings import HistorianStatus
from scada.reader import Reader, ReaderStatus
from scada.tags import write_whole
from umanflow.errors import UserError

__all__ = ["EVERY_S", "StatusFile", "headline", "read_status", "snapshot", "status_rows"]

EVERY_S = 5.0
_MISSED = 3  # turns without news after which a poller is thought to be gone
_logger = logging.getLogger(__name__)

Snapshot = Mapping[str, Any]


def snapshot(reader: Reader, historian: HistorianStatus, since_ms: int, is_running: bool) -> Snapshot:
    """Everything that is told of a poller, as plain data."""
    return {
        "written_ms": _now_ms(),
        "since_ms": since_ms,
        "is_running": is_running,
        "process": os.getpid(),
        "devices": [_device(name, status) for name, status in reader.status.items()],
        "faults": reader.faults,
        "unstored": reader.sink_errors,
        "historian": {
            "name": historian.name,
            "is_away": historian.is_away,
            "waiting": historian.waiting,
            "spool_samples": historian.spool_samples,
            "spool_bytes": historian.spool_bytes,
            "stored": historian.counters.stored,
            "dropped": historian.counters.dropped,
            "last_error": historian.counters.last_error,
        },
    }


def _device(name: str, s: ReaderStatus) -> dict[str, Any]:
    p50, p99 = s.round_trips.percentiles_ms(50, 99)
    return {
        "device": name,
        "state": s.state.value,
        "requests": s.requests,
        "good": s.samples_good + s.samples_revised,
        "bad": s.samples_bad - s.samples_revised,
        "lost": s.samples_lost,
        "errors": dict(s.errors),
        "last_error": s.last_error,
        "p50_ms": None if math.isnan(p50) else round(p50, 2),
        "p99_ms": None if math.isnan(p99) else round(p99, 2),
        "queued": s.queued,
        "slots_missed": s.slots_missed,
        "last_good_ms": s.last_good_ms,
    }


class StatusFile:
    """Writes the status every few seconds while polling runs, and once more at its end.

    Parameters
    ----------
    path : Path
        The file is replaced whole; its readers never see a part.
    take : callable
        ``take(is_running)`` returns the snapshot.
    """

    def __init__(self, path: Path, take: Callable[[bool], Snapshot]) -> None:
        self._path = path
        self._take = take
        self._has_failed = False
        self._is_over = False
        self._writing = threading.Lock()

    async def keep(self) -> None:
        """Write until cancelled; what is slow about it is done beside the reading."""
        while True:
            await asyncio.to_thread(self.write, True)
            await asyncio.sleep(EVERY_S)

    def write(self, is_running: bool) -> None:
        """Write now; a disk that takes it no longer is told of once, and polling goes on."""
        with self._writing:
            if self._is_over:  # a turn that was under way when polling ended
                return
            self._is_over = not is_running
            try:
                write_whole(self._path, json.dumps(self._take(is_running), ensure_ascii=False))
                self._has_failed = False
            except OSError as error:
                if not self._has_failed:
                    _logger.error("status is not written: %s: %s", self._path, error.strerror or error)
                self._has_failed = True


def read_status(path: Path) -> Snapshot:
    """Read what a poller wrote last.

    Raises
    ------
    UserError
        There is nothing, or it is none of ours.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and "devices" in found:
            return found
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file: nothing has polled with this configuration yet; start umanflow poll, or add"
            " --duration to poll now and print the figures at the end"
        ) from error
    except ValueError as error:
        raise UserError(f"{path}: no status of a poller ({error}); remove it") from error
    raise UserError(f"{path}: no status of a poller; remove it")


def headline(found: Snapshot) -> str:
    """One line: how old the figures are, since when they count, and whether anybody polls."""
    age_s = (_now_ms() - found["written_ms"]) / 1000
    store = found["historian"]
    since = _iso(found["since_ms"])
    if not found["is_running"]:
        how = f"polling ended {age_s:.0f} s ago"
    elif age_s > _MISSED * EVERY_S or not _is_alive(found["process"]):
        how = f"NOBODY POLLS: the last news is {age_s:.0f} s old"
    else:
        how = f"polling, figures of {age_s:.0f} s ago"
    away = ", which is AWAY" if store["is_away"] else ""
    dropped = f", {store['dropped']} dropped" if store["dropped"] else ""
    return (
        f"{how} (since {since}, process {found['process']}); historian {store['name']}{away}: {store['stored']} stored,"
        f" {store['waiting']} wait in memory, {store['spool_samples']} on disk ({store['spool_bytes']} bytes){dropped}"
    )


def status_rows(found: Snapshot) -> list[dict[str, object]]:
    """Each device's figures."""
    now_ms = _now_ms()
    store = found["historian"]
    is_live = found["is_running"] and _is_alive(found["process"])
    return [
        {
            "device": s["device"],
            "state": s["state"],
            "requests": s["requests"],
            "good": s["good"],
            "bad": s["bad"],
            "lost": s["lost"],
            "errors": "; ".join(f"{kind} {count}" for kind, count in sorted(s["errors"].items())) or None,
            "last error": s["last_error"] or None,
            "p50 ms": s["p50_ms"],
            "p99 ms": s["p99_ms"],
            "queued": s["queued"],
            "missed": s["slots_missed"],
            "last good": _iso(s["last_good_ms"]) if s["last_good_ms"] else None,
            "waiting samples": store["waiting"] + store["spool_samples"],
            "age s": round((now_ms - found["written_ms"]) / 1000, 1),
            "polling": is_live,
        }
        for s in found["devices"]
    ]


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # elsewhere asking would end it
        return True
    with suppress(ProcessLookupError):
        with suppress(PermissionError):
            os.kill(process, 0)
        return True
    return False


def _iso(time_ms: int) -> str:
    return pd.Timestamp(time_ms, unit="ms", tz="UTC").isoformat()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
