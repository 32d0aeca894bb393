"""Profiles and queries of a configuration, as `scada` takes them."""

from __future__ import annotations

import csv
from dataclasses import fields
from pathlib import Path

from scada.drops.profile import Point, Profile
from scada.drops.query import Query
from scada.sample import Quality
from scada.tagtext import read_text
from umanflow.config import Config
from umanflow.errors import ConfigError, UserError
from umanflow.ingestconfig import FilesSection, PointSection, QuerySection

__all__ = ["profiles_of", "queries_of"]

_MAP = ("point", "tag", "unit", "scale", "offset")
_OWN = {"points", "quality_words", "zone"}


def profiles_of(config: Config, folder: str | None = None) -> list[Profile]:
    """Profiles for files, in the order they are tried; one that recognises everything where none is configured.

    Parameters
    ----------
    config
    folder
        Only those whose files come there.
    """
    sections = [
        section
        for section in config.ingest.files
        if folder is None or (section.folder or config.ingest.folder) == folder
    ]
    return [_profile(config, section) for section in sections] or [Profile(zone=config.timezone)]


def queries_of(config: Config) -> list[tuple[Query, float]]:
    """Queries, and how often they are asked, s."""
    found = []
    for section in config.ingest.queries:
        url = section.url
        if url.startswith("sqlite:///"):
            url = f"sqlite:///{config.path(url[len('sqlite:///') :])}"
        query = Query(
            section.name, url, section.sql, _profile(config, section), section.overlap_s,
            _start_ms(section), section.since_as, section.timeout_s,
        )  # fmt: skip
        found.append((query, section.interval_s))
    return found


def _start_ms(section: QuerySection) -> int:
    from umanflow.service import milliseconds

    try:
        return milliseconds(section.start, "start") or 0
    except UserError as error:
        raise ConfigError(f"ingest '{section.name}': {error}") from error


def _profile(config: Config, section: FilesSection | QuerySection) -> Profile:
    given = {
        name: value
        for entry in fields(Profile)
        if (name := entry.name) not in _OWN and (value := getattr(section, name, None)) is not None
    }
    words = {word: Quality[meaning.upper()] for meaning, listed in section.quality.items() for word in listed}
    return Profile(**given, points=_points(config, section), quality_words=words, zone=section.zone or config.timezone)


def _points(config: Config, section: FilesSection | QuerySection) -> dict[str, Point]:
    points = _read_map(config.path(section.map)) if section.map else {}
    for name, given in section.points.items():
        if isinstance(given, PointSection):
            points[name] = Point(given.tag, given.unit, given.scale, given.offset)
        else:
            points[name] = Point(given)
    return points


def _read_map(path: Path) -> dict[str, Point]:
    """Read a table of points.

    Raises
    ------
    ConfigError
        With the line that is wrong.
    """
    text, errors = read_text(path)
    if text is None:
        raise ConfigError(str(errors[0]))
    rows = list(csv.reader(text.body.split("\n"), delimiter=text.delimiter))
    names = [name.strip().lower() for name in rows[0]]
    wrong = [name for name in names if name and name not in _MAP]
    if wrong or not {"point", "tag"} <= set(names):
        raise ConfigError(
            f"{path}:{text.first_line}: columns are {', '.join(names)}; write point,tag,unit,scale,offset"
        )
    points: dict[str, Point] = {}
    for line, row in enumerate(rows[1:], start=text.first_line + 1):
        cells = {name: cell.strip() for name, cell in zip(names, row, strict=False)}
        if not any(cells.values()):
            continue
        if not cells.get("point") or not cells.get("tag") or cells["point"] in points:
            raise ConfigError(f"{path}:{line}: point or tag is missing, or the point stands twice; write each once")
        scale, offset = (_number(path, line, cells.get(name, ""), text.has_comma) for name in ("scale", "offset"))
        points[cells["point"]] = Point(
            cells["tag"], cells.get("unit", ""), 1.0 if scale is None else scale, 0.0 if offset is None else offset
        )
    return points


def _number(path: Path, line: int, text: str, has_comma: bool) -> float | None:
    if not text:
        return None
    try:
        return float(text.replace(",", ".") if has_comma else text)
    except ValueError as error:
        raise ConfigError(f"{path}:{line}: '{text}' is no number; write it like 0.1") from error
