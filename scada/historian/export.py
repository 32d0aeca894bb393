"""Samples as files: one table of a period, or one Parquet file for each day; whole or not at all.

A period is read in pieces of time, so that memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scada.errors import HistorianError
from scada.sample import Quality

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Source", "write_days", "write_file"]

_DAY_MS = 86_400_000
_FIRST_PIECE_MS = 3_600_000
_SHORTEST_MS, _LONGEST_MS = 60_000, 30 * _DAY_MS
_FEW, _MANY = 100_000, 1_000_000  # rows of a piece
_WORDS = {int(quality): quality.name for quality in Quality}

Write = Callable[["pd.DataFrame"], None]


class Source(Protocol):
    """What is written."""

    def range(
        self,
        tags: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        known_ms: int | None = None,
        is_full: bool = False,
    ) -> pd.DataFrame:
        """Return samples of a period."""
        ...

    def span(self) -> tuple[int, int] | None:
        """Return the times of the oldest and the newest sample."""
        ...


def write_file(
    source: Source,
    path: Path,
    tags: Sequence[str] | None,
    from_ms: int | None,
    to_ms: int | None,
    known_ms: int | None,
) -> int:
    """Write columns time, tag, value, quality, reason to a CSV or Parquet file; return how many rows."""
    if path.suffix not in {".csv", ".parquet"}:
        raise HistorianError(f"{path} does not end in .csv or .parquet")
    rows = 0
    with _whole(path) as partial, (_csv if path.suffix == ".csv" else _parquet)(partial) as write:
        write(_worded(source.range([], 0, 0)))  # the columns, even where there is no row
        for table in _tables(source, tags, *_limits(source, from_ms, to_ms), known_ms):
            write(_worded(table))
            rows += len(table)
    return rows


def write_days(
    source: Source, folder: Path, tags: Sequence[str] | None, from_ms: int | None, to_ms: int | None
) -> list[Path]:
    """Write one Parquet file for each day of UTC with samples; return the files."""
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistorianError(f"{folder} cannot be made: {error.strerror or error}") from error
    first, end = _limits(source, from_ms, to_ms)
    for day in range(first // _DAY_MS, -(-end // _DAY_MS)):
        tables = _tables(source, tags, max(first, day * _DAY_MS), min(end, (day + 1) * _DAY_MS), None, is_full=True)
        found = next((table for table in tables if len(table)), None)
        if found is None:
            continue
        path = folder / f"{datetime.fromtimestamp(day * _DAY_MS / 1000, UTC):%Y-%m-%d}.parquet"
        with _whole(path) as partial, _parquet(partial) as write:
            write(_with_words(found))
            for table in tables:
                write(_with_words(table))
        written.append(path)
    return written


def _limits(source: Source, from_ms: int | None, to_ms: int | None) -> tuple[int, int]:
    """The period, no longer than there are samples."""
    span = source.span()
    if span is None:
        return 0, 0
    low = span[0] if from_ms is None else max(from_ms, span[0])
    return low, span[1] + 1 if to_ms is None else min(to_ms, span[1] + 1)


def _tables(
    source: Source,
    tags: Sequence[str] | None,
    from_ms: int,
    to_ms: int,
    known_ms: int | None,
    is_full: bool = False,
) -> Iterator[pd.DataFrame]:
    """Yield the samples of a period in order, by pieces that become longer or shorter with the number of their rows."""
    piece_ms = _FIRST_PIECE_MS
    while from_ms < to_ms:
        table = source.range(tags, from_ms, min(from_ms + piece_ms, to_ms), known_ms, is_full)
        from_ms += piece_ms
        yield table
        if len(table) < _FEW:
            piece_ms = min(2 * piece_ms, _LONGEST_MS)
        elif len(table) > _MANY:
            piece_ms = max(piece_ms // 2, _SHORTEST_MS)


def _with_words(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(quality=table["quality"].map(_WORDS).astype("str"))


def _worded(table: pd.DataFrame) -> pd.DataFrame:
    """Time and quality as text."""
    time = table["time"].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str.slice(stop=23) + "Z"
    return _with_words(table.assign(time=time.astype("str")))


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:
        is_begun = False

        def write(table: pd.DataFrame) -> None:
            nonlocal is_begun
            table.to_csv(file, index=False, header=not is_begun, lineterminator="\n")
            is_begun = True

        yield write


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None

    def write(table: pd.DataFrame) -> None:
        nonlocal writer
        schema = writer.schema if writer is not None else None
        arrow = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
        if writer is None:
            writer = pq.ParquetWriter(path, arrow.schema, compression="zstd")
        if len(table):
            writer.write_table(arrow)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Yield a temporary name; the file takes its own when it is whole, after an error nothing is left."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise HistorianError(f"{path} cannot be written: {error.strerror or error}") from error
        raise
