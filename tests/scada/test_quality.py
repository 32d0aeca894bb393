"""What may be believed."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scada.quality import QUALITY_OF, REASONS, judge, limits_of
from scada.sample import Quality, Reason
from scada.tag import Tag


def test_each_reason_has_its_quality() -> None:
    tag = Tag("t", "d", "input", 0, "int16", scale=0.1, min=-10.0, max=10.0, bad_values=(-32768.0, 32767.0))
    raw = np.array([50.0, math.nan, math.inf, -32768.0, 32767.0, 101.0, -101.0, 100.0])
    reason = judge(limits_of([tag] * len(raw)), raw, raw * 0.1)
    assert [REASONS[code] for code in reason] == [
        Reason.NONE,
        Reason.NAN,
        Reason.NAN,
        Reason.SENTINEL,
        Reason.SENTINEL,
        Reason.RANGE,
        Reason.RANGE,
        Reason.NONE,
    ]
    good, bad, uncertain = Quality.GOOD, Quality.BAD, Quality.UNCERTAIN
    assert QUALITY_OF[reason].tolist() == [good, bad, bad, bad, bad, uncertain, uncertain, good]


@given(
    rows=st.lists(
        st.tuples(
            st.floats(),
            st.lists(st.sampled_from([0.0, 1.0, 65535.0, math.nan]), max_size=3),
            st.floats(-10, 0),
            st.floats(0, 10),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_arrays_agree_with_one_at_a_time(rows: list[tuple[float, list[float], float, float]]) -> None:
    tags = [
        Tag("t", "d", "input", 0, "float64", min=low, max=high, bad_values=tuple(bad)) for _, bad, low, high in rows
    ]
    raw = np.array([value for value, *_ in rows])
    reason = judge(limits_of(tags), raw, raw)
    quality = QUALITY_OF[reason]
    for (value, bad, low, high), code, grade in zip(rows, reason, quality, strict=True):
        if value in [number for number in bad if not math.isnan(number)]:
            expected = (Reason.SENTINEL, Quality.BAD)
        elif not math.isfinite(value):
            expected = (Reason.NAN, Quality.BAD)
        elif not low <= value <= high:
            expected = (Reason.RANGE, Quality.UNCERTAIN)
        else:
            expected = (Reason.NONE, Quality.GOOD)
        assert (REASONS[code], Quality(grade)) == expected


def test_rounded_integer_is_uncertain() -> None:
    tag = Tag("t", "d", "input", 0, "int64")
    raw = np.array([2.0**60, 2.0**60])
    reason = judge(limits_of([tag, tag]), raw, raw, np.array([1]))
    assert [REASONS[code] for code in reason] == [Reason.NONE, Reason.INEXACT]
    assert QUALITY_OF[reason].tolist() == [Quality.GOOD, Quality.UNCERTAIN]
