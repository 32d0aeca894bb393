"""Whether a value that arrived may be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scada.sample import Quality, Reason
from scada.tag import Tag

__all__ = ["QUALITY_OF", "REASONS", "Limits", "judge", "limits_of"]

# what the reason codes of judge() mean
REASONS = (
    Reason.NONE,
    Reason.NAN,
    Reason.SENTINEL,
    Reason.RANGE,
    Reason.INEXACT,
    Reason.FLAT_LINE,
    Reason.SPIKE,
    Reason.WRAP,
    Reason.METER_EXCHANGED,
)
_NAN, _SENTINEL, _RANGE, _INEXACT = 1, 2, 3, 4
# their quality, uint8; a wrap is worth knowing and no fault
QUALITY_OF = np.array(
    [Quality.GOOD if why in {Reason.NONE, Reason.WRAP} else Quality.UNCERTAIN for why in REASONS], dtype=np.uint8
)
QUALITY_OF[[_NAN, _SENTINEL]] = Quality.BAD


@dataclass(frozen=True, slots=True)
class Limits:
    """What is known of the tags of one block.

    Attributes
    ----------
    low, high : float64 [n_tags], engineering units
        Bounds of a plausible value.
    bad : float64 [n_tags, n_bad], raw
        Raw values that mean "not known"; padded with NaN, which equals nothing.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    bad: NDArray[np.float64]


def limits_of(tags: Sequence[Tag]) -> Limits:
    """Return the limits of `tags` as arrays."""
    width = max((len(tag.bad_values) for tag in tags), default=0)
    bad = np.full((len(tags), width), np.nan)
    for row, tag in enumerate(tags):
        bad[row, : len(tag.bad_values)] = tag.bad_values
    return Limits(
        np.array([tag.min for tag in tags], dtype=float), np.array([tag.max for tag in tags], dtype=float), bad
    )


def judge(
    limits: Limits,
    raw: NDArray[np.float64],
    values: NDArray[np.float64],
    inexact: NDArray[np.intp] | None = None,
) -> NDArray[np.uint8]:
    """Judge the values of one block by themselves.

    Parameters
    ----------
    limits : Limits
    raw : float64 [n_tags]
        Raw values, compared with the sentinels.
    values : float64 [n_tags]
        Engineering values, compared with the range.
    inexact : intp [n], optional
        Which values were rounded.

    Returns
    -------
    uint8 [n_tags]
        Index into :data:`REASONS` and :data:`QUALITY_OF`: BAD for NaN, infinity and sentinels; UNCERTAIN out of range,
        as OPC UA part 8 calls a value that exceeds its engineering units, and for a 64-bit integer that is no float64.
    """
    reason = np.zeros(len(values), dtype=np.uint8)
    if inexact is not None:
        reason[inexact] = _INEXACT
    # nearly always there is nothing to mark, and counting costs less than marking
    is_inside = (values >= limits.low) & (values <= limits.high) & np.isfinite(values)
    if np.count_nonzero(is_inside) < len(values):
        reason[~is_inside] = _RANGE
        reason[~np.isfinite(values)] = _NAN
    for column in limits.bad.T:
        is_bad = raw == column
        if np.count_nonzero(is_bad):
            reason[is_bad] = _SENTINEL
    return reason
