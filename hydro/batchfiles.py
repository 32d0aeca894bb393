"""Files of a batch: a part's Parquet, and what the parts become together: Parquet, CSV or NetCDF by the ending.

Nothing here holds more than a few row groups in memory, however many scenarios there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydro.batchcolumns import parts_of

Floats = NDArray[np.float64]
_GROUP_BYTES = 16 * 2**20
_CHUNK = 2**16  # numbers that NetCDF compresses together: whole scenarios, as they come one after another
_METADATA = {"umanflow": "batch", "columns": "quantity[unit]:element"}


def part_file(folder: Path, number: int) -> Path:
    """File of a part."""
    return folder / f"part-{number:06d}.parquet"


def write_groups(path: Path, tables: Iterable[Any], metadata: dict[str, str]) -> None:
    """Write tables of one schema after one another, in row groups large enough that their index stays small."""
    import pyarrow.parquet

    writer, waiting, size = None, [], 0
    try:
        for table in tables:
            if writer is None:
                schema = table.schema.with_metadata(metadata)
                writer = pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")
            waiting.append(table.replace_schema_metadata(metadata))
            size += table.nbytes
            if size > _GROUP_BYTES:
                writer.write_table(_together(waiting))
                waiting, size = [], 0
        if writer is not None and waiting:
            writer.write_table(_together(waiting))
    finally:
        if writer is not None:
            writer.close()


def _together(tables: list[Any]) -> Any:
    import pyarrow as pa

    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def merge(folder: Path, n_parts: int, n_scenarios: int, output: Path) -> None:
    """Put the parts into one file; it appears whole or not at all, and until then stands among the parts.

    Parameters
    ----------
    output
        Parquet and CSV have the same columns and rows; a CSV has the seven digits of EPANET's own results. NetCDF has
        a variable [scenario, time, node or link] for each quantity, NaN where it was not kept or not run.
    """
    whole = folder / f"whole{output.suffix}"
    if output.suffix == ".csv":
        _csv(folder, n_parts, whole)
    elif output.suffix == ".nc":
        _netcdf(folder, n_parts, n_scenarios, whole)
    else:
        write_groups(whole, _groups(folder, n_parts), _METADATA)
    whole.replace(output)


def _groups(folder: Path, n_parts: int) -> Iterator[Any]:
    import pyarrow.parquet

    for number in range(n_parts):
        with pyarrow.parquet.ParquetFile(part_file(folder, number)) as part:
            for group in range(part.num_row_groups):
                yield part.read_row_group(group)


def _csv(folder: Path, n_parts: int, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv

    writer = None
    try:
        for table in _groups(folder, n_parts):
            schema = pa.schema(
                pa.field(f.name, pa.float32() if pa.types.is_float64(f.type) else f.type) for f in table.schema
            )
            writer = writer or pyarrow.csv.CSVWriter(path, schema)
            writer.write_table(table.cast(schema))
    finally:
        if writer is not None:
            writer.close()


# NetCDF ---------------------------------------------------------------------------------------------------------------


def _netcdf(folder: Path, n_parts: int, n_scenarios: int, path: Path) -> None:
    import netCDF4

    with netCDF4.Dataset(path, "w") as file:
        scenario = 0
        places: _Places | None = None
        for table in _groups(folder, n_parts):
            if places is None:
                places = _Places(file, table.schema, n_scenarios, _times(folder, n_parts))
            for rows in _by_scenario(table):
                places.put(scenario, rows)
                scenario += 1


def _times(folder: Path, n_parts: int) -> NDArray[np.int64]:
    """Report times of the first scenario that was run, s; all have the same."""
    for table in _groups(folder, n_parts):
        for rows in _by_scenario(table):
            if rows["time_s"].null_count == 0:
                return np.asarray(rows["time_s"].to_numpy(), dtype=np.int64)
    return np.empty(0, dtype=np.int64)


def _by_scenario(table: Any) -> Iterator[Any]:
    """Rows of one scenario after another; they stand together and never in two row groups."""
    codes = table["scenario"].combine_chunks().indices.to_numpy()
    edges = np.flatnonzero(np.diff(codes)) + 1
    for first, last in zip([0, *edges.tolist()], [*edges.tolist(), len(codes)], strict=True):
        yield table.slice(first, last - first)


class _Places:
    """Where each column goes in a NetCDF file."""

    def __init__(self, file: Any, schema: Any, n_scenarios: int, times: NDArray[np.int64]) -> None:
        self._columns: dict[str, tuple[list[str], list[int]]] = {}
        elements: dict[str, dict[str, int]] = {"node": {}, "link": {}}
        units: dict[str, str] = {}
        for name in schema.names:
            quantity, unit, element = parts_of(name)
            if not element:
                continue
            units[quantity] = unit
            place = elements[_dimension(quantity)].setdefault(element, len(elements[_dimension(quantity)]))
            columns, places = self._columns.setdefault(quantity, ([], []))
            columns.append(name)
            places.append(place)
        self._n_times = len(times)
        file.createDimension("scenario", n_scenarios)
        file.createDimension("time", len(times))
        file.createVariable("time", "i8", ("time",)).units = "s"
        file["time"][:] = times
        for dimension, names in elements.items():
            if names:  # a dimension of none would be one without end
                file.createDimension(dimension, len(names))
                file.createVariable(dimension, str, (dimension,))[:] = np.array(list(names), dtype=object)
        for word in ("scenario", "solver", "error"):
            file.createVariable(word, str, ("scenario",))
        for quantity, unit in {**units, "leak": "m3/s"}.items():
            where = ("scenario", "time") if quantity == "leak" else ("scenario", "time", _dimension(quantity))
            sizes = [max(len(file.dimensions[name]), 1) for name in where]
            sizes[0] = min(sizes[0], max(_CHUNK // int(np.prod(sizes[1:])), 1))
            variable = file.createVariable(quantity, "f8", where, zlib=True, chunksizes=sizes, fill_value=np.nan)
            if unit:
                variable.units = unit
        self._file, self._sizes = file, {name: len(names) for name, names in elements.items()}

    def put(self, scenario: int, rows: Any) -> None:
        """Take the rows of one scenario in."""
        for word in ("scenario", "solver", "error"):
            self._file[word][scenario] = rows[word][0].as_py() or ""
        if rows["time_s"].null_count:
            return  # it could not be run: the fill value stays
        self._file["leak"][scenario] = rows["leak[m3/s]"].to_numpy()
        for quantity, (columns, places) in self._columns.items():
            block: Floats = np.full((self._n_times, self._sizes[_dimension(quantity)]), np.nan)
            for name, place in zip(columns, places, strict=True):
                block[:, place] = rows[name].to_numpy()
            self._file[quantity][scenario] = block


def _dimension(quantity: str) -> str:
    from hydro.engine import LINK_RESULTS

    return "link" if quantity in LINK_RESULTS or quantity.endswith("_in_link") else "node"
