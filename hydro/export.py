"""Results of a run as a file: Parquet, CSV or NetCDF by the file's ending, units in every one.

Parquet and CSV are wide: `time_s`, then a column `quantity[unit]:element` for each. NetCDF has the dimensions time,
node and link. A file appears whole or not at all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hydro.errors import HydraulicError
from hydro.run import Results
from networks.whole import whole_file

ENDINGS = (".parquet", ".csv", ".nc")


def check_path(path: Path) -> None:
    """Refuse a result file that could not be written, before hours of work.

    Raises
    ------
    HydraulicError
        If its ending is unknown or its folder does not exist.
    """
    if path.suffix not in ENDINGS:
        raise HydraulicError(f"{path}: end the file's name in {', '.join(ENDINGS)}")
    if not path.resolve().parent.is_dir():
        raise HydraulicError(f"{path}: its folder does not exist; make it first")
    if path.suffix == ".nc":
        try:
            import netCDF4  # noqa: F401
            import xarray  # noqa: F401
        except ImportError as error:
            raise HydraulicError(f"{path}: NetCDF needs more packages: pip install 'umanflow[netcdf]'") from error


def write(results: Results, path: Path) -> None:
    """Write results to a file of the kind its ending names.

    Raises
    ------
    HydraulicError
        If the ending is unknown or the file cannot be written.
    """
    check_path(path)
    writer = {".parquet": _parquet, ".csv": _csv, ".nc": _netcdf}[path.suffix]
    try:
        with whole_file(path) as temporary:
            writer(results, temporary)
    except OSError as error:
        raise HydraulicError(f"{path}: cannot be written: {error.strerror or error}") from error


def _columns(results: Results) -> tuple[list[str], list[np.ndarray]]:
    names, blocks = [], []
    for tables, elements in ((results.node_values, results.nodes), (results.link_values, results.links)):
        for quantity, table in tables.items():
            unit = f"[{results.units[quantity]}]" if results.units[quantity] else ""
            names += [f"{quantity}{unit}:{element}" for element in elements]
            blocks.append(table)
    for pipe, flow in results.leak_flows.items():
        names.append(f"leak[m3/s]:{pipe}")
        blocks.append(flow[:, None])
    return names, blocks


def _table(results: Results) -> object:
    import pyarrow as pa

    names, blocks = _columns(results)
    values = np.hstack(blocks)
    fields = [pa.field("time_s", pa.int64(), metadata={"unit": "s"})]
    arrays = [pa.array(results.times)]
    for column, name in enumerate(names):
        unit = name.split("]")[0].split("[")[1] if "[" in name.split(":")[0] else ""
        fields.append(pa.field(name, pa.float64(), metadata={"unit": unit}))
        arrays.append(pa.array(values[:, column]))
    return pa.table(arrays, schema=pa.schema(fields))


def _parquet(results: Results, path: Path) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(_table(results), path)


def _csv(results: Results, path: Path) -> None:
    import pyarrow.csv

    pyarrow.csv.write_csv(_table(results), path)


def _netcdf(results: Results, path: Path) -> None:
    import xarray

    variables: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]] = {
        name: (("time", kind), table, {"units": results.units[name]} if results.units[name] else {})
        for kind, tables in (("node", results.node_values), ("link", results.link_values))
        for name, table in tables.items()
    }
    for pipe, flow in results.leak_flows.items():
        variables[f"leak_{pipe}"] = (("time",), flow, {"units": "m3/s"})
    data = xarray.Dataset(
        variables, coords={"time": results.times, "node": list(results.nodes), "link": list(results.links)}
    )
    data["time"].attrs["units"] = "s"
    data.to_netcdf(path)
