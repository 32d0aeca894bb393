"""Reads an input file and says everything that is wrong with it at once."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from umanflow.balance.errors import BalanceError
from umanflow.balance.schema import InputFile
from umanflow.balance.units import volume_factor

_NOMINAL_S = 365.0 * 86_400.0
_WORDS = {
    "extra_forbidden": "unknown key; remove it or mend its spelling",
    "missing": "is missing; write it",
}


@dataclass(frozen=True, slots=True)
class Document:
    """An input file as it was read.

    Attributes
    ----------
    path
        Where it is; other files that it names are beside it.
    sha256
        Of its bytes.
    content
        What it says.
    """

    path: Path
    sha256: str
    content: InputFile


def read_input(path: Path) -> Document:
    """Read an input file.

    Raises
    ------
    BalanceError
        If it cannot be read, is no TOML, or says what cannot be: a line for each mistake.
    """
    try:
        data = path.read_bytes()
        table = tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError as error:
        raise BalanceError([f"{path}: no such file; see umanflow balance --example"]) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BalanceError([f"{path}: cannot be read: {error}"]) from error
    lines, content = [], None
    try:
        content = InputFile(**table)
    except ValidationError as error:
        lines = _lines_of(error, table)
    lines += _repeated(table) + _impossible(table)
    if lines or content is None:
        raise BalanceError([f"{path}: {line}" for line in lines])
    return Document(path, hashlib.sha256(data).hexdigest(), content)


def _lines_of(error: ValidationError, table: dict[str, Any]) -> list[str]:
    lines = []
    for found in error.errors():
        where = _place(found["loc"], table)
        words = _WORDS.get(found["type"], found["msg"].removeprefix("Value error, "))
        if found["type"] in ("greater_than_equal", "greater_than") and isinstance(found["input"], (int, float)):
            words = f"{found['input']:g} cannot be; {words[0].lower()}{words[1:]}"
        lines.append(f"{where}: {words}" if where else words)
    return lines


def _place(location: tuple[int | str, ...], table: Any) -> str:
    """Where a mistake is, in the file's words: entries of a list by their names, or counted from 1."""
    words, here = "", table
    for part in location:
        try:
            here = here[part]
        except (LookupError, TypeError):
            here = None
        if isinstance(part, int):
            name = here.get("name") if isinstance(here, dict) else None
            words += f" '{name}'" if isinstance(name, str) and name else f"[{part + 1}]"
        else:
            words += f".{part}" if words else part
    return words


def _repeated(table: dict[str, Any]) -> list[str]:
    """Names that stand twice in a line: errors belong to names, so that two of one name would count as one."""
    lines = []
    for section, entries in table.items():
        names = [entry.get("name") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        twice = sorted({str(name) for name in names if name is not None and names.count(name) > 1})
        lines += [f"{section} '{name}': stands twice; give each a name of its own" for name in twice]
    return lines


def _impossible(table: dict[str, Any]) -> list[str]:
    """What each number allows and all together do not; told even where other lines are wrong."""
    lines = _impossible_districts(table)
    whole = _sum_of(table, "supplied")
    if whole is None:
        return lines
    if whole <= 0.0:
        lines.append("supplied: exports and storage leave nothing to be supplied; check kinds and volumes")
        return lines
    known = {name: _sum_of(table, name) for name in ("billed_metered", "billed_unmetered")}
    billed = sum(value for value in known.values() if value is not None)
    if billed > whole:
        names = " and ".join(name for name, value in known.items() if value)
        lines.append(
            f"{names}: billed {billed:,.0f} m3 is more than supplied {whole:,.0f} m3; check units, periods and meters"
        )
        return lines
    unbilled = sum(_sum_of(table, name) or 0.0 for name in ("unbilled_metered", "unbilled_unmetered"))
    if billed + unbilled > whole:
        lines.append(
            f"authorised consumption {billed + unbilled:,.0f} m3 is more than supplied {whole:,.0f} m3; "
            "check the unbilled lines"
        )
    return lines


def _impossible_districts(table: dict[str, Any]) -> list[str]:
    """Districts in which more was billed than flowed in."""
    sections = table.get("dma")
    lines = []
    for section in sections if isinstance(sections, list) else []:
        if not isinstance(section, dict):
            continue
        found = [_sum_of({**table, "volumes": [section.get(key)]}, "volumes") for key in ("inflow", "billed")]
        if found[0] is not None and found[1] is not None and found[1] > found[0]:
            lines.append(
                f"dma '{section.get('name')}': billed {found[1]:,.0f} m3 is more than the inflow {found[0]:,.0f} m3; "
                "check units, periods and meters"
            )
    return lines


def _sum_of(table: dict[str, Any], section: str) -> float | None:
    """Sum of the volumes of a line as far as they can be read, m3 of a year; None where one is not a plain volume."""
    entries = table.get(section)
    if not isinstance(entries, list):
        return None
    duration = _duration(table)
    found = 0.0
    for entry in entries:
        if not isinstance(entry, dict):
            return None
        volume, unit = entry.get("volume"), entry.get("unit")
        if not isinstance(volume, (int, float)) or not isinstance(unit, str):
            return None
        try:
            value = float(volume) * volume_factor(unit, duration)
        except ValueError:
            return None
        if volume < 0.0 and entry.get("kind") != "stored":
            return None  # which has its own line
        found += -value if entry.get("kind") in ("exported", "stored") else value
    return found


def _duration(table: dict[str, Any]) -> float:
    period = table.get("period")
    try:
        return float((period["to"] - period["from"]).total_seconds()) if isinstance(period, dict) else _NOMINAL_S
    except (LookupError, TypeError, AttributeError):
        return _NOMINAL_S
