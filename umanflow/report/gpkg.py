"""A report as a GeoPackage for QGIS, written with SQLite alone (OGC 12-128r18, version 1.3)."""

from __future__ import annotations

import math
import sqlite3
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from umanflow.report.case import Case
from umanflow.report.content import Content
from umanflow.report.site import Site

_APPLICATION = 0x47504B47
_VERSION = 10300
_UNKNOWN_SRS = -1  # "undefined Cartesian": where on Earth the coordinates lie is not known
_OWN_SRS = 100_000
_TIME = "%Y-%m-%d %H:%M:%S"
_TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL, min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
  srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys(srs_id),
  z TINYINT NOT NULL, m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name));
"""

Points = Sequence[tuple[float, float]]
Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: its name, geometry, columns with their SQL types, and rows of points and values."""

    name: str
    geometry: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Points, tuple[Value, ...]], ...]


def render_gpkg(content: Content, site: Site) -> bytes:
    """Write leaks, candidates, valves to shut, sensors and pipes as layers; the same content gives the same bytes.

    Coordinates are the model's, in its reference system; where that is unknown the layers say so.
    """
    layers = [
        _leaks(content, site),
        _candidates(content, site),
        _valves(content, site),
        _sensors(content, site),
        _pipes(site),
    ]
    with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
        path = Path(folder) / "report.gpkg"
        base = sqlite3.connect(path)
        try:
            base.execute(f"PRAGMA application_id = {_APPLICATION}")
            base.execute(f"PRAGMA user_version = {_VERSION}")
            base.executescript(_TABLES)
            srs = _reference_systems(base, content.crs)
            for layer in layers:
                _write(base, layer, srs, content.period_end)
            base.commit()
        finally:
            base.close()
        return path.read_bytes()


def _reference_systems(base: sqlite3.Connection, crs: str | None) -> int:
    wgs84 = CRS.from_epsg(4326).to_wkt("WKT1_GDAL")
    rows = [
        ("Undefined Cartesian SRS", _UNKNOWN_SRS, "NONE", _UNKNOWN_SRS, "undefined", None),
        ("Undefined geographic SRS", 0, "NONE", 0, "undefined", None),
        ("WGS 84", 4326, "EPSG", 4326, wgs84, None),
    ]
    own = _UNKNOWN_SRS
    try:
        system = CRS.from_user_input(crs) if crs is not None else None
    except CRSError:
        system = None
    if system is not None:
        authority = system.to_authority()
        number = int(authority[1]) if authority is not None and authority[1].isdigit() else _OWN_SRS
        own = number
        if number != 4326:
            name = authority[0] if authority is not None else "NONE"
            rows.append((system.name, number, name, number, system.to_wkt("WKT1_GDAL"), None))
    base.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", rows)
    return own


def _write(base: sqlite3.Connection, layer: Layer, srs: int, date: datetime) -> None:
    columns = "".join(f', "{name}" {kind}' for name, kind in layer.columns)
    base.execute(
        f'CREATE TABLE "{layer.name}" (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom {layer.geometry}{columns})'
    )
    places = ", ".join("?" * (len(layer.columns) + 1))
    names = ", ".join(["geom", *(f'"{name}"' for name, _ in layer.columns)])
    rows = [(_blob(points, srs), *values) for points, values in layer.rows]
    base.executemany(f'INSERT INTO "{layer.name}" ({names}) VALUES ({places})', rows)
    every = [point for points, _ in layer.rows for point in points]
    box = (
        (min(x for x, _ in every), min(y for _, y in every), max(x for x, _ in every), max(y for _, y in every))
        if every
        else (None, None, None, None)
    )
    stamp = date.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    base.execute(
        "INSERT INTO gpkg_contents VALUES (?, 'features', ?, '', ?, ?, ?, ?, ?, ?)",
        (layer.name, layer.name, stamp, *box, srs),
    )
    base.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)", (layer.name, layer.geometry, srs))


def _blob(points: Points, srs: int) -> bytes | None:
    """A GeoPackage geometry: header, envelope, and a point or line as little-endian WKB; None for no points."""
    if not points:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    head = b"GP" + struct.pack("<BBi4d", 0, 0b11, srs, min(xs), max(xs), min(ys), max(ys))
    if len(points) == 1:
        return head + struct.pack("<BI2d", 1, 1, *points[0])
    flat = [value for point in points for value in point]
    return head + struct.pack(f"<BII{len(flat)}d", 1, 2, len(points), *flat)


def _line(site: Site, pipe: str) -> Points:
    topology = site.topology
    link = topology.link_index.get(pipe)
    if link is None:
        return ()
    ends = [topology.xy[node] for node in (topology.start[link], topology.end[link])]
    return tuple((float(x), float(y)) for x, y in ends) if np.isfinite(ends).all() else ()


def _point(site: Site, name: str) -> Points:
    topology = site.topology
    node = topology.node_index.get(name)
    if node is not None:
        x, y = topology.xy[node]
    elif name in topology.link_index:
        x, y = topology.centre(topology.link_index[name])
    else:
        return ()
    return ((float(x), float(y)),) if math.isfinite(x) and math.isfinite(y) else ()


def _leaks(content: Content, site: Site) -> Layer:
    columns = (
        ("event", "INTEGER"),
        ("pipe", "TEXT"),
        ("status", "TEXT"),
        ("kind", "TEXT"),
        ("detected", "TEXT"),
        ("start", "TEXT"),
        ("ended", "TEXT"),
        ("flow_m3h", "REAL"),
        ("flow_low_m3h", "REAL"),
        ("flow_high_m3h", "REAL"),
        ("probability", "REAL"),
        ("search_80_m", "REAL"),
        ("lost_m3", "REAL"),
        ("lost_money", "REAL"),
        ("dma", "TEXT"),
        ("street", "TEXT"),
        ("valves", "TEXT"),
        ("customers", "INTEGER"),
    )
    cost = content.summary.cost_per_m3
    return Layer(
        "leaks", "LINESTRING", columns, tuple((_line(site, c.row.pipe_best), _leak(c, cost)) for c in content.cases)
    )


def _leak(case: Case, cost: float | None) -> tuple[Value, ...]:
    row, closure = case.row, case.closure
    return (
        row.event,
        row.pipe_best,
        row.status,
        row.kind,
        row.detected.strftime(_TIME),
        row.start.strftime(_TIME),
        None if row.ended is None else row.ended.strftime(_TIME),
        row.flow_best_m3h,
        row.flow_low_m3h,
        row.flow_high_m3h,
        row.probability_best,
        case.search[1].metres,
        case.lost_m3,
        None if cost is None else case.lost_m3 * cost,
        row.dma,
        case.place.street,
        None if closure is None else ", ".join(closure.valves),
        None if closure is None else closure.customers,
    )


def _candidates(content: Content, site: Site) -> Layer:
    rows = tuple(
        (_line(site, c.pipe), (case.row.event, rank, c.pipe, c.probability))
        for case in content.cases
        for rank, c in enumerate(case.row.candidates_best or case.row.candidates, start=1)
    )
    columns = (("event", "INTEGER"), ("rank", "INTEGER"), ("pipe", "TEXT"), ("probability", "REAL"))
    return Layer("candidates", "LINESTRING", columns, rows)


def _valves(content: Content, site: Site) -> Layer:
    """Valves of open events, each at the node where it stands."""
    rows: list[tuple[Points, tuple[Value, ...]]] = []
    if site.segments is not None:
        valves = site.segments.valves
        number = {name: k for k, name in enumerate(valves.names)}
        for case in content.open_cases:
            for name in case.closure.valves if case.closure is not None else ():
                node, link = int(valves.node[number[name]]), int(valves.link[number[name]])
                place = _point(site, site.topology.nodes[node])
                rows.append((place, (case.row.event, name, site.topology.links[link])))
    return Layer("valves", "POINT", (("event", "INTEGER"), ("valve", "TEXT"), ("pipe", "TEXT")), tuple(rows))


def _sensors(content: Content, site: Site) -> Layer:
    columns = (("sensor", "TEXT"), ("quantity", "TEXT"), ("received", "REAL"), ("status", "TEXT"))
    rows = tuple((_point(site, h.sensor), (h.sensor, h.quantity, h.received, h.status)) for h in content.health)
    return Layer("sensors", "POINT", columns, rows)


def _pipes(site: Site) -> Layer:
    topology = site.topology
    rows = tuple(
        (
            _line(site, topology.links[k]),
            (topology.links[k], float(topology.length[k]), site.streets.get(topology.links[k])),
        )
        for k in topology.pipes.tolist()
    )
    return Layer("pipes", "LINESTRING", (("pipe", "TEXT"), ("length_m", "REAL"), ("street", "TEXT")), rows)
