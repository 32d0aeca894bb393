"""Layers of a GeoPackage or shapefiles to a network.

Columns are called as in WNTR, in SI units, unless a column map says otherwise::

    units = "LPS"                # of the INP that is written
    headloss = "H-W"

    [nodes]
    name = "NODE_ID"
    kind = "TYPE"                # junction, tank or reservoir; junction where there is no such column
    elevation = "Z"
    base_demand = { column = "DEMAND_LS", factor = 0.001 }

    [pipes]
    name = "PIPE_ID"
    start_node_name = "FROM"     # without these two the ends of the lines are joined to the nearest nodes
    end_node_name = "TO"
    diameter = { column = "DN", factor = 0.001 }
    roughness = 120              # a number is the same for every pipe
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from networks.errors import GisError
from networks.gis import COLUMNS, KINDS, REST_LAYER, has_gis

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

_NODE_KINDS = ("junctions", "tanks", "reservoirs")
_LINK_KINDS = ("pipes", "pumps", "valves")
_REQUIRED = {"junctions": ("elevation",), "tanks": ("elevation", "max_level", "diameter"), "reservoirs": ("base_head",),
             "pipes": ("diameter", "roughness"), "pumps": (), "valves": ("diameter", "valve_type")}  # fmt: skip
_DEFAULTS: dict[str, dict[str, Any]] = {
    "junctions": {"base_demand": 0.0},
    "tanks": {"init_level": 0.0, "min_level": 0.0, "min_vol": 0.0, "overflow": False},
    "reservoirs": {},
    "pipes": {"minor_loss": 0.0, "initial_status": "Open", "check_valve": False},
    "pumps": {"base_speed": 1.0, "initial_status": "Open", "pump_type": "POWER", "power": 0.0},
    "valves": {"minor_loss": 0.0, "initial_status": "Active", "initial_setting": 0.0},
}
SNAP_M = 1.0


@dataclass(frozen=True)
class ColumnMap:
    """Which column of a layer holds what.

    Attributes
    ----------
    columns
        By "nodes" or a kind of element: our name -> their column, a constant, or `{column, factor}`.
    units, headloss
        Of the INP that is made.
    """

    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    units: str = "LPS"
    headloss: str = "H-W"

    @classmethod
    def read(cls, file: Path) -> ColumnMap:
        """Read a TOML file.

        Raises
        ------
        GisError
            If it is no such file.
        """
        try:
            data = tomllib.loads(file.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise GisError(f"{file}: {error}") from error
        known = ("nodes", *KINDS)
        for name, value in data.items():
            if name not in ("units", "headloss") and not (name in known and isinstance(value, dict)):
                raise GisError(f"{file}: '{name}' is not known; tables are {', '.join(known)}")
        return cls(
            {name: value for name, value in data.items() if name in known},
            str(data.get("units", cls.units)).upper(),
            str(data.get("headloss", cls.headloss)).upper(),
        )


@dataclass(frozen=True)
class Imported:
    """A network made of layers.

    Attributes
    ----------
    inp
        The INP file's bytes.
    crs
        Of its coordinates.
    notes
        What was assumed.
    """

    inp: bytes
    crs: str
    notes: tuple[str, ...]


def read_gis(sources: Mapping[str, str], columns: ColumnMap | None = None, crs: str | None = None) -> Imported:
    """Make a network of layers.

    Parameters
    ----------
    sources
        By "nodes" or a kind of element ("pipes", "valves", …): `FILE.shp`, `FILE.gpkg` or `FILE.gpkg:LAYER`; or
        "package" alone: a GeoPackage that `write_gis` has made.
    columns
        Which column holds what; by default WNTR's names, SI.
    crs
        Coordinate reference system to write in; by default the layers' own.

    Raises
    ------
    GisError
        If the layers make no network, or no one states their CRS.
    """
    has_gis()
    columns = columns or ColumnMap()
    notes: list[str] = []
    frames, rest = _read(sources)
    if not frames:
        raise GisError("there is no layer to read: name one for pipes and one for nodes")
    crs = _common_crs(frames, crs)
    named = {kind: _rename(kind, frame, columns) for kind, frame in frames.items()}
    parts = _split_nodes(named)
    for kind in _LINK_KINDS:
        if kind in parts:
            parts[kind] = _joined(kind, parts[kind], parts, notes)
    complete = {kind: _complete(kind, frame, notes) for kind, frame in parts.items()}
    return Imported(_inp(complete, columns, rest), crs, tuple(notes))


def _read(sources: Mapping[str, str]) -> tuple[dict[str, GeoDataFrame], list[tuple[str, str]]]:
    import pyogrio

    if "package" in sources:
        path = Path(sources["package"])
        present = [str(row[0]) for row in pyogrio.list_layers(_existing(path))]
        frames = {kind: _layer(path, kind) for kind in KINDS if kind in present}
        rest: list[tuple[str, str]] = []
        if REST_LAYER in present:
            table = pyogrio.read_dataframe(path, layer=REST_LAYER, read_geometry=False)
            rest = list(zip(table["section"].tolist(), table["line"].tolist(), strict=True))
        return frames, rest
    frames = {}
    for kind, place in sources.items():
        file, _, layer = place.partition(".gpkg:")
        frames[kind] = _layer(Path(f"{file}.gpkg" if layer else place), layer or None)
    return frames, []


def _existing(path: Path) -> Path:
    if not path.exists():
        raise GisError(f"{path}: no such file")
    return path


def _layer(path: Path, layer: str | None) -> GeoDataFrame:
    import pyogrio
    import pyogrio.errors

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pyogrio.read_dataframe(_existing(path), layer=layer)
    except pyogrio.errors.DataSourceError as error:
        raise GisError(f"{path}: {' '.join(str(error).split())}") from error


def _common_crs(frames: dict[str, GeoDataFrame], crs: str | None) -> str:
    """State the CRS of every layer, moving layers of another into it."""
    import pyproj.exceptions

    for kind, frame in frames.items():
        try:
            if frame.crs is None and crs is None:
                raise GisError(f"the layer of {kind} states no CRS; state it with --crs, such as EPSG:32636")
            if crs is None:
                crs = frame.crs.to_string()
            elif frame.crs is None:
                frames[kind] = frame.set_crs(crs)
            elif frame.crs != crs:
                frames[kind] = frame.to_crs(crs)
        except pyproj.exceptions.CRSError as error:
            raise GisError(f"'{crs}' is no coordinate reference system") from error
    assert crs is not None
    return crs


def _rename(kind: str, frame: GeoDataFrame, columns: ColumnMap) -> GeoDataFrame:
    """A layer with our names for its columns, SI."""
    named = frame[["geometry"]].copy()
    known = ("name", "kind") + (sum((COLUMNS[k] for k in _NODE_KINDS), ()) if kind == "nodes" else COLUMNS[kind])
    shortened = {column[:10]: column for column in known}  # shapefiles keep ten letters
    for column in frame.columns:
        if column in known or column in shortened:
            named[column if column in known else shortened[column]] = frame[column]
    for ours, theirs in columns.columns.get(kind, {}).items():
        if ours not in known:
            raise GisError(f"column map: [{kind}] has no '{ours}'; it may have {', '.join(known)}")
        named[ours] = _mapped(kind, frame, theirs)
    if "name" not in named:
        raise GisError(f"the layer of {kind} has no column 'name'; map one: [{kind}] name = \"COLUMN\"")
    named["name"] = [_as_name(value) for value in named["name"]]
    twice = named["name"][named["name"].duplicated()]
    if len(twice):
        raise GisError(f"the layer of {kind} has '{twice.iloc[0]}' twice")
    return named


def _mapped(kind: str, frame: GeoDataFrame, theirs: Any) -> Any:
    if isinstance(theirs, (int, float)):
        return float(theirs)
    column, factor = (theirs.get("column"), theirs.get("factor")) if isinstance(theirs, dict) else (theirs, None)
    if column not in frame:
        raise GisError(f"the layer of {kind} has no column '{column}'; it has {', '.join(map(str, frame.columns))}")
    return frame[column] if factor is None else frame[column].astype(float) * float(factor)


def _as_name(value: Any) -> str:
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if not text or " " in text or len(text.encode()) > 31:
        raise GisError(f"'{text}' is no name for EPANET: at most 31 bytes and no spaces")
    return text


def _split_nodes(named: dict[str, GeoDataFrame]) -> dict[str, GeoDataFrame]:
    """Junctions, tanks and reservoirs out of a layer of nodes."""
    parts = {kind: frame for kind, frame in named.items() if kind != "nodes"}
    nodes = named.get("nodes")
    if nodes is None:
        return parts
    kinds = nodes["kind"].astype(str).str.lower() if "kind" in nodes else "junction"
    for kind in _NODE_KINDS:
        chosen = nodes[kinds == kind[:-1]] if "kind" in nodes else (nodes if kind == "junctions" else nodes[:0])
        if len(chosen):
            parts[kind] = chosen.drop(columns="kind", errors="ignore")
    if "kind" in nodes and (odd := set(kinds) - {kind[:-1] for kind in _NODE_KINDS}):
        raise GisError(f"the layer of nodes has the kind '{min(odd)}'; it may be junction, tank or reservoir")
    return parts


def _joined(kind: str, links: GeoDataFrame, parts: dict[str, GeoDataFrame], notes: list[str]) -> GeoDataFrame:
    """Links with the names of their end nodes and, for pipes, lengths."""
    import pandas as pd

    nodes = pd.concat([parts[k][["name", "geometry"]] for k in _NODE_KINDS if k in parts], ignore_index=True)
    if links.geometry.geom_type.isin(["MultiLineString"]).any():
        links = links.set_geometry(links.geometry.line_merge())
    wrong = links.geometry.isna() | (links.geometry.geom_type != "LineString")
    if wrong.any():
        raise GisError(f"{kind}: '{links['name'][wrong].iloc[0]}' is no single line")
    if "start_node_name" not in links or "end_node_name" not in links:
        links = _snapped(kind, links, nodes, notes)
    known = set(nodes["name"])
    for column in ("start_node_name", "end_node_name"):
        links[column] = [_as_name(value) for value in links[column]]
        absent = links[~links[column].isin(known)]
        if len(absent):
            raise GisError(f"{kind}: '{absent['name'].iloc[0]}' ends at '{absent[column].iloc[0]}', which is no node")
    if kind == "pipes" and "length" not in links:
        if links.crs.is_geographic:
            raise GisError(
                "pipes have no length, and none can be measured in degrees: map a column or project the layer"
            )
        links["length"] = links.geometry.length
        notes.append("lengths of pipes are measured along their lines")
    return links


def _snapped(kind: str, links: GeoDataFrame, nodes: Any, notes: list[str]) -> GeoDataFrame:
    """Join the ends of lines to the nearest nodes, at most a metre away."""
    import shapely

    tree = shapely.STRtree(nodes["geometry"].values)
    for column, place in (("start_node_name", 0), ("end_node_name", -1)):
        ends = shapely.get_point(links.geometry.values, place)
        (line, nearest), distance = tree.query_nearest(ends, return_distance=True, all_matches=False)
        far = line[distance > SNAP_M]
        if len(far) or len(line) < len(ends):
            name = links["name"].iloc[int(far[0]) if len(far) else 0]
            raise GisError(f"{kind}: no node within {SNAP_M:g} m of an end of '{name}'")
        links[column] = nodes["name"].to_numpy()[nearest]
    notes.append(f"ends of {kind} are joined to the nearest nodes")
    return links


def _complete(kind: str, frame: GeoDataFrame, notes: list[str]) -> GeoDataFrame:
    """Every column that WNTR needs, defaults where the layer has none."""
    for column in _REQUIRED[kind]:
        if column not in frame or frame[column].isna().any():
            where = f"'{frame['name'][frame[column].isna()].iloc[0]}' of " if column in frame else ""
            raise GisError(f"{where}{kind} has no {column}; map a column or a number: [{kind}] {column} = …")
    for column, value in _DEFAULTS[kind].items():
        if column not in frame:
            frame[column] = value
            notes.append(f"{kind} have no {column}: {value} is taken")
        elif frame[column].isna().any() and column not in ("power", "initial_setting"):
            frame[column] = frame[column].astype(object).where(frame[column].notna(), value)
    return frame.set_index("name")


def _inp(parts: dict[str, GeoDataFrame], columns: ColumnMap, rest: list[tuple[str, str]]) -> bytes:
    from networks.gisbuild import build

    return build(parts, columns.units, columns.headloss, rest)
