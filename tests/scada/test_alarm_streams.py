"""That neither portions nor ticks nor a restart change what becomes of the alarms."""

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.alarms import Alarm, AlarmEngine, Command, Entry, Wiring
from scada.sample import Quality, Sample
from tests.scada.alarm_streams import MISSING, START_MS, STATION, at, raised, run, slot

TAGS = ["d0.a", "d0.b", "d1.a", "d1.b"]
PLANT = Wiring({tag: tag[:2] for tag in TAGS}, {"d0": "gw", "d1": "gw"}, away_delay_s=7.0)
ZOO = [
    Alarm("d0.a", "HH", limit=8.0, deadband=1.0, on_delay_s=3.0),
    Alarm("d0.a", "H", limit=5.0, deadband=1.0, off_delay_s=4.0, suppressed_by=("d0.a/HH",)),
    Alarm("d0.a", "bad"),
    Alarm("d0.b", "on", latching=True, position="east"),
    Alarm("d0.b", "stale", window_s=11.0),
    Alarm("d0.b", "rate", limit=3.0, window_s=4.0),
    Alarm("d1.a", "deviation", limit=2.0, expected="d0.a", window_s=3.0, on_delay_s=2.0),
    Alarm("d1.a", "bad", on_delay_s=1.0),
    Alarm("d1.b", "L", limit=3.0, suppressed_by=("d0.b/on",)),
    Alarm("d1.b", "stale", window_s=9.0),
]
_VALUES = st.sampled_from([0.0, 1.0, 4.0, 6.0, 9.0, math.nan])


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Sample], list[Command]]:
    """Samples of a minute in whole seconds, arrivals out of order, and what people did."""
    keys = draw(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(TAGS)), unique=True, max_size=60))
    samples = []
    for second, tag in keys:
        reason = draw(st.sampled_from(["timeout", "nan", "stopped"]))
        sample = at(second, draw(_VALUES), tag, lag_ms=draw(st.integers(0, 150)))
        samples.append(replace(sample, reason=reason if sample.quality is Quality.BAD else ""))
    actions = st.sampled_from(["acknowledge", "shelve", "unshelve", "suppress", "unsuppress", "out-of-service",
                               "return-to-service", "reset"])  # fmt: skip
    names = st.sampled_from([alarm.id for alarm in ZOO] + ["d0/away", "gw/away"])
    orders = draw(st.lists(st.tuples(st.integers(0, 60_000), names, actions), max_size=8))
    commands = [
        Command(name, action, "Олена", "why", 10.0, START_MS + moment, number)
        for number, (moment, name, action) in enumerate(orders)
    ]
    return samples, commands


@settings(max_examples=150)
@given(stream=streams(), seed=st.integers(0, 1 << 30))
def test_any_portions_ticks_and_order_within_the_patience_give_the_same_journal(
    stream: tuple[list[Sample], list[Command]], seed: int
) -> None:
    samples, commands = stream
    rng = Random(seed)
    end_ms = START_MS + 100_000
    whole = run(ZOO, sorted(samples, key=lambda s: s.arrival_ms), 100, commands, wiring=PLANT)
    live = AlarmEngine(ZOO, START_MS, PLANT)
    found: list[Entry] = []
    # each sample comes up to the patience later than it says, so some overtake others
    delivered = sorted((sample.arrival_ms + rng.randrange(200), k) for k, sample in enumerate(samples))
    pending_commands = list(commands)
    now_ms, place = START_MS, 0
    while now_ms < end_ms:
        now_ms += rng.choice([1, 50, 250, 2000])
        portion = []
        while place < len(delivered) and delivered[place][0] <= now_ms:
            portion.append(samples[delivered[place][1]])
            place += 1
        rng.shuffle(portion)
        for command in [c for c in pending_commands if c.time_ms <= now_ms]:
            live.command(command)
            pending_commands.remove(command)
        cut = rng.randrange(len(portion) + 1)
        found += live.take(portion[:cut])
        found += live.take(portion[cut:])
        found += live.advance(now_ms)
    found += live.finish(end_ms)
    assert [repr(entry) for entry in found] == [repr(entry) for entry in whole]
    assert [entry.number for entry in found] == list(range(1, len(found) + 1))


@settings(max_examples=80)
@given(stream=streams(), cut=st.integers(0, 60))
def test_a_restart_goes_on_where_the_journal_ends(stream: tuple[list[Sample], list[Command]], cut: int) -> None:
    """What is active, hidden, shelved and told is as before; only what a delay or a window had begun begins anew."""
    samples, commands = stream
    cut_ms = START_MS + 1000 * cut + 500
    first = AlarmEngine(ZOO, START_MS, PLANT, run="first")
    for command in commands:
        first.command(command)
    journal = first.take([s for s in samples if s.arrival_ms < cut_ms]) + first.finish(cut_ms)
    newest = {entry.alarm: entry for entry in journal if entry.alarm}
    second = AlarmEngine(ZOO, cut_ms, PLANT, run="second")
    second.restore(newest, journal)
    for one, other in zip(first.board.standings, second.board.standings, strict=True):
        assert (one.state, one.hidden, one.is_active) == (other.state, other.hidden, other.is_active)
        assert one.until_ms == other.until_ms
        assert one.is_awaiting is other.is_awaiting or not other.is_awaiting or one.root_cause() is not None
    # shelving ends on time though the program that began it is gone
    after = second.finish(cut_ms + 60_000)
    ends = {one.alarm.id: one.until_ms for one in first.board.standings if one.until_ms is not None}
    assert {e.alarm: e.time_ms for e in after if e.event == "unshelve"} == ends
    # and what was active is heard of again, and ends
    well = {"d0.a": 4.0, "d0.b": 0.0, "d1.a": 4.0, "d1.b": 4.0}
    second.take([at(200 + 5 * k, value, tag) for k in range(4) for tag, value in well.items()])
    second.finish(START_MS + 300_000)
    assert [one.alarm.id for one in second.board.standings if one.is_active and one.alarm.kind != "stale"] == []


@pytest.mark.parametrize("cut_s", [62, 75, 95, 130])
def test_devices_that_were_away_at_a_restart_are_heard_of_again(cut_s: int) -> None:
    """Before the gateway's alarm, after it, and after those of its devices."""
    alarms = [alarm for alarm in MISSING if not alarm.tag.startswith("d2")]
    cut_ms = START_MS + 1000 * cut_s
    lost = [sample for k in range(1, 3) for sample in slot(60 * k, "d0", "d1")]
    before = [*slot(0, "d0", "d1", value=1.0), *(sample for sample in lost if sample.arrival_ms < cut_ms)]
    first = AlarmEngine(alarms, START_MS, STATION, run="first")
    journal = first.take(before) + first.finish(cut_ms)
    second = AlarmEngine(alarms, cut_ms, STATION, run="second")
    second.restore({e.alarm: e for e in journal if e.alarm}, journal)
    rest = [sample for sample in lost if sample.arrival_ms >= cut_ms]
    after = second.take([*rest, *slot(180, "d0", "d1", value=1.0)]) + second.finish(START_MS + 200_000)
    assert not any(one.is_active or one.hidden for one in second.board.standings)
    assert raised([*journal, *after]) == ["gw/away"]


@settings(max_examples=80)
@given(stream=streams())
def test_the_journal_alone_tells_the_states(stream: tuple[list[Sample], list[Command]]) -> None:
    """Entries follow each other without a gap, and what is suppressed by a cause names it."""
    samples, commands = stream
    state: dict[str, str] = {}
    for entry in run(ZOO, samples, 100, commands, wiring=PLANT):
        if not entry.alarm:
            continue
        assert entry.before == state.get(entry.alarm, "normal") or entry.event in {"chattering", "quiet"}
        state[entry.alarm] = entry.after
        assert bool(entry.cause) is ("caused" in entry.hidden) or entry.event == "released"
