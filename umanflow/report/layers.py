"""Layers for map programs: a GeoPackage written with SQLite alone (OGC 12-128r18, version 1.3), and GeoJSON."""

from __future__ import annotations

import json
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

from networks import Topology
from umanflow.report.earth import Earth

_APPLICATION = 0x47504B47
_VERSION = 10300
_UNKNOWN_SRS = -1  # "undefined Cartesian": where on Earth the coordinates lie is not known
_OWN_SRS = 100_000
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


def line_of(topology: Topology, link: str) -> Points:
    """A link from node to node; nothing where it or a coordinate is missing."""
    k = topology.link_index.get(link)
    if k is None:
        return ()
    ends = topology.xy[[topology.start[k], topology.end[k]]]
    return tuple((float(x), float(y)) for x, y in ends) if np.isfinite(ends).all() else ()


def point_of(topology: Topology, name: str) -> Points:
    """A node, or the middle of a link; nothing where it or a coordinate is missing."""
    node = topology.node_index.get(name)
    if node is not None:
        x, y = topology.xy[node]
    elif name in topology.link_index:
        x, y = topology.centre(topology.link_index[name])
    else:
        return ()
    return ((float(x), float(y)),) if math.isfinite(x) and math.isfinite(y) else ()


def gpkg_of(layers: Sequence[Layer], crs: str | None, date: datetime) -> bytes:
    """Write layers as a GeoPackage; the same layers give the same bytes.

    Parameters
    ----------
    layers
        In the reference system `crs`; where that is unknown the layers say so.
    date
        That the file says it is of.
    """
    with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
        path = Path(folder) / "report.gpkg"
        base = sqlite3.connect(path)
        try:
            base.execute(f"PRAGMA application_id = {_APPLICATION}")
            base.execute(f"PRAGMA user_version = {_VERSION}")
            base.executescript(_TABLES)
            srs = _reference_systems(base, crs)
            for layer in layers:
                _write(base, layer, srs, date)
            base.commit()
        finally:
            base.close()
        return path.read_bytes()


def geojson_of(layers: Sequence[Layer], crs: str) -> str:
    """Write layers as one GeoJSON, longitude and latitude; each feature says its layer.

    Raises
    ------
    ReportError
        If there is no such reference system, or the coordinates do not fit it.
    """
    earth = Earth(crs)
    features = [
        {
            "type": "Feature",
            "geometry": earth.geometry(points, f"{layer.name} {values[0]}"),
            "properties": {"layer": layer.name, **dict(zip((n for n, _ in layer.columns), values, strict=True))},
        }
        for layer in layers
        for points, values in layer.rows
    ]
    return dump_json({"type": "FeatureCollection", "features": features})


def dump_json(value: object) -> str:
    """JSON as every file of a report has it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


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
