"""Columns of samples as PostgreSQL's binary COPY, without a loop over the rows.

Every column is NOT NULL and of fixed width, so that a row is a packed record: number of fields, then for each its
length and its value, big-endian (PostgreSQL manual, COPY, binary format). NaN stands for a missing value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["COPIED", "STAGE", "decode", "encode"]

_FIELDS = (
    ("n", "i4", "integer"), ("ts", "i8", "bigint"), ("tag_id", "i4", "integer"), ("value", "f8", "double precision"),
    ("quality", "i2", "smallint"), ("reason_id", "i4", "integer"), ("arrival", "i8", "bigint"),
    ("version", "i4", "integer"),
)  # fmt: skip
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = b"\xff\xff"
_RECORD = np.dtype(
    [("fields", ">i2")]
    + [pair for name, kind, _ in _FIELDS for pair in ((f"{name}_length", ">i4"), (name, f">{kind}"))]
)

STAGE = ", ".join(f"{name} {sql}" for name, _, sql in _FIELDS)
COPIED = "0, ts, tag_id, coalesce(value, 'NaN'), quality, reason_id, arrival, version"


def encode(columns: dict[str, NDArray[np.generic]]) -> bytes:
    """Return rows as a whole COPY stream; `n`, their number in order, is added."""
    rows = len(columns["ts"])
    table = np.empty(rows, _RECORD)
    table["fields"] = len(_FIELDS)
    table["n"] = np.arange(rows)
    for name, kind, _ in _FIELDS:
        table[f"{name}_length"] = np.dtype(kind).itemsize
        if name in columns:
            table[name] = columns[name]
    return b"".join([_HEAD, table.tobytes(), _TAIL])


def decode(stream: bytes) -> dict[str, NDArray[np.generic]]:
    """Return the columns of a COPY stream of :data:`COPIED`."""
    table = np.frombuffer(stream, _RECORD, (len(stream) - len(_HEAD) - len(_TAIL)) // _RECORD.itemsize, len(_HEAD))
    return {name: table[name].astype(kind) for name, kind, _ in _FIELDS}
