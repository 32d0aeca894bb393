"""Scenarios in CSV (a spreadsheet opens it: one row an event) and TOML, in the units of the trade.

A row of kind `options` holds what belongs to the whole scenario. Rows of one scenario stand together. Times are `HH:MM`
after the run's beginning, hours above 24 included.
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from hydro.errors import ScenarioError
from hydro.scenario import KINDS, Event, Noise, PressureDriven, Scenario
from networks.whole import whole_file

_OPTIONS = "options"


@dataclass(frozen=True, slots=True)
class _Column:
    """How a column of a file becomes an attribute: its SI factor, or what kind of word it is."""

    attribute: str
    factor: float = 1.0
    kind: str = "number"


# in the order of the CSV's header; several columns may stand for one attribute of different events
_EVENT = {
    "element": _Column("", kind="names"),
    "position": _Column("position"),
    "diameter_mm": _Column("diameter", 1e-3),
    "area_mm2": _Column("area", 1e-6),
    "expansion_mm2_per_m": _Column("expansion", 1e-6),
    "discharge": _Column("discharge"),
    "share": _Column("share"),
    "start": _Column("start", kind="time"),
    "end": _Column("end", kind="time"),
    "growth": _Column("growth", kind="time"),
    "factor": _Column("factor"),
    "flow_m3h": _Column("flow", 1.0 / 3600.0),
    "setting": _Column("value"),
}
_WHOLE = {
    "minimum_m": _Column("minimum"),
    "required_m": _Column("required"),
    "exponent": _Column("exponent"),
    "demand_noise": _Column("demand"),
    "pressure_noise_m": _Column("pressure"),
    "level_noise_m": _Column("level"),
    "flow_noise": _Column("flow"),
    "seed": _Column("seed", kind="whole"),
}
COLUMNS = ("scenario", "kind", *_EVENT, *_WHOLE)
_NUMBERS = {name for name, column in (*_EVENT.items(), *_WHOLE.items()) if column.kind == "number"}
# attribute that the element's name goes to, and whether it may be several
_ELEMENT = {
    "leak": ("pipe", False), "burst": ("pipe", False), "closure": ("link", False), "pump-trip": ("pump", False),
    "power-cut": ("pumps", True), "setting": ("link", False), "surge": ("junctions", True),
    "fire": ("junction", False),
}  # fmt: skip
_AT_NODE = "node:"
_PDD = ("minimum", "required", "exponent")
_TIME = re.compile(r"(?P<hours>[0-9]{1,6}):(?P<minutes>[0-5][0-9])")


# one value ------------------------------------------------------------------------------------------------------------


def _read_value(column: _Column, text: object) -> Any:
    if column.kind == "time":
        return _read_time(str(text))
    try:
        return int(str(text)) if column.kind == "whole" else float(str(text)) * column.factor
    except ValueError:
        raise ScenarioError(f"'{text}' is no {'whole number' if column.kind == 'whole' else 'number'}") from None


def _read_time(text: str) -> int:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ScenarioError(f"time '{text}': write hours and minutes after the run's beginning, such as 06:30 or 30:00")
    return int(match["hours"]) * 3600 + int(match["minutes"]) * 60


def _write_value(column: _Column, value: Any) -> str:
    if column.kind == "time":
        if value % 60:
            raise ScenarioError(f"time {value} s: a file of scenarios knows whole minutes")
        return f"{value // 3600:02d}:{value % 3600 // 60:02d}"
    return str(value) if column.kind == "whole" else repr(float(value) / column.factor)


# one event ------------------------------------------------------------------------------------------------------------


def _read_event(kind: str, cells: dict[str, Any]) -> Event:
    """Make an event of a row's non-empty cells."""
    cls = KINDS.get(kind)
    if cls is None:
        raise ScenarioError(f"kind '{kind}' is unknown; write one of {', '.join([*KINDS, _OPTIONS])}")
    known = {f.name for f in fields(cls)}
    values: dict[str, Any] = {}
    for name, cell in cells.items():
        column = _EVENT.get(name)
        if column is None or (column.attribute and column.attribute not in known):
            raise ScenarioError(f"a {kind} has no {name}; leave the cell empty")
        if column.kind == "names":
            values |= _read_element(kind, cell)
        else:
            values[column.attribute] = _read_value(column, cell)
    needed = {f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING}
    for attribute in sorted(needed - set(values)):
        raise ScenarioError(f"a {kind} needs {_column_of(attribute)}")
    return cls(**values)


def _read_element(kind: str, cell: object) -> dict[str, Any]:
    attribute, several = _ELEMENT[kind]
    names = tuple(map(str, cell)) if isinstance(cell, list) else tuple(str(cell).split())
    if several:
        return {attribute: names}
    if len(names) != 1:
        raise ScenarioError(f"element '{cell}': a {kind} has one element")
    if kind == "leak" and names[0].startswith(_AT_NODE):
        return {"junction": names[0][len(_AT_NODE) :]}
    return {attribute: names[0]}


def _column_of(attribute: str) -> str:
    return next((name for name, column in _EVENT.items() if column.attribute == attribute), "element")


def _write_event(event: Event) -> dict[str, str]:
    kind = event.kind()
    attribute, several = _ELEMENT[kind]
    element = getattr(event, attribute)
    if kind == "leak" and not element:
        element = _AT_NODE + getattr(event, "junction", "")
    row = {"kind": kind, "element": " ".join(element) if several else element}
    defaults = {f.name: f.default for f in fields(event)}
    for name, column in _EVENT.items():
        if column.attribute in defaults:
            value = getattr(event, column.attribute)
            if value is not None and value != defaults[column.attribute]:
                row[name] = _write_value(column, value)
    return row


# one scenario ---------------------------------------------------------------------------------------------------------


def _read_options(cells: dict[str, Any]) -> dict[str, Any]:
    """Read what belongs to the whole scenario."""
    values: dict[str, Any] = {}
    for name, cell in cells.items():
        if name not in _WHOLE:
            raise ScenarioError(f"options have no {name}; leave the cell empty")
        values[name] = _read_value(_WHOLE[name], cell)
    driven = {_WHOLE[n].attribute: v for n, v in values.items() if _WHOLE[n].attribute in _PDD}
    noise = {_WHOLE[n].attribute: v for n, v in values.items() if "noise" in n}
    return {
        "pressure_driven": PressureDriven(**driven) if driven else None,
        "noise": Noise(**noise),
        "seed": values.get("seed", 0),
    }


def _write_options(scenario: Scenario) -> dict[str, str]:
    row: dict[str, str] = {}
    for name, column in _WHOLE.items():
        source: object = scenario.noise if "noise" in name else scenario if name == "seed" else scenario.pressure_driven
        value = getattr(source, column.attribute, None)
        if value or (value is not None and source is scenario.pressure_driven):
            row[name] = _write_value(column, value)
    return row


# CSV ------------------------------------------------------------------------------------------------------------------


def read_csv(path: Path) -> Iterator[Scenario]:
    """Read scenarios one after another, however many there are.

    Raises
    ------
    ScenarioError
        With the file, the line, and how to mend it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _from_rows(path, _rows(path, file))
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: is no UTF-8 text ({error.reason}); save it as CSV UTF-8") from error
    except csv.Error as error:
        raise ScenarioError(f"{path}: is no CSV: {error}") from error


def _rows(path: Path, file: TextIO) -> Iterator[tuple[int, dict[str, str]]]:
    first = file.readline()
    file.seek(0)
    has_semicolons = first.count(";") > first.count(",")  # where a spreadsheet's decimals have commas
    reader = csv.DictReader(file, delimiter=";" if has_semicolons else ",")
    header = [name.strip() for name in reader.fieldnames or []]
    strange = [name for name in header if name not in COLUMNS]
    if strange or not {"scenario", "kind"} <= set(header):
        what = f"column '{strange[0]}' is unknown" if strange else "the columns scenario and kind are missing"
        raise ScenarioError(f"{path}: {what}; the header is {','.join(COLUMNS)}")
    reader.fieldnames = header
    for row in reader:
        if None in row:
            raise ScenarioError(f"{path}: line {reader.line_num}: more cells than the header has columns")
        cells = {name: cell.strip() for name, cell in row.items() if cell and cell.strip()}
        if has_semicolons:
            cells |= {name: cell.replace(",", ".") for name, cell in cells.items() if name in _NUMBERS}
        if cells:
            yield reader.line_num, cells


def _from_rows(path: Path, rows: Iterable[tuple[int, dict[str, str]]]) -> Iterator[Scenario]:
    seen: set[str] = set()
    for name, group in groupby(rows, lambda row: row[1].get("scenario", "")):
        events: list[Event] = []
        options: dict[str, Any] = {}
        for line, cells in group:
            try:
                if not name:
                    raise ScenarioError("the scenario has no name")
                if name in seen and not events and not options:
                    raise ScenarioError(f"scenario '{name}' was there before; let its rows stand together")
                seen.add(name)
                kind = cells.get("kind", "")
                rest = {key: value for key, value in cells.items() if key not in ("scenario", "kind")}
                if kind == _OPTIONS:
                    options = _read_options(rest)
                else:
                    events.append(_read_event(kind, rest))
            except ScenarioError as error:
                raise ScenarioError(f"{path}: line {line}: {error}") from error
        try:
            scenario = Scenario(name, tuple(events), **options)
        except ScenarioError as error:
            raise ScenarioError(f"{path}: scenario '{name}': {error}") from error
        yield scenario


def write_csv(scenarios: Iterable[Scenario], path: Path) -> None:
    """Write scenarios; `read_csv` gives them back.

    Raises
    ------
    ScenarioError
        If a time is no whole minute.
    """
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for scenario in scenarios:
            options = _write_options(scenario)
            if options or not scenario.events:
                writer.writerow({"scenario": scenario.name, "kind": _OPTIONS, **options})
            for event in scenario.events:
                writer.writerow({"scenario": scenario.name, **_write_event(event)})


# TOML -----------------------------------------------------------------------------------------------------------------


def read_toml(path: Path) -> Iterator[Scenario]:
    """Read `[[scenario]]` tables with `[[scenario.event]]` in them; the keys are the CSV's columns.

    Raises
    ------
    ScenarioError
        With the file, the scenario and event by number, and how to mend it.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8-sig")).get("scenario", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: is no TOML: {error}") from error
    if not isinstance(tables, list) or not tables:
        raise ScenarioError(f"{path}: holds no [[scenario]]")
    seen: set[str] = set()
    for number, table in enumerate(tables, 1):
        try:
            if not isinstance(table, dict):
                raise ScenarioError("is no table; write [[scenario]] above its keys")
            scenario = _from_table(table)
            if scenario.name in seen:
                raise ScenarioError(f"scenario '{scenario.name}' was there before")
            seen.add(scenario.name)
        except ScenarioError as error:
            raise ScenarioError(f"{path}: scenario {number}: {error}") from error
        yield scenario


def _from_table(table: dict[str, Any]) -> Scenario:
    """Make one scenario of its table."""
    if not (name := str(table.get("name", ""))):
        raise ScenarioError("it has no name")
    tables = table.get("event", [])
    if not isinstance(tables, list) or not all(isinstance(event, dict) for event in tables):
        raise ScenarioError("its events are no tables; write [[scenario.event]] above the keys of each")
    events = []
    for place, event in enumerate(tables, 1):
        cells = dict(event)
        try:
            events.append(_read_event(str(cells.pop("kind", "")), cells))
        except ScenarioError as error:
            raise ScenarioError(f"event {place}: {error}") from error
    options = _read_options({k: v for k, v in table.items() if k not in ("name", "event")})
    return Scenario(name, tuple(events), **options)


def write_toml(scenarios: Iterable[Scenario], path: Path) -> None:
    """Write scenarios; `read_toml` gives them back."""
    lines: list[str] = []
    for scenario in scenarios:
        lines += ["[[scenario]]", f"name = {_quoted(scenario.name)}"]
        lines += [f"{key} = {value}" for key, value in _write_options(scenario).items()]
        for event in scenario.events:
            lines += ["", "[[scenario.event]]"]
            row = _write_event(event)
            lines += [f"{key} = {_toml_value(key, value)}" for key, value in row.items() if value]
        lines.append("")
    with whole_file(path) as temporary:
        temporary.write_text("\n".join(lines), "utf-8")


def _toml_value(key: str, value: str) -> str:
    column = _EVENT.get(key)
    return _quoted(value) if column is None or column.kind in ("names", "time") else value


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # JSON's escapes are TOML's


# either ---------------------------------------------------------------------------------------------------------------


def read_scenarios(path: Path | str) -> Iterator[Scenario]:
    """Read a .csv or .toml.

    Raises
    ------
    ScenarioError
        If the ending is another, or the file cannot be read.
    """
    path, readers = Path(path), {".csv": read_csv, ".toml": read_toml}
    if path.suffix.lower() not in readers:
        raise ScenarioError(f"{path}: a file of scenarios ends in .csv or .toml")
    if not path.is_file():
        raise ScenarioError(f"{path}: there is no such file")
    return readers[path.suffix.lower()](path)


def write_scenarios(scenarios: Iterable[Scenario], path: Path | str) -> None:
    """Write a .csv or .toml; the file appears whole or not at all."""
    path, writers = Path(path), {".csv": write_csv, ".toml": write_toml}
    if path.suffix.lower() not in writers:
        raise ScenarioError(f"{path}: a file of scenarios ends in .csv or .toml")
    writers[path.suffix.lower()](scenarios, path)
