"""From the historian to the detector: tags become a record of the network's instruments."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from hydro.record import Record
from scada.tag import Tag

# SI per unit of a tag
_UNITS = {
    "pressure": {"m": 1.0, "bar": 10.1972, "kPa": 1.0 / 9.80665},
    "flow": {"m3/h": 1.0 / 3600.0, "L/s": 1e-3, "m3/s": 1.0, "m3/d": 1.0 / 86400.0},
    "level": {"m": 1.0, "cm": 0.01, "mm": 0.001},
    "demand": {"L/h": 1.0 / 3.6e6, "m3/h": 1.0 / 3600.0, "L/s": 1e-3},
}


def measured_tags(tags: Iterable[Tag]) -> list[Tag]:
    """Tags that measure a quantity of the hydraulic state at an element of the network."""
    return [tag for tag in tags if tag.element and tag.quantity in _UNITS]


def record_of(frame: pd.DataFrame, tags: Iterable[Tag]) -> Record:
    """Turn historian columns into a record.

    Parameters
    ----------
    frame
        Index UTC, one column for each tag in the tag's unit, NaN where not GOOD (`scada.historian`).
    tags
        Their definitions; tags without an element, or of other quantities, are left out. Where two tags measure the
        same quantity of an element the first counts.

    Returns
    -------
    Record
        SI.
    """
    tables: dict[str, dict[str, pd.Series]] = {quantity: {} for quantity in _UNITS}
    for tag in measured_tags(tags):
        if tag.name in frame.columns:
            factor = _UNITS[tag.quantity].get(tag.unit or "", 1.0)
            tables[tag.quantity].setdefault(tag.element, frame[tag.name] * factor)
    return Record(**{quantity: pd.DataFrame(columns, index=frame.index) for quantity, columns in tables.items()})
