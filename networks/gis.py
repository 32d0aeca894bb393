"""A network as GeoPackage, shapefiles or GeoJSON.

One layer for each kind of element with WNTR's names for the columns and SI units in them. A GeoPackage also carries,
in a table without geometry, what has no place in layers (patterns, curves, controls, options), so that it can be read
back whole.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from networks.errors import GisError
from networks.export import inp_bytes, write_whole
from networks.inp.document import Document
from networks.network import Network

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

KINDS = ("junctions", "tanks", "reservoirs", "pipes", "pumps", "valves")
REST_LAYER = "inp_rest"
# what layers hold; every other section goes into the table beside them
_IN_LAYERS = {"JUNCTIONS", "TANKS", "RESERVOIRS", "PIPES", "PUMPS", "VALVES", "COORDINATES", "VERTICES", "END", ""}
_LONGITUDE_LATITUDE = "EPSG:4326"
COLUMNS = {
    "junctions": ("elevation", "base_demand", "demand_pattern", "emitter_coefficient", "tag"),
    "tanks": ("elevation", "init_level", "min_level", "max_level", "diameter", "min_vol", "vol_curve_name", "overflow",
              "tag"),
    "reservoirs": ("base_head", "head_pattern_name", "tag"),
    "pipes": ("start_node_name", "end_node_name", "length", "diameter", "roughness", "minor_loss", "initial_status",
              "check_valve", "tag"),
    "pumps": ("start_node_name", "end_node_name", "pump_type", "pump_curve_name", "power", "base_speed",
              "speed_pattern_name", "initial_status", "initial_setting", "tag"),
    "valves": ("start_node_name", "end_node_name", "diameter", "valve_type", "minor_loss", "initial_setting",
               "headloss_curve_name", "initial_status", "tag"),
}  # fmt: skip


def has_gis() -> None:
    """Refuse in one line where the packages for GIS are not installed.

    Raises
    ------
    GisError
        If geopandas or pyogrio is missing.
    """
    try:
        import geopandas  # noqa: F401
        import pyogrio  # noqa: F401
    except ImportError as error:
        raise GisError(f"{error.name} is not installed; install it with: pip install 'umanflow[gis]'") from error


def layers(network: Network) -> dict[str, GeoDataFrame]:
    """Elements by kind, index "name", in the network's own coordinates; kinds that it has none of are left out.

    Raises
    ------
    GisError
        If the packages for GIS are missing or the CRS is none.
    UnreadableNetwork
        If WNTR refuses the file.
    """
    has_gis()
    import wntr.network

    _check_crs(network)
    model = network.model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gis = wntr.network.to_gis(model, crs=network.crs)
    found = {}
    for kind in KINDS:
        frame = getattr(gis, kind)
        if len(frame):
            # WNTR leaves out a column whose first value is missing; the values are taken from the model again
            get = model.get_link if kind in ("pipes", "pumps", "valves") else model.get_node
            elements = [get(name) for name in frame.index]
            for column in COLUMNS[kind]:
                frame[column] = [_value(element, column) for element in elements]
            found[kind] = frame[[*COLUMNS[kind], "geometry"]]
    return found


def _check_crs(network: Network) -> None:
    import pyproj
    import pyproj.exceptions

    try:
        if network.crs is not None:
            pyproj.CRS.from_user_input(network.crs)
    except pyproj.exceptions.CRSError as error:
        raise GisError(f"'{network.crs}' is no coordinate reference system; write one such as EPSG:32636") from error


def _value(element: Any, column: str) -> Any:
    if column == "base_demand":
        return element.base_demand
    if column == "demand_pattern":
        demands = element.demand_timeseries_list
        return demands[0].pattern_name if len(demands) else None
    if column == "initial_status":
        return element.initial_status.name
    if column == "initial_setting" and isinstance(element.initial_setting, str):
        return None  # a general-purpose valve's curve has a column of its own
    if column in ("power", "pump_curve_name", "headloss_curve_name"):
        return getattr(element, column, None)
    return getattr(element, column)


def write_gis(network: Network, file: Path) -> list[Path]:
    """Write a network as the ending says: `.gpkg`, `.geojson` or `.json`, or `.shp`.

    Of `town.shp` are made `town_junctions.shp`, `town_pipes.shp` and so on beside it.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    GisError
        If the ending is another, or GeoJSON is asked of a network whose CRS is not known.
    """
    writers: dict[str, Callable[[Network, Path], list[Path]]] = {
        ".gpkg": _write_package, ".geojson": _write_geojson, ".json": _write_geojson, ".shp": _write_shapefiles,
    }  # fmt: skip
    writer = writers.get(file.suffix.lower())
    if writer is None:
        raise GisError(f"{file}: the ending says the format: .inp, .gpkg, .geojson or .shp")
    if not file.parent.is_dir():
        raise GisError(f"{file.parent}: no such folder")
    return writer(network, file)


def _write_package(network: Network, file: Path) -> list[Path]:
    parts = layers(network)
    temporary = file.with_name(f".{os.getpid()}.{file.name}")
    try:
        for kind, frame in parts.items():
            _store(frame.reset_index(names="name"), temporary, layer=kind, driver="GPKG")
        _store(_rest(network), temporary, layer=REST_LAYER, driver="GPKG")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return [file]


def _rest(network: Network) -> Any:
    """Lines of the sections that no layer holds, as a table."""
    import pandas as pd

    document = Document.of(inp_bytes(network))
    lines = [
        (line.section, line.text)
        for line in document.lines
        if line.section not in _IN_LAYERS and line.text.strip() and not line.text.lstrip().startswith("[")
    ]
    return pd.DataFrame(lines, columns=["section", "line"])


def _write_geojson(network: Network, file: Path) -> list[Path]:
    if network.crs is None:
        raise GisError(
            f"{file}: GeoJSON holds longitude and latitude, and where {network.name} lies on Earth is not known; "
            "state it with --crs, or write .gpkg"
        )
    features = []
    for kind, frame in layers(network).items():
        moved = frame.reset_index(names="name").to_crs(_LONGITUDE_LATITUDE)
        if not np.isfinite(moved.total_bounds).all():
            raise GisError(f"{file}: coordinates of {kind} lie outside {network.crs}; is that the network's CRS?")
        for feature in json.loads(moved.to_json(drop_id=True))["features"]:
            feature["properties"] = {"kind": kind[:-1], **feature["properties"]}
            features.append(feature)
    text = json.dumps({"type": "FeatureCollection", "name": network.name, "features": features}, ensure_ascii=False)
    write_whole(file, text.encode())
    return [file]


def _write_shapefiles(network: Network, file: Path) -> list[Path]:
    written = []
    with tempfile.TemporaryDirectory(prefix=".umanflow-", dir=file.parent) as folder:
        for kind, frame in layers(network).items():
            short = frame.reset_index(names="name").rename(columns=lambda column: column[:10])
            _store(short, Path(folder) / f"{file.stem}_{kind}.shp", driver="ESRI Shapefile", encoding="utf-8")
        for part in sorted(Path(folder).iterdir()):
            target = file.with_name(part.name)
            shutil.move(part, target)
            written.append(target)
    return written


def _store(frame: Any, path: Path, **how: str) -> None:
    import pyogrio

    with warnings.catch_warnings():
        # a layer without a CRS is meant: where the network lies is not known
        warnings.simplefilter("ignore")
        pyogrio.write_dataframe(frame, path, **how)
