"""From the historian to the detector: tags become a record of the network's instruments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from hydro.record import Record
from scada.deadband import restored
from scada.historian import Historian
from scada.quantity import si_factor
from scada.tag import Tag

_MEASURED = ("pressure", "flow", "level", "demand")


def measured_tags(tags: Iterable[Tag]) -> list[Tag]:
    """Tags that measure a quantity of the hydraulic state at an element, in a unit that is one of length or volume."""
    return [
        tag
        for tag in tags
        if tag.element and tag.quantity in _MEASURED and si_factor(tag.unit, tag.quantity) is not None
    ]


def frame_of(
    store: Historian, tags: Sequence[Tag], from_ms: int | None = None, to_ms: int | None = None
) -> pd.DataFrame:
    """Samples of a period, one column for each tag in the tag's unit, NaN where not GOOD; index UTC.

    What a deadband left out is filled in.
    """
    names = [tag.name for tag in tags]
    if any(tag.deadband for tag in tags):
        return restored(store.range(names, from_ms, to_ms), tags)
    return store.frame(names, from_ms, to_ms)


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
    tables: dict[str, dict[str, pd.Series]] = {quantity: {} for quantity in _MEASURED}
    for tag in measured_tags(tags):
        if tag.name in frame.columns:
            factor = si_factor(tag.unit, tag.quantity)
            tables[tag.quantity].setdefault(tag.element, frame[tag.name] * (1.0 if factor is None else factor))
    return Record(**{quantity: pd.DataFrame(columns, index=frame.index) for quantity, columns in tables.items()})
