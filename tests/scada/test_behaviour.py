"""What only several samples tell, against a slow twin for the quick way and against stories for the rest."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.behaviour import Behaviour, Habits, Memory
from scada.block import Block
from scada.plan import Request
from scada.quality import QUALITY_OF, REASONS
from scada.sample import Quality
from scada.status import ReaderStatus
from scada.tag import Tag

MINUTE_MS = 60_000


def reasons(tag: Tag, raw: list[float], interval_ms: int = MINUTE_MS, habits: Habits | None = None) -> list[str]:
    """Judge one tag sample by sample; NaN is a sample that never came."""
    behaviour = Behaviour([tag], Memory(1, habits))
    told: list[str] = []
    for slot, value in enumerate(raw):
        codes = np.zeros(1, dtype=np.uint8)
        if not np.isnan(value):
            numbers = np.array([value])
            behaviour.judge(numbers, numbers * tag.scale + tag.offset, codes, slot * interval_ms)
        told.append(REASONS[codes[0]].value)
    return told


def pressure(kind: str = "float32", **more: object) -> Tag:
    return Tag("p", "d", "input", 0, kind, quantity="pressure", **more)  # type: ignore[arg-type]


def noise(count: int, level: float = 40.0, seed: int = 1) -> list[float]:
    return (level + np.random.default_rng(seed).normal(0, 0.1, count)).tolist()


def test_frozen_pressure_is_noticed_after_half_an_hour_and_forgiven_when_it_moves() -> None:
    told = reasons(pressure(), [*noise(100), *[40.0] * 60, *noise(20, 40.0, 2)])
    assert told[:130] == [""] * 130
    assert told[130:160] == ["flat-line"] * 30
    assert set(told[160:]) == {""}


def test_lost_samples_in_between_do_not_hide_a_frozen_value() -> None:
    told = reasons(pressure(), [40.0 if slot % 2 else np.nan for slot in range(80)])
    assert "flat-line" in told


def test_stopped_pump_is_flat_for_as_long_as_it_likes() -> None:
    flow = Tag("f", "d", "input", 0, "uint16", quantity="flow", scale=0.1, offset=-100.0, deadband=0.5)
    assert set(reasons(flow, [1000.0] * 5000)) == {""}, "raw 1000 is no flow"
    assert "flat-line" in reasons(flow, [2000.0] * 500)


@pytest.mark.parametrize("quantity", ["status", "setpoint", "speed", "volume", "other"])
def test_what_may_stand_still_is_left_alone(quantity: str) -> None:
    assert set(reasons(Tag("x", "d", "input", 0, "float32", quantity=quantity), [7.0] * 500)) == {""}


def test_slow_level_that_moves_by_counts_teaches_its_pauses() -> None:
    level = Tag("l", "d", "input", 0, "int16", quantity="level", scale=0.01)
    night = [float(500 + slot // 300) for slot in range(3000)]  # a count every five hours
    told = reasons(level, night)
    assert "flat-line" in told[:400], "at first nobody knows"
    assert set(told[400:]) == {""}
    assert "flat-line" in reasons(level, [*night, *[510.0] * 1200])[3000:]


def final(tag: Tag, raw: list[float], interval_ms: int = MINUTE_MS) -> list[str]:
    """What samples are in the end, through the block that gives them out and revises them."""
    block, status = Block(Request("d", "input", 0, 2, (tag,)), Memory(1)), ReaderStatus("d")
    last: dict[int, str] = {}
    for slot, value in enumerate(raw):
        if np.isnan(value):
            continue
        words = np.array([value], dtype=">f4").view(">u2").astype(np.uint16)
        (sample,) = block.samples(words, slot * interval_ms, slot * interval_ms + 5, status)
        for revised in block.revised(slot * interval_ms + 5, status):
            assert revised.arrival_ms == slot * interval_ms + 5 > revised.time_ms
            assert (revised.quality, revised.reason) == (Quality.GOOD, "")
            assert last[revised.time_ms // interval_ms] == "spike"
            assert revised.value == pytest.approx(raw[revised.time_ms // interval_ms], abs=1e-3)
            last[revised.time_ms // interval_ms] = ""
        last[slot] = sample.reason
        assert (sample.quality == Quality.GOOD) == (sample.reason == "")
    counted = status.samples_good + status.samples_revised
    assert counted == status.registers_read / 2 + status.registers_revised / 2 == list(last.values()).count("")
    return [last.get(slot, "-") for slot in range(len(raw))]


def spikes(tag: Tag, raw: list[float], interval_ms: int = MINUTE_MS) -> list[int]:
    return [slot for slot, reason in enumerate(final(tag, raw, interval_ms)) if reason == "spike"]


def test_spike_is_told_and_a_step_of_the_plant_is_none() -> None:
    raw = noise(1000)
    raw[500] += 30.0
    raw[600:] = [value + 30.0 for value in raw[600:]]
    raw[700:] = [value - 30.0 for value in raw[700:]]
    told = reasons(pressure(), raw)
    assert [slot for slot, reason in enumerate(told) if reason] == [500, 600], "nobody can know at once"
    assert spikes(pressure(), raw) == [500]


@pytest.mark.parametrize("interval_ms", [500, 1000, 10_000, 60_000, 900_000])
def test_step_stays_good_and_a_spike_is_found_however_often_a_tag_is_read(interval_ms: int) -> None:
    tag = pressure(interval_s=interval_ms / 1000)
    count = max(3600 * 1000 // interval_ms, 60) + 20
    step = noise(2 * count)
    step[count:] = [value - 12.0 for value in step[count:]]
    assert spikes(tag, step, interval_ms) == []
    spike = noise(2 * count)
    spike[count] -= 12.0
    assert spikes(tag, spike, interval_ms) == [count]
    assert spikes(tag, [*spike[: count + 1], np.nan, *spike[count + 2 :]], interval_ms) == [count], "a reading is lost"


def test_a_few_samples_of_a_fast_tag_are_one_spike() -> None:
    tag = pressure(interval_s=1.0)
    raw = noise(8000)
    raw[5000:5003] = [70.0, 71.0, 70.5]
    assert spikes(tag, raw, 1000) == [5000, 5001, 5002]
    raw[6000:6100] = [55.0] * 100
    assert spikes(tag, raw, 1000) == [5000, 5001, 5002], "what stays for longer is the plant's"


def test_pump_that_runs_up_over_some_samples_is_no_spike() -> None:
    raw = [*noise(4000), *(40.0 + 0.8 * second for second in range(25)), *noise(400, 60.0)]
    assert spikes(pressure(interval_s=1.0), raw, 1000) == []


def test_noise_that_never_agrees_with_itself_stays_doubtful() -> None:
    raw = noise(200)
    raw[150:156] = [90.0, 300.0, 15.0, -80.0, 250.0, 1000.0]
    assert spikes(pressure(), raw) == list(range(150, 156))


def test_step_around_which_readings_are_lost_is_good_too() -> None:
    raw = [*noise(200), 52.0, np.nan, np.nan, *noise(100, 52.0, 2)]
    assert spikes(pressure(), raw) == []
    raw = [*noise(200), 52.0, *[np.nan] * 50, *noise(100, 52.0, 2)]
    assert spikes(pressure(), raw) == []
    raw = [*noise(200), 52.0, *[np.nan] * 50, *noise(100, 40.0, 2)]
    assert spikes(pressure(), raw) == [200]


def test_doubt_of_a_device_whose_clock_is_wrong_is_not_taken_away() -> None:
    tags = (Tag("d.time", "d", "input", 0, "uint32", quantity="time"), replace(pressure(), address=2, type="uint16"))
    block, status = Block(Request("d", "input", 0, 3, tags), Memory(2)), ReaderStatus("d")
    revised = []
    for slot in range(300):
        seconds = 60 * slot + 1_000_000 * (slot == 200)
        words = np.array([seconds >> 16, seconds & 0xFFFF, 400 + slot % 2 + 100 * (slot >= 200)], dtype=np.uint16)
        block.samples(words, slot * MINUTE_MS + 7, slot * MINUTE_MS + 7, status)
        revised += block.revised(slot * MINUTE_MS + 8, status)
    assert revised == []


def test_first_hour_only_teaches() -> None:
    raw = noise(200)
    raw[40] += 30.0
    assert set(reasons(pressure(), raw)) == {""}


def test_counter_wraps_at_its_end_and_nowhere_else() -> None:
    counter = Tag("v", "d", "input", 0, "uint16", quantity="volume", wrap=65536.0)
    raw = [float((65000 + 37 * slot) % 65536) for slot in range(60)]
    told = reasons(counter, raw)
    wrapped = next(slot for slot in range(1, 60) if raw[slot] < raw[slot - 1])
    assert [slot for slot, reason in enumerate(told) if reason] == [wrapped]
    assert told[wrapped] == "wrap"
    assert QUALITY_OF[REASONS.index("wrap")] == Quality.GOOD


@pytest.mark.parametrize("new", [0.0, 12.0, 30_000.0, 50_000.0])
def test_exchanged_meter_is_no_wrap(new: float) -> None:
    counter = Tag("v", "d", "input", 0, "uint32", quantity="volume", wrap=2.0**32)
    old = [float(40_000 + 37 * slot) for slot in range(60)]
    told = reasons(counter, [*old, *(new + 37 * slot for slot in range(60))])
    assert [(slot, reason) for slot, reason in enumerate(told) if reason] == [(60, "meter-exchanged")]


def test_meter_that_counts_both_ways_is_not_exchanged() -> None:
    both = Tag("v", "d", "input", 0, "int32", quantity="volume", wrap=2.0**31)
    there = [float(5 * slot) for slot in range(50)]
    assert set(reasons(both, [*there, *there[::-1], *there])) == {""}


def test_counter_that_paused_and_was_not_read_for_a_day_is_the_same_one() -> None:
    counter = Tag("v", "d", "input", 0, "uint32", quantity="volume", wrap=2.0**32)
    raw = [float(37 * slot) for slot in range(100)] + [np.nan] * 1440 + [float(37 * slot) for slot in range(1540, 1600)]
    assert set(reasons(counter, raw)) == {""}


def story(draw: st.DrawFn, kind: str) -> list[float]:
    value, told = draw(st.integers(0, 60_000)), []
    for _ in range(draw(st.integers(5, 40))):
        move = draw(st.sampled_from(["stay", "stay", "step", "jump", "zero"]))
        if move == "step":
            value = min(65535, value + draw(st.integers(0, 5)))
        elif move in {"jump", "zero"}:
            value = draw(st.integers(0, 65535)) if move == "jump" else 0
        told += [float(value)] * draw(st.integers(1, 4))
    return told


@st.composite
def stories(draw: st.DrawFn) -> list[list[float]]:
    drawn = [story(draw, "uint16") for _ in range(3)]
    length = min(len(told) for told in drawn)
    return [told[:length] for told in drawn]


@settings(max_examples=60)
@given(drawn=stories(), bad=st.sets(st.integers(0, 60)))
def test_quick_way_and_closer_look_agree(drawn: list[list[float]], bad: set[int]) -> None:
    """Three tags in one block, which takes the quick way when it can, against each alone with gaps between its rows."""
    habits = Habits(flat_integer_s=300.0, flat_samples=3, learning_s=600.0, learning_samples=5)
    tags = [
        Tag("p", "d", "input", 0, "uint16", quantity="pressure"),
        Tag("v", "d", "input", 1, "uint16", quantity="volume", wrap=65536.0),
        Tag("f", "d", "input", 2, "uint16", quantity="flow", wrap=65536.0),
    ]
    together = Behaviour(tags, Memory(3, habits))
    scattered = Memory(9, habits)
    for name in ("a", "p", "b", "p\0counter", "c", "v\0counter", "e", "f", "g"):
        scattered.of([name])
    closely = Behaviour(tags, scattered)
    for slot, row in enumerate(zip(*drawn, strict=True)):
        numbers = np.array(row)
        codes = np.array([1 if slot in bad else 0, 0, 0], dtype=np.uint8)
        other = codes.copy()
        settled = together.judge(numbers, numbers, codes, slot * MINUTE_MS)
        assert list(settled) == list(closely.judge(numbers, numbers, other, slot * MINUTE_MS)), slot
        assert codes.tolist() == other.tolist(), slot


def test_what_was_seen_outlives_a_block_that_is_taken_apart() -> None:
    tags = tuple(Tag(f"p{k}", "d", "input", k, "uint16", quantity="pressure", scale=0.01) for k in range(4))
    memory, status = Memory(4), ReaderStatus("d")
    whole = Block(Request("d", "input", 0, 4, tags), memory)
    words = np.full(4, 4000, dtype=np.uint16)
    for slot in range(110):
        whole.samples(words, slot * MINUTE_MS, slot * MINUTE_MS, status)
    half = Block(Request("d", "input", 0, 2, tags[:2]), memory)
    told = [half.samples(words[:2], slot * MINUTE_MS, 0, status)[1].reason for slot in range(110, 130)]
    assert told == [""] * 10 + ["flat-line"] * 10
    assert status.samples_good == 4 * 110 + 2 * 10
    assert status.samples_bad == status.registers_bad == 2 * 10
