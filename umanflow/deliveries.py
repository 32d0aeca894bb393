"""Files of battery loggers: written as a logger's portal exports them, read into samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scada.sample import Sample
from scada.tag import Tag
from umanflow.errors import UserError
from umanflow.report.storing import replace_text

_PERIOD_MS = {"hourly": 3_600_000, "daily": 86_400_000}


class Portal:
    """Collects readings of loggers and writes them out when their hour or day is full.

    Parameters
    ----------
    folder
        Where files go.
    loggers
        Tags by delivery, "hourly" or "daily".
    """

    def __init__(self, folder: Path, loggers: Mapping[str, Sequence[Tag]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._loggers = folder, loggers
        self._rows: dict[str, list[tuple[int, list[float]]]] = {delivery: [] for delivery in loggers}

    def take(self, t_ms: int, values: Mapping[str, float]) -> list[Path]:
        """Note one moment's readings; return the files that became complete."""
        written = []
        for delivery, tags in self._loggers.items():
            if not tags:
                continue
            rows = self._rows[delivery]
            if t_ms % tags[0].interval_ms == 0:
                rows.append((t_ms, [round(values[tag.name], 2) for tag in tags]))
            if rows and t_ms + tags[0].interval_ms - rows[0][0] >= _PERIOD_MS[delivery]:
                written.append(self._write(delivery))
        return written

    def _write(self, delivery: str) -> Path:
        rows, tags = self._rows[delivery], self._loggers[delivery]
        self._rows[delivery] = []
        times = [pd.Timestamp(t, unit="ms", tz="UTC") for t, _ in rows]
        lines = ["time," + ",".join(tag.name for tag in tags)]
        lines += [
            f"{time:%Y-%m-%dT%H:%M:%SZ}," + ",".join(f"{v:.2f}" for v in values)
            for time, (_, values) in zip(times, rows, strict=True)
        ]
        path = self._folder / f"{delivery}-{times[-1]:%Y%m%dT%H%M}.csv"
        replace_text(path, "\n".join(lines) + "\n")
        return path


def read_delivery(path: Path, arrival_ms: int) -> list[Sample]:
    """Samples of one file: `time` first (UTC), one column a tag; empty cells are left out.

    Raises
    ------
    UserError
        If it is no such file.
    """
    try:
        table = pd.read_csv(path, index_col=0)
        times = pd.to_datetime(table.index, utc=True, format="ISO8601")
        values = table.to_numpy(dtype=np.float64)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no logger file: {str(error).splitlines()[0]}") from error
    stamps = times.astype("datetime64[ms, UTC]").astype(np.int64)
    return [
        Sample(str(tag), int(stamp), arrival_ms, float(value))
        for column, tag in enumerate(table.columns)
        for stamp, value in zip(stamps, values[:, column], strict=True)
        if np.isfinite(value)
    ]
