"""A schedule of faults as TOML.

::

    [[faults]]
    device = "ps-1"       # left out: every device
    kind = "slow"
    at_s = 600            # after the beginning; left out: at once
    for_s = 120           # left out: until the entry is removed
    every_s = 3600        # left out: once
    share = 0.5           # of the requests; left out: all
    delay_s = 0.5         # slow; spread_s is what may be added
    # code = 6            # exception
    # rate = 0.5          # drift, engineering units an hour
    # tags = ["*.flow"]   # frozen, nan, drift, word-swap; left out: all
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from scada.errors import ScadaError
from scada.plc.faults import Fault, Faults

__all__ = ["KEYS", "FaultFile", "read_faults"]

_NUMBERS = {"at_s", "for_s", "every_s", "share", "delay_s", "spread_s", "rate"}
KEYS = _NUMBERS | {"device", "kind", "tags", "code"}


def read_faults(path: Path, start_ms: int, now_ms: int | None = None, devices: Iterable[str] = ()) -> list[Fault]:
    """Read a schedule.

    Parameters
    ----------
    path : Path
    start_ms : int
        From when `at_s` counts, in the time of the process.
    now_ms : int, optional
        When entries without `at_s` begin; `start_ms` where not given.
    devices : iterable of str
        Names that may stand; none to take any.

    Raises
    ------
    ScadaError
        The file is missing, is no TOML, or an entry of it cannot be; one line tells which.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ScadaError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScadaError(f"{path}: {error}") from error
    entries = table.pop("faults", [])
    if table or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ScadaError(f"{path}: a schedule holds [[faults]] entries and nothing else")
    known = frozenset(devices)
    faults: list[Fault] = []
    for number, entry in enumerate(entries, start=1):
        where = f"{path}: fault {number}"
        try:
            faults.append(_fault(entry, start_ms, start_ms if now_ms is None else now_ms))
        except ScadaError as error:
            raise ScadaError(f"{where}: {error}") from error
        if known and faults[-1].device and faults[-1].device not in known:
            raise ScadaError(f"{where}: no device '{faults[-1].device}'; the configuration names the devices")
    return faults


def _fault(entry: Mapping[str, object], start_ms: int, now_ms: int) -> Fault:
    unknown = sorted(set(entry) - KEYS)
    if unknown:
        raise ScadaError(f"unknown key '{unknown[0]}'; there are {', '.join(sorted(KEYS))}")
    tags = entry.get("tags", [])
    if isinstance(tags, str) or not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ScadaError("tags is no list of names")
    return Fault(
        kind=_text(entry, "kind"),
        device=_text(entry, "device"),
        tags=tuple(tags),
        start_ms=now_ms if "at_s" not in entry else start_ms + round(_number(entry, "at_s", 0.0) * 1000),
        lasts_ms=_milliseconds(entry, "for_s"),
        every_ms=_milliseconds(entry, "every_s"),
        share=_number(entry, "share", 1.0),
        delay_s=_number(entry, "delay_s", 2.0),
        spread_s=_number(entry, "spread_s", 0.0),
        code=round(_number(entry, "code", 4.0)),
        rate=_number(entry, "rate", 1.0),
    )


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str):
        raise ScadaError(f"{key} is no text")
    return value


def _number(entry: Mapping[str, object], key: str, default: float) -> float:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScadaError(f"{key} is no number")
    return float(value)


def _milliseconds(entry: Mapping[str, object], key: str) -> int | None:
    return round(_number(entry, key, 0.0) * 1000) if key in entry else None


class FaultFile:
    """Keeps faults as their file says, whenever it is changed: editing it is how faults are had on demand.

    Parameters
    ----------
    path : Path
    faults : Faults
        Filled from the file.
    start_ms : int
        From when `at_s` counts.
    devices : iterable of str
        Names that may stand; none to take any.

    Raises
    ------
    ScadaError
        As :func:`read_faults`.

    Attributes
    ----------
    trouble : str
        What was wrong with the file when it was read last; the faults before it stay. Empty when all is well.
    """

    def __init__(self, path: Path, faults: Faults, start_ms: int, devices: Iterable[str] = ()) -> None:
        self._path, self._faults, self._start_ms = path, faults, start_ms
        self._devices = tuple(devices)
        self._stamp: tuple[int, int] | None = None
        self._own: list[tuple[Fault, Fault]] = []  # as written with the beginning at zero, and at work
        self.trouble = ""
        self._read()

    def refresh(self) -> bool:
        """Read the file again if it was changed; tell whether it was."""
        if self._stamp == self._stamp_now():
            return False
        try:
            self._read()
            self.trouble = ""
        except ScadaError as error:
            self.trouble = str(error)
        return True

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _read(self) -> None:
        self._stamp = self._stamp_now()
        # the same entry read twice differs by when it was read only: that at work goes on
        written = read_faults(self._path, self._start_ms, -1, self._devices)
        timed = read_faults(self._path, self._start_ms, self._faults.now_ms or self._start_ms, self._devices)
        before = list(self._own)
        own: list[tuple[Fault, Fault]] = []
        for entry, fault in zip(written, timed, strict=True):
            old = next((pair for pair in before if pair[0] == entry), None)
            if old is not None:
                before.remove(old)
                own.append(old)
            else:
                own.append((entry, fault))
                self._faults.begin(fault)
        for _, gone in before:
            self._faults.end(gone)
        self._own = own
