"""Measurements of a network: read from a folder in BattLeDIM's layout, held as SI tables over UTC."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hydro.errors import RecordError

if TYPE_CHECKING:
    import pyarrow as pa

QUANTITIES = ("pressure", "flow", "level", "demand")
_FILES = {"pressure": "*Pressures*", "flow": "*Flows*", "level": "*Levels*", "demand": "*Demands*"}
_ENDINGS = (".csv", ".csv.gz", ".parquet")
_UNITS = {
    "pressure": {"m": 1.0, "kPa": 1.0 / 9.80665, "bar": 10.1972},
    "flow": {"m3/h": 1.0 / 3600.0, "L/s": 0.001, "m3/s": 1.0, "m3/d": 1.0 / 86400.0, "L/h": 1.0 / 3.6e6},
    "level": {"m": 1.0, "cm": 0.01, "mm": 0.001},
    "demand": {"L/h": 1.0 / 3.6e6, "m3/h": 1.0 / 3600.0, "L/s": 0.001, "m3/s": 1.0},
}
_DEFAULT_UNIT = {"pressure": "m", "flow": "m3/h", "level": "m", "demand": "L/h"}


def _empty() -> pd.DataFrame:
    return pd.DataFrame(index=pd.DatetimeIndex([], tz="UTC"))


@dataclass(frozen=True)
class Record:
    """What the instruments said.

    Attributes
    ----------
    pressure, flow, level, demand
        DataFrames [n_times, n_instruments] in m, m3/s, m and m3/s; columns are element names, the index is UTC,
        NaN is missing. Empty where there are no such instruments.
    """

    pressure: pd.DataFrame = field(default_factory=_empty)
    flow: pd.DataFrame = field(default_factory=_empty)
    level: pd.DataFrame = field(default_factory=_empty)
    demand: pd.DataFrame = field(default_factory=_empty)

    @property
    def start(self) -> pd.Timestamp:
        """First time of any instrument."""
        return min(pd.Timestamp(table.index[0]) for table in self._tables())

    @property
    def end(self) -> pd.Timestamp:
        """Last time of any instrument."""
        return max(pd.Timestamp(table.index[-1]) for table in self._tables())

    def _tables(self) -> Iterator[pd.DataFrame]:
        return (table for f in fields(self) if len(table := getattr(self, f.name)))

    def resampled(self, step: pd.Timedelta) -> Record:
        """Means over intervals; an interval with less than half of its usual samples is missing."""
        return Record(**{f.name: _means(getattr(self, f.name), step) for f in fields(self)})

    def between(self, start: pd.Timestamp, end: pd.Timestamp) -> Record:
        """The part from `start` up to, not including, `end`."""
        return Record(
            **{
                f.name: table[(table.index >= start) & (table.index < end)]
                for f in fields(self)
                for table in [getattr(self, f.name)]
            }
        )


def _means(table: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    if len(table) < 2:
        return table
    groups = table.resample(step)
    counts = groups.count()
    # instruments report at their own pace: what is usual is each one's own
    usual = counts.where(counts > 0).median()
    return groups.mean().where((counts > 0) & (counts >= 0.5 * usual))


def read_record(folder: Path, timezone: str | None = None) -> Record:
    """Read a data folder in BattLeDIM's layout.

    Parameters
    ----------
    folder
        Holds `*Pressures*`, `*Flows*`, `*Levels*`, `*Demands*` as .csv, .csv.gz or .parquet (any of them may be
        absent), a timestamp column first; `;` with decimal comma or `,` with decimal point. Units are m, m3/h, m and
        L/h unless a `units.toml` beside them says otherwise (`pressure = "bar"`). Other files are left alone.
    timezone
        Zone of timestamps that carry none; without it they are taken as UTC.

    Raises
    ------
    RecordError
        If the folder holds no such file, or one cannot be read.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such folder; give the folder that holds *Pressures*.csv and its like")
    units = _read_units(folder / "units.toml")
    zone = _zone(timezone)
    tables = {}
    for quantity, pattern in _FILES.items():
        files = [p for p in sorted(folder.glob(pattern)) if p.name.endswith(_ENDINGS)]
        if files:
            table = _joined([_read_table(p, zone) for p in files])
            tables[quantity] = table * _UNITS[quantity][units[quantity]]
    if not tables:
        raise RecordError(
            f"{folder}: holds no *Pressures*, *Flows*, *Levels* or *Demands* file (.csv, .csv.gz, .parquet)"
        )
    return Record(**tables)


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """One table of files that follow each other in time, or hold different instruments; the later file counts."""
    parts = [part[~part.index.duplicated(keep="last")] for part in parts]
    table = parts[0]
    for part in parts[1:]:
        table = part.combine_first(table)
    return table.sort_index()


def _zone(timezone: str | None) -> ZoneInfo | None:
    if timezone is None:
        return None
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise RecordError(f"no time zone '{timezone}'; use a name such as Europe/Kyiv") from error


def _read_units(path: Path) -> dict[str, str]:
    units = dict(_DEFAULT_UNIT)
    if not path.is_file():
        return units
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: {error}") from error
    for quantity, unit in given.items():
        if quantity not in units or not isinstance(unit, str) or unit not in _UNITS[quantity]:
            known = "; ".join(f"{q}: {', '.join(u)}" for q, u in _UNITS.items())
            raise RecordError(f"{path}: {quantity} = {unit!r} is not known; known are {known}")
        units[quantity] = unit
    return units


def _read_table(path: Path, zone: ZoneInfo | None) -> pd.DataFrame:
    import pyarrow as pa

    try:
        table = _arrow_table(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read as a table: {str(error).splitlines()[0]}") from error
    if table.num_columns < 2 or table.num_rows == 0:
        raise RecordError(f"{path}: needs a timestamp column and at least one element column with rows")
    first = table.column_names[0]
    index = _timestamps(table.column(0), path, first, zone)
    frame = table.drop_columns([first]).to_pandas()
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            if frame[name].notna().any():
                bad = frame[name].dropna().iloc[0]
                raise RecordError(f"{path}: column '{name}' holds '{bad}', which is no number")
            frame[name] = np.nan
    return pd.DataFrame(frame.to_numpy(dtype=np.float64), index=index, columns=frame.columns)


def _arrow_table(path: Path) -> pa.Table:
    if path.name.endswith(".parquet"):
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path)
    import pyarrow.csv

    with pyarrow.input_stream(str(path), compression="detect") as stream:
        head = stream.read(65536).decode("utf-8-sig", errors="replace").splitlines()
    semicolons = bool(head) and head[0].count(";") >= max(1, head[0].count(","))
    body = "\n".join(head[1:])
    return pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(delimiter=";" if semicolons else ","),
        convert_options=pyarrow.csv.ConvertOptions(
            decimal_point="," if semicolons and "," in body else ".",
            null_values=["", "NaN", "nan", "NA", "null", "-"],
        ),
    )


def _timestamps(column: pa.ChunkedArray, path: Path, name: str, zone: ZoneInfo | None) -> pd.DatetimeIndex:
    values = column.to_pandas()
    if pd.api.types.is_numeric_dtype(values) or values.isna().all():
        raise RecordError(f"{path}: first column '{name}' holds no timestamps (such as 2024-05-01 13:05:00)")
    try:
        index = pd.DatetimeIndex(pd.to_datetime(values, format=None if values.dtype.kind == "M" else "ISO8601"))
    except (ValueError, TypeError) as error:
        raise RecordError(f"{path}: first column '{name}' holds no timestamps: {str(error).splitlines()[0]}") from error
    if index.hasnans:
        raise RecordError(f"{path}: row {int(np.flatnonzero(index.isna())[0]) + 2} has no timestamp")
    if index.tz is not None:
        return index.tz_convert("UTC")
    if zone is None:
        return index.tz_localize("UTC")
    # a year at a time: one logger's clock change says nothing about another year's
    years = [_localised(index[index.year == year], zone) for year in dict.fromkeys(index.year)]
    return pd.DatetimeIndex(np.concatenate([part.to_numpy() for part in years]), tz="UTC")


def _localised(index: pd.DatetimeIndex, zone: ZoneInfo) -> pd.DatetimeIndex:
    try:
        local = index.tz_localize(zone, ambiguous="infer", nonexistent="shift_forward")
    except ValueError:  # the repeated hour stands only once: take it as summer time
        local = index.tz_localize(zone, ambiguous=np.ones(len(index), dtype=bool), nonexistent="shift_forward")
    return local.tz_convert("UTC")
