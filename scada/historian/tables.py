"""What a historian answers, as pandas frames and samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scada.historian.engine import Buckets, Gaps, Rows, Version
from scada.sample import Quality, Sample

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["bucket_table", "gap_table", "long_table", "meaning_table", "newest_samples", "wide_table"]


def newest_samples(rows: Rows) -> dict[str, Sample]:
    """Return the last row of each tag."""
    columns = (rows.tag, rows.ts, rows.arrival, rows.value, rows.quality, rows.reason)
    found = {row[0]: row for row in zip(*(column.tolist() for column in columns), strict=True)}
    return {
        rows.names[tag]: Sample(rows.names[tag], ts, arrival, value, Quality(quality), rows.reasons[reason])
        for tag, ts, arrival, value, quality, reason in found.values()
    }


def long_table(rows: Rows, is_full: bool) -> pd.DataFrame:
    """Return time, tag, value, quality, reason; arrival and version too if asked."""
    import pandas as pd

    columns: dict[str, Any] = {
        "time": _timestamps(rows.ts),
        "tag": pd.Series(rows.names[rows.tag], dtype="str"),
        "value": rows.value,
        "quality": rows.quality,
        "reason": pd.Series(rows.reasons[rows.reason], dtype="str"),
    }
    if is_full:
        columns |= {"arrival": _timestamps(rows.arrival), "version": rows.version}
    return pd.DataFrame(columns)


def wide_table(rows: Rows, tags: Sequence[str] | None) -> pd.DataFrame:
    """Return GOOD values with a column for each tag."""
    import pandas as pd

    times, row = np.unique(rows.ts, return_inverse=True)
    is_good = rows.quality == int(Quality.GOOD)
    grid = np.full((len(times), len(rows.names)), np.nan)
    grid[row[is_good], rows.tag[is_good]] = rows.value[is_good]
    wide = pd.DataFrame(grid, index=_timestamps(times), columns=list(rows.names))
    wide.index.name = "time"
    return wide[[rows.names[tag] for tag in np.unique(rows.tag)]] if tags is None else wide.reindex(columns=list(tags))


def bucket_table(found: Buckets) -> pd.DataFrame:
    """Return time, tag, mean, min, max, count."""
    import pandas as pd

    return pd.DataFrame(
        {
            "time": _timestamps(found.ts),
            "tag": pd.Series(found.tag, dtype="str"),
            "mean": found.mean,
            "min": found.min,
            "max": found.max,
            "count": found.count,
        }
    )


def gap_table(
    found: Gaps, expected_ms: Mapping[str, float], tolerance: float, from_ms: int | None, to_ms: int | None
) -> pd.DataFrame:
    """Return tag, start, end, seconds, missing of steps beyond each tag's interval, the period's ends included."""
    import pandas as pd

    rows = list(found.steps)
    for tag in expected_ms:
        first, last = found.ends.get(tag, (to_ms, None))
        ends = [(from_ms, first), (last, to_ms)]
        rows += [(tag, start, end) for start, end in ends if start is not None and end is not None]
    rows = sorted(row for row in rows if row[2] - row[1] > expected_ms[row[0]] * tolerance)
    names = [tag for tag, _, _ in rows]
    starts, ends_ms = (np.array([row[place] for row in rows], np.int64) for place in (1, 2))
    usual = np.array([expected_ms[name] for name in names], np.float64)
    return pd.DataFrame(
        {
            "tag": pd.Series(names, dtype="str"),
            "start": _timestamps(starts),
            "end": _timestamps(ends_ms),
            "seconds": (ends_ms - starts) / 1000.0,
            "missing": (np.ceil((ends_ms - starts) / usual) - 1).astype(np.int64),
        }
    )


def meaning_table(found: Sequence[Version]) -> pd.DataFrame:
    """Return version, since and a column for each key of the configurations."""
    import pandas as pd

    table = pd.DataFrame([json.loads(row.config or "{}") for row in found])
    table.insert(0, "version", np.array([row.version for row in found], np.int64))
    table.insert(1, "since", _timestamps(np.array([row.since_ms for row in found], np.int64)))
    return table


def _timestamps(ts: NDArray[np.int64]) -> pd.DatetimeIndex:
    import pandas as pd

    return pd.DatetimeIndex(ts.astype("datetime64[ms]")).tz_localize("UTC")
