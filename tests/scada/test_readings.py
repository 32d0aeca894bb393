"""A reply as columns is what its samples are, to whoever goes through them and to the historian."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.historian.batch import Interner, meanings_of
from scada.historian.pending import Pending
from scada.quality import QUALITY_OF, REASONS
from scada.readings import Readings, lost
from scada.sample import Quality, Reason, Sample
from scada.tag import Tag

NAMES = tuple(f"t{n}" for n in range(6))


@st.composite
def replies(draw: st.DrawFn) -> Readings:
    first = draw(st.integers(0, 5))
    names = NAMES[first : draw(st.integers(first + 1, 6))]
    if draw(st.integers(0, 4)) == 0:
        return lost(names, draw(st.integers(0, 10**12)), draw(st.integers(0, 10**12)), "timeout")
    values = np.array(draw(st.lists(st.floats(-1e9, 1e9), min_size=len(names), max_size=len(names))))
    codes = draw(st.lists(st.integers(0, len(REASONS) - 1), min_size=len(names), max_size=len(names)))
    return Readings(
        names,
        draw(st.integers(0, 10**12)),
        draw(st.integers(0, 10**12)),
        values,
        None if draw(st.booleans()) else np.array(codes, dtype=np.uint8),
    )


def same(one: Sample, other: Sample) -> bool:
    alike = (one.tag, one.time_ms, one.arrival_ms, one.quality, one.reason)
    return alike == (other.tag, other.time_ms, other.arrival_ms, other.quality, other.reason) and (
        one.value == other.value or (math.isnan(one.value) and math.isnan(other.value))
    )


@given(readings=replies(), data=st.data())
def test_columns_are_their_samples(readings: Readings, data: st.DataObject) -> None:
    samples = list(readings)
    assert len(samples) == len(readings) == len(readings.names)
    for place, sample in enumerate(samples):
        assert same(sample, readings[place])
        assert same(sample, readings[place - len(samples)])
        assert isinstance(sample.quality, Quality)
        assert isinstance(sample.value, float)
        code = 0 if readings.codes is None else int(readings.codes[place])
        assert (sample.quality, sample.reason) == (readings.grades[code], readings.reasons[code])
        assert sample.tag == readings.names[place]
        assert readings.quality[place] == sample.quality
    part = data.draw(st.slices(len(samples)))
    assert all(same(one, other) for one, other in zip(readings[part], samples[part], strict=True))


def test_codes_mean_what_judging_says() -> None:
    readings = Readings(NAMES[:3], 5, 6, np.array([1.0, math.nan, 3.0]), np.array([0, 1, 7], dtype=np.uint8))
    found = [(sample.quality, sample.reason) for sample in readings]
    assert found == [(Quality.GOOD, ""), (Quality.BAD, "nan"), (Quality.GOOD, "wrap")]
    assert QUALITY_OF[5] == Quality.UNCERTAIN
    assert REASONS[5] is Reason.FLAT_LINE


@given(readings=replies())
def test_only_what_has_no_reason_is_lowered(readings: Readings) -> None:
    before = list(readings)
    after = list(readings.lowered(Quality.STALE, "heartbeat"))
    assert [same(one, other) for one, other in zip(before, readings, strict=True)] == [True] * len(before)
    for one, other in zip(before, after, strict=True):
        if one.reason and one.reason != "timeout":
            assert same(one, other)
        else:
            assert (other.quality, other.reason, other.tag, other.time_ms) == (
                Quality.STALE, "heartbeat", one.tag, one.time_ms
            )  # fmt: skip


TAGS = [Tag(name, "d", "input", n, "uint16") for n, name in enumerate(NAMES)]
PARTS = st.lists(
    st.one_of(replies(), replies().map(list), st.sampled_from([meanings_of(TAGS[:2], 5), meanings_of(TAGS[3:], 9)])),
    max_size=6,
)


@given(parts=PARTS)
def test_batch_of_columns_is_that_of_their_samples(parts: list) -> None:
    """With descriptions of tags in between, from which on a name may mean something else."""
    one, refused = Interner().batch(parts)
    other, refused_too = Interner().batch([list(part) if isinstance(part, Readings) else part for part in parts])
    assert refused == refused_too == 0
    assert one.meanings == other.meanings
    assert len(one) == len(other)
    for name in ("time_ms", "arrival_ms", "value", "quality"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype
    for batch in (one, other):
        assert batch.tag.dtype == batch.reason.dtype == np.int32
    # what was added readings by readings may have got its number in another order
    for texts, column in (("tags", "tag"), ("keys", "tag"), ("reasons", "reason")):
        mine, theirs = ([getattr(batch, texts)[k] for k in getattr(batch, column).tolist()] for batch in (one, other))
        assert mine == theirs
    assert one.decode(one.encode()).tags == one.tags


@pytest.mark.parametrize("is_newest", [True, False])
def test_part_of_a_reply_may_be_dropped(is_newest: bool) -> None:
    pending = Pending()
    for start in (0, 10):
        pending.put(Readings(NAMES, start, start, np.arange(6.0) + start), 6, 0.0)
    assert (pending.drop_newest(8) if is_newest else pending.drop_oldest(8)) == 8
    batch, _ = pending.batch(pending.take())
    assert batch.value.tolist() == ([0.0, 1.0, 2.0, 3.0] if is_newest else [12.0, 13.0, 14.0, 15.0])
