"""What a deadband leaves out can be told exactly."""

import math

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from scada.deadband import LONGEST_SLOTS, Deadband, restored
from scada.readings import Readings, lost
from scada.sample import Quality, Sample
from scada.tag import Tag
from tests.scada.naive_deadband import NaiveDeadband

TAG = Tag("p", "d", "input", 0, "float32", interval_s=60.0, deadband=0.5)
MINUTE_MS = 60_000


def rows(samples: list[Sample]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": pd.to_datetime([s.time_ms for s in samples], unit="ms", utc=True),
            "tag": [s.tag for s in samples],
            "value": [s.value for s in samples],
            "quality": [int(s.quality) for s in samples],
            "reason": [s.reason for s in samples],
        }
    )


def run(read: list[float | None], flush: bool = True) -> tuple[list[Sample], Deadband]:
    """Feed values, None for a slot that went by unread, NaN for one that brought nothing."""
    stored: list[Sample] = []
    sink = Deadband([TAG], stored.extend)
    for slot, value in enumerate(read):
        if value is not None:
            bad = math.isnan(value)
            quality, reason = (Quality.BAD, "timeout") if bad else (Quality.GOOD, "")
            sink([Sample("p", slot * MINUTE_MS, slot * MINUTE_MS, value, quality, reason)])
    if flush:
        sink.flush()
    return stored, sink


values = st.one_of(st.none(), st.just(math.nan), st.sampled_from([10.0, 10.2, 10.4, 10.6, 11.0, 20.0]))


@given(read=st.lists(values, min_size=1, max_size=80))
def test_every_slot_read_comes_back_within_the_deadband_and_no_other(read: list[float | None]) -> None:
    stored, sink = run(read)
    column = restored(rows(stored), [TAG])["p"] if stored else pd.Series(dtype=float)
    for slot, value in enumerate(read):
        time = pd.Timestamp(slot * MINUTE_MS, unit="ms", tz="UTC")
        back = float(column.get(time, math.nan))
        if value is None or math.isnan(value):
            assert math.isnan(back), "good because it was good before"
        else:
            assert abs(back - value) <= TAG.deadband
    assert len(stored) + sink.left_out == sum(value is not None for value in read)
    assert len({sample.time_ms for sample in stored}) == len(stored)


def test_steady_value_is_stored_once_in_ten() -> None:
    stored, _ = run([10.0 + 0.01 * (slot % 3) for slot in range(101)])
    assert [sample.time_ms // MINUTE_MS for sample in stored] == list(range(0, 101, LONGEST_SLOTS))
    assert {sample.reason for sample in stored[1:]} == {"unchanged"}


def test_crash_promises_nothing_of_what_was_not_stored() -> None:
    stored, _ = run([10.0, 10.0, 10.0], flush=False)
    again, _ = run([None] * 6 + [10.0])
    column = restored(rows([*stored, *again]), [TAG])["p"]
    assert column.notna().sum() == 2


def test_tags_without_a_deadband_and_what_is_not_plainly_good_pass() -> None:
    stored: list[Sample] = []
    sink = Deadband([TAG], stored.extend)
    other = [Sample("q", slot, slot, 1.0) for slot in range(5)]
    sink(other)
    told = [Sample("p", slot * MINUTE_MS, 0, 1.0, Quality.UNCERTAIN, "range") for slot in range(5)]
    sink(told)
    sink([Sample("p", 9 * MINUTE_MS, 0, 1.0, Quality.GOOD, "wrap")])
    assert len(stored) == 11
    assert sink.left_out == 0


def test_tags_without_samples_have_an_empty_column() -> None:
    frame = restored(rows(run([1.0])[0]), [TAG, Tag("none", "d", "input", 9, "uint16")])
    assert list(frame.columns) == ["p", "none"]
    assert frame["none"].isna().all()


TAGS = [
    Tag("a", "d", "input", 0, "float32", interval_s=60.0, deadband=0.5),
    Tag("b", "d", "input", 2, "float32", interval_s=60.0),
    Tag("c", "d", "input", 4, "float32", interval_s=60.0, deadband=2.0),
    Tag("e", "d", "input", 6, "uint16", interval_s=120.0, deadband=1.0),
    Tag("f", "d", "input", 7, "float32", interval_s=60.0, deadband=0.5),
]
_value = st.sampled_from([10.0, 10.3, 10.5, 11.0, 12.0, 30.0, math.inf, math.nan])
# a step of slots, what came of it, which part of the block, as columns or as a list
_step = st.tuples(
    st.sampled_from([1, 1, 1, 1, 2, 3, 0]),
    st.lists(_value, min_size=5, max_size=5),
    st.lists(st.sampled_from([0, 0, 0, 0, 1, 3, 7]), min_size=5, max_size=5),
    st.sampled_from([slice(None), slice(None), slice(0, 3), slice(3, 5), slice(1, 2)]),
    st.sampled_from(["columns", "plain columns", "list", "lost"]),
)


@given(steps=st.lists(_step, max_size=40))
def test_columns_leave_out_what_samples_would(steps: list) -> None:
    """Against the twin that looks at each sample by itself: the same is stored of each tag, in the same order."""
    stored: list[Sample] = []
    wanted: list[Sample] = []
    mine, twin = Deadband(TAGS, stored.extend), NaiveDeadband(TAGS, wanted.extend)
    slot = 0
    for ahead, values, codes, part, form in steps:
        slot += ahead
        names = tuple(tag.name for tag in TAGS)[part]
        arrays = np.array(values)[part], None if form == "plain columns" else np.array(codes, dtype=np.uint8)[part]
        readings = Readings(names, slot * MINUTE_MS, slot * MINUTE_MS + 7, *arrays)
        if form == "lost":
            readings = lost(names, slot * MINUTE_MS, slot * MINUTE_MS + 7, "timeout")
        mine(list(readings) if form == "list" else readings)
        twin(list(readings))
        assert mine.left_out == twin.left_out
    mine.flush()
    twin.flush()
    for tag in TAGS:
        one, other = ([repr(s) for s in samples if s.tag == tag.name] for samples in (stored, wanted))
        assert one == other


def test_sample_that_is_revised_is_stored_again_and_what_follows_is_compared_with_it() -> None:
    tag = Tag("p", "d", "input", 0, "uint16", interval_s=60.0, deadband=0.5)
    told: list[Sample] = []
    sink = Deadband([tag], told.extend)
    suspect = Sample("p", 2 * MINUTE_MS, 2 * MINUTE_MS, 9.0, Quality.UNCERTAIN, "spike")
    sink([Sample("p", 0, 0, 1.0), Sample("p", MINUTE_MS, MINUTE_MS, 1.1), suspect])
    settled = Sample("p", 2 * MINUTE_MS, 3 * MINUTE_MS, 9.0)
    sink([settled])
    sink([Sample("p", 3 * MINUTE_MS, 3 * MINUTE_MS, 9.2)])
    assert told == [
        Sample("p", 0, 0, 1.0),
        Sample("p", MINUTE_MS, MINUTE_MS, 1.1, reason="unchanged"),
        suspect,
        settled,
    ]
    sink.flush()
    assert told[-1] == Sample("p", 3 * MINUTE_MS, 3 * MINUTE_MS, 9.2, reason="unchanged")
