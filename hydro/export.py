"""Results of a run as a file: Parquet, CSV or NetCDF by the file's ending, units in every one.

Parquet and CSV are wide: `time_s`, then a column `quantity[unit]:element` for each. NetCDF has the dimensions time,
node and link. A CSV has the precision of EPANET's own files of results, seven digits. A file appears whole or not at
all.
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


def _columns(results: Results) -> tuple[list[str], list[str], list[np.ndarray]]:
    """Names and units of all columns, and their values in blocks [step, column]."""
    names, units, blocks = [], [], []
    for tables, elements in ((results.node_values, results.nodes), (results.link_values, results.links)):
        for quantity, table in tables.items():
            unit = results.units[quantity]
            names += [f"{quantity}{f'[{unit}]' if unit else ''}:{element}" for element in elements]
            units += [unit] * len(elements)
            blocks.append(table)
    for pipe, flow in results.leak_flows.items():
        names.append(f"leak[m3/s]:{pipe}")
        units.append("m3/s")
        blocks.append(flow[:, None])
    return names, units, blocks


def _table(results: Results, dtype: type[np.floating]) -> object:
    """Everything as one Arrow table, without a copy for each column."""
    import pyarrow as pa

    names, units, blocks = _columns(results)
    steps, place = len(results.times), 0
    values = np.empty((len(names), steps), dtype)
    for block in blocks:
        values[place : place + block.shape[1]] = block.T
        place += block.shape[1]
    kind = pa.from_numpy_dtype(values.dtype)
    # not pa.array: that imports pandas, a quarter of a second
    arrays = [pa.Array.from_buffers(pa.int64(), steps, [None, pa.py_buffer(results.times)])]
    arrays += [pa.Array.from_buffers(kind, steps, [None, pa.py_buffer(row)]) for row in values]
    fields = [pa.field("time_s", pa.int64(), metadata={"unit": "s"})]
    fields += [pa.field(n, kind, metadata={"unit": u}) for n, u in zip(names, units, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _parquet(results: Results, path: Path) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(_table(results, np.float64), path)


def _csv(results: Results, path: Path) -> None:
    import pyarrow.csv

    pyarrow.csv.write_csv(_table(results, np.float32), path)


def _netcdf(results: Results, path: Path) -> None:
    import xarray

    variables: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]] = {
        name: (("time", kind), table, {"units": results.units[name]} if results.units[name] else {})
        for kind, tables in (("node", results.node_values), ("link", results.link_values))
        for name, table in tables.items()
    }
    for pipe, flow in results.leak_flows.items():
        # a slash would begin a group
        variables[f"leak_{pipe}".replace("/", "_")] = (("time",), flow, {"units": "m3/s", "element": pipe})
    data = xarray.Dataset(
        variables, coords={"time": results.times, "node": list(results.nodes), "link": list(results.links)}
    )
    data["time"].attrs["units"] = "s"
    data.to_netcdf(path)
