"""Alarms from samples: kinds, delays, causes, floods; and that portions and ticks change nothing."""

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.alarms import Alarm, AlarmEngine, Command, Entry, Wiring
from scada.sample import Quality, Sample

START_MS = 1_790_000_000_000
LATENCY_MS = 40


def at(seconds: float, value: float = math.nan, tag: str = "t", reason: str = "", lag_ms: int = LATENCY_MS) -> Sample:
    """A sample; without a value it is BAD."""
    time_ms = START_MS + round(1000 * seconds)
    quality = Quality.BAD if math.isnan(value) else Quality.GOOD
    return Sample(tag, time_ms, time_ms + lag_ms, value, quality, reason)


def run(
    alarms: Sequence[Alarm],
    samples: Sequence[Sample],
    end_s: float = 10_000.0,
    commands: Sequence[Command] = (),
    **more: object,
) -> list[Entry]:
    engine = AlarmEngine(alarms, START_MS, **more)  # type: ignore[arg-type]
    for command in commands:
        engine.command(command)
    return engine.take(samples) + engine.finish(START_MS + round(1000 * end_s))


def told(entries: Sequence[Entry]) -> list[tuple[float, str, str, str]]:
    """Seconds, alarm, event and state of entries."""
    return [((e.time_ms - START_MS - LATENCY_MS) / 1000, e.alarm, e.event, e.after) for e in entries]


def course(entries: Sequence[Entry]) -> list[tuple[float, str]]:
    return [(seconds, event) for seconds, _, event, _ in told(entries)]


# kinds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "sign"), [("H", 1.0), ("HH", 1.0), ("L", -1.0), ("LL", -1.0)])
def test_limits_end_when_the_value_is_back_by_the_deadband(kind: str, sign: float) -> None:
    values = [0.0, 10.0, 10.1, 9.5, 9.0, 9.5, 10.1, 8.0]
    samples = [at(10 * k, sign * value) for k, value in enumerate(values)]
    found = run([Alarm("t", kind, limit=sign * 10.0, deadband=1.0)], samples)
    assert course(found) == [(20, "raise"), (40, "clear"), (60, "raise"), (70, "clear")]
    assert [e.value for e in found] == [sign * v for v in (10.1, 9.0, 10.1, 8.0)]


def test_bits() -> None:
    samples = [at(10 * k, value, tag) for k, value in enumerate([0.0, 1.0, 1.0, 0.0]) for tag in ("a", "b")]
    found = run([Alarm("a", "on"), Alarm("b", "off")], samples)
    assert told(found) == [
        (0, "b/off", "raise", "unacknowledged"),
        (10, "a/on", "raise", "unacknowledged"),
        (10, "b/off", "clear", "returned"),
        (30, "a/on", "clear", "returned"),
        (30, "b/off", "raise", "unacknowledged"),
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("rise", [(120, "raise"), (240, "clear")]),
        ("fall", [(240, "raise"), (360, "clear")]),
        ("rate", [(120, "raise"), (360, "clear")]),
    ],
)
def test_rates_are_taken_over_a_window(kind: str, expected: list[tuple[float, str]]) -> None:
    """2 units a minute upwards for two minutes, then down, then rest; alarms above 1.5 a minute."""
    points = {0: 0.0, 60: 0.0, 120: 2.0, 180: 4.0, 240: 2.0, 300: 0.0, 360: 0.0, 420: 0.0}
    samples = [at(seconds, value) for seconds, value in points.items()]
    found = run([Alarm("t", kind, limit=1.5, window_s=60.0)], samples)
    assert course(found) == expected


def test_a_rate_over_a_gap_is_the_mean_of_the_gap_and_none_is_told_before_a_window() -> None:
    alarm = Alarm("t", "rate", limit=1.0, window_s=60.0)
    assert run([alarm], [at(0, 0.0), at(30, 50.0)]) == []
    assert run([alarm], [at(0, 0.0), at(600, 9.0)]) == []
    assert course(run([alarm], [at(0, 0.0), at(600, 11.0)])) == [(600, "raise")]


def test_deviation_compares_values_of_one_time() -> None:
    alarm = Alarm("t", "deviation", limit=2.0, expected="model.t")
    samples = [
        at(0, 10.0), at(0, 9.0, "model.t", lag_ms=70),
        at(300, 20.0), at(300, 19.0, "model.t", lag_ms=70),  # a step of both is no deviation, though one comes first
        at(600, 20.0), at(600, 17.5, "model.t", lag_ms=70),
        at(900, 20.0), at(900, 18.5, "model.t", lag_ms=70),
    ]  # fmt: skip
    found = run([alarm], samples)
    assert [(e.event, e.time_ms - START_MS) for e in found] == [("raise", 600_070), ("clear", 900_070)]


def test_deviation_from_a_callable_that_may_not_know() -> None:
    def model(tag: str, time_ms: int) -> float:
        return math.nan if time_ms < START_MS + 20_000 else 10.0

    alarm = Alarm("t", "deviation", limit=2.0, expected="model")
    samples = [at(0, 99.0), at(10, 99.0), at(20, 11.0), at(30, 13.0), at(40, 11.0)]
    assert course(run([alarm], samples, sources={"model": model})) == [(30, "raise"), (40, "clear")]


def test_bad_and_stale() -> None:
    alarms = [Alarm("t", "bad"), Alarm("t", "stale", window_s=100.0)]
    samples = [at(0, 1.0), at(60, reason="nan"), at(120, reason="nan"), at(180, 1.0)]
    assert told(run(alarms, samples, 500)) == [
        (60, "t/bad", "raise", "unacknowledged"),
        (100, "t/stale", "raise", "unacknowledged"),
        (180, "t/bad", "clear", "returned"),
        (180, "t/stale", "clear", "returned"),
        (280, "t/stale", "raise", "unacknowledged"),
    ]


def test_a_tag_that_never_came_is_stale() -> None:
    found = run([Alarm("t", "stale", window_s=100.0)], [], 500)
    assert [(e.event, e.time_ms - START_MS) for e in found] == [("raise", 100_000)]


# delays -----------------------------------------------------------------------------------------------------------


def test_delays() -> None:
    alarm = Alarm("t", "H", limit=5.0, on_delay_s=20.0, off_delay_s=30.0)
    samples = [at(0, 6.0), at(10, 4.0), at(20, 6.0), at(60, 4.0), at(70, 6.0), at(80, 4.0)]
    assert course(run([alarm], samples)) == [(40, "raise"), (110, "clear")]


def test_a_value_nobody_can_trust_neither_raises_nor_clears_and_ends_delays() -> None:
    alarm = Alarm("t", "H", limit=5.0, on_delay_s=20.0, off_delay_s=20.0)
    samples = [at(0, 6.0), at(10), at(100, 6.0), at(130, 4.0), at(140), at(200, 4.0)]
    assert course(run([alarm], samples)) == [(120, "raise"), (220, "clear")]
    uncertain = [replace(sample, quality=Quality.UNCERTAIN) for sample in samples]
    assert run([alarm], uncertain) == []
    not_a_number = [at(0, 6.0), replace(at(100), quality=Quality.GOOD)]
    assert course(run([Alarm("t", "H", limit=5.0)], not_a_number)) == [(0, "raise")]


def test_a_file_of_values_that_comes_at_once_has_lived_through_its_delays() -> None:
    """A logger delivers an hour at once: the condition has held for long, though we hear of it only now."""
    arrival_ms = START_MS + 3_600_000
    samples = [replace(at(60 * k, 6.0), arrival_ms=arrival_ms) for k in range(10)]
    found = run([Alarm("t", "H", limit=5.0, on_delay_s=300.0)], samples)
    assert [(e.event, e.time_ms) for e in found] == [("raise", arrival_ms)]


def test_a_late_value_is_passed_over_and_counted() -> None:
    engine = AlarmEngine([Alarm("t", "H", limit=5.0)], START_MS)
    late = replace(at(5, 9.0), arrival_ms=START_MS + 20_000)
    engine.take([at(0, 1.0), at(10, 1.0), late])
    assert engine.finish(START_MS + 60_000) == []
    assert engine.late == 1


# causes -----------------------------------------------------------------------------------------------------------

STATION = Wiring(
    {f"d{d}.t{k}": f"d{d}" for d in range(3) for k in range(50)}, {"d0": "gw", "d1": "gw"}, away_delay_s=30.0
)
MISSING = [Alarm(tag, kind, window_s=100.0 if kind == "stale" else 0.0) for tag in STATION.device_of
           for kind in ("bad", "stale")]  # fmt: skip


def slot(seconds: float, *devices: str, value: float = math.nan, reason: str = "timeout") -> list[Sample]:
    names = [tag for tag, device in STATION.device_of.items() if device in devices]
    return [at(seconds, value, tag, reason if math.isnan(value) else "") for tag in names]


def raised(entries: Sequence[Entry]) -> list[str]:
    return [e.alarm for e in entries if e.after == "unacknowledged" != e.before]


def test_a_dead_device_is_one_alarm_and_its_consequences_are_in_the_journal() -> None:
    alive = [sample for k in range(12) for sample in slot(60 * k, "d0", "d1", "d2", value=1.0)]
    dead = [sample for sample in alive if not sample.tag.startswith("d2") or sample.time_ms < START_MS + 120_000]
    dead += [sample for k in range(2, 8) for sample in slot(60 * k, "d2")]
    dead += [sample for k in range(8, 12) for sample in slot(60 * k, "d2", value=1.0)]
    found = run(MISSING, dead, 12 * 60 - 1, wiring=STATION)
    assert raised(found) == ["d2/away"]
    assert course([e for e in found if e.alarm == "d2/away"]) == [(150, "raise"), (480, "clear")]
    caused = [e for e in found if e.event == "caused"]
    assert {e.alarm for e in caused} == {f"d2.t{k}/{kind}" for k in range(50) for kind in ("bad", "stale")}
    assert {e.cause for e in caused} == {"d2/away"}
    assert [e.after for e in found if e.event == "released"] == ["normal"] * 100


def test_a_dead_gateway_is_one_alarm_too() -> None:
    samples = slot(0, "d0", "d1", "d2", value=1.0)
    samples += [s for k in range(1, 10) for s in [*slot(60 * k, "d0", "d1"), *slot(60 * k, "d2", value=1.0)]]
    found = run(MISSING, samples, 10 * 60 - 1, wiring=STATION)
    assert raised(found) == ["gw/away"]
    caused = [e for e in found if e.event == "caused"]
    assert {e.cause for e in caused if e.alarm.endswith("/away")} == {"gw/away"}
    # the first device was missed before anybody knew that it was not alone
    assert {e.cause for e in caused} == {"d0/away", "gw/away"}
    assert len({e.alarm for e in found if e.event == "caused"}) == 202


def test_one_device_behind_a_gateway_is_that_device() -> None:
    samples = slot(0, "d0", "d1", value=1.0)
    samples += [s for k in range(1, 10) for s in [*slot(60 * k, "d0"), *slot(60 * k, "d1", value=1.0)]]
    assert raised(run([a for a in MISSING if a.tag[:2] != "d2"], samples, 599, wiring=STATION)) == ["d0/away"]


def test_a_request_that_fails_while_others_are_answered_is_no_dead_device() -> None:
    samples = []
    for k in range(10):
        answered, lost = slot(60 * k, "d2", value=1.0)[:25], slot(60 * k, "d2")[25:]
        samples += [*answered, *(replace(sample, arrival_ms=sample.arrival_ms + 1000) for sample in lost)]
    found = raised(run([a for a in MISSING if a.kind == "bad"], samples, 599, wiring=STATION))
    assert sorted(found) == sorted(f"d2.t{k}/bad" for k in range(25, 50))


def test_after_its_cause_an_alarm_is_told_only_if_it_is_heard_of_again() -> None:
    """One tag is broken: it was so before, during and after its device was away."""
    lost, back = slot(60, "d2"), slot(300, "d2", value=1.0)
    back[7] = replace(back[7], value=math.nan, quality=Quality.BAD, reason="nan")
    found = run([a for a in MISSING if a.kind == "bad"], [*slot(0, "d2", value=1.0), *lost, *back], 400, wiring=STATION)
    assert raised(found) == ["d2/away", "d2.t7/bad"]
    released = {e.alarm: e.after for e in found if e.event == "released"}
    assert released.pop("d2.t7/bad") == "unacknowledged"
    assert set(released.values()) == {"normal"}


def test_a_stopping_reader_is_no_cause_for_alarm() -> None:
    samples = [*slot(0, "d2", value=1.0), *slot(60, "d2", reason="stopped")]
    assert run([a for a in MISSING if a.kind == "bad"], samples, wiring=STATION) == []


def test_configured_causes_reach_over_generations() -> None:
    alarms = [
        Alarm("mains", "on"),
        Alarm("pump", "on", suppressed_by=("mains/on",)),
        Alarm("p", "L", limit=10.0, suppressed_by=("pump/on",), on_delay_s=5.0),
    ]
    samples = [at(0, 0.0, "mains"), at(0, 0.0, "pump"), at(0, 30.0, "p")]
    samples += [at(10, 1.0, "mains"), at(20, 5.0, "p"), at(100, 0.0, "mains"), at(110, 5.0, "p")]
    samples += [at(200, 30.0, "p"), at(210, 1.0, "pump"), at(220, 5.0, "p")]
    assert [entry for entry in told(run(alarms, samples)) if entry[1] == "p/L"] == [
        (25, "p/L", "caused", "suppressed"),
        (25, "p/L", "raise", "suppressed"),
        (115, "p/L", "released", "unacknowledged"),
        (200, "p/L", "clear", "returned"),
        (225, "p/L", "caused", "suppressed"),
        (225, "p/L", "raise", "suppressed"),
    ]


def test_a_cause_that_comes_back_keeps_its_consequences() -> None:
    alarms = [Alarm("mains", "on"), Alarm("p", "L", limit=10.0, suppressed_by=("mains/on",), on_delay_s=30.0)]
    before = [at(0, 1.0, "mains"), at(0, 5.0, "p"), at(100, 0.0, "mains")]
    again = [at(120, 1.0, "mains"), at(200, 5.0, "p"), at(300, 5.0, "p")]
    for heard in ([], [at(110, 5.0, "p")]):  # of its own condition in between, so that its release was under way
        found = [e for e in run(alarms, [*before, *heard, *again]) if e.alarm == "p/L"]
        assert [e.event for e in found] == ["caused", "raise"]
    freed = [*before, at(110, 5.0, "p"), at(150, 1.0, "mains")]
    found = [e for e in run(alarms, freed) if e.alarm == "p/L"]
    assert course(found)[2:] == [(140, "released"), (150, "caused")]


def test_the_graver_limit_takes_the_place_of_the_other() -> None:
    alarms = [Alarm("t", "LL", limit=1.0), Alarm("t", "L", limit=2.0, suppressed_by=("t/LL",))]
    samples = [at(0, 3.0), at(10, 1.5), at(20, 0.5), at(30, 1.5), at(40, 3.0)]
    assert told(run(alarms, samples)) == [
        (10, "t/L", "raise", "unacknowledged"),
        (20, "t/LL", "raise", "unacknowledged"),
        (20, "t/L", "caused", "suppressed"),
        (30, "t/LL", "clear", "returned"),
        (30, "t/L", "released", "unacknowledged"),
        (40, "t/L", "clear", "returned"),
    ]


def test_what_is_out_of_service_suppresses_nothing() -> None:
    alarms = [Alarm("mains", "on"), Alarm("p", "L", limit=10.0, suppressed_by=("mains/on",))]
    remove = Command("mains/on", "out-of-service", "Олена", "relay stuck", time_ms=START_MS + 5000)
    samples = [at(0, 1.0, "mains"), at(10, 5.0, "p")]
    assert raised(run(alarms, samples, commands=[remove])) == ["mains/on", "p/L"]
    assert raised(run(alarms, samples)) == ["mains/on"]


# floods -----------------------------------------------------------------------------------------------------------


def test_an_alarm_that_comes_three_times_in_a_minute_is_held_until_it_is_quiet() -> None:
    values = [(10 * k, float(k % 2)) for k in range(20)] + [(200, 0.0), (400, 0.0)]
    found = run([Alarm("t", "on")], [at(seconds, value) for seconds, value in values])
    assert course(found) == [
        (10, "raise"), (20, "clear"), (30, "raise"), (40, "clear"), (50, "raise"), (50, "chattering"),
        (260, "quiet"), (260, "clear"),
    ]  # fmt: skip
    assert "7 times" in found[-2].why


def test_a_flood_begins_above_ten_and_ends_below_five_in_ten_minutes() -> None:
    alarms = [Alarm(f"t{k}", "on", position="east" if k < 12 else "west") for k in range(20)]
    found = run(alarms, [at(30 * k, 1.0, f"t{k % 20}") for k in range(20)], 5000)
    floods = [(e.position, e.event, e.time_ms - START_MS - LATENCY_MS) for e in found if not e.alarm]
    # the eleventh alarm of the east comes at 300 s, the eighth (k = 7) leaves the window at 210 + 600 s
    assert floods == [("east", "flood", 300_000), ("east", "flood-end", 840_000 - 30_000)]


# commands ---------------------------------------------------------------------------------------------------------


def do(
    action: str, seconds: float, alarm: str = "t/H", who: str = "Олена", why: str = "", for_s: float = 0.0
) -> Command:
    return Command(alarm, action, who, why, for_s, START_MS + round(1000 * seconds), round(seconds))


def test_shelving_ends_by_itself_and_tells_again_what_still_holds() -> None:
    engine = AlarmEngine([Alarm("t", "H", limit=5.0)], START_MS)
    for command in (
        do("shelve", 10, why="works", for_s=3600.0),
        do("acknowledge", 20),
        do("unshelve", 4000),
        do("acknowledge", 5000),
    ):
        engine.command(command)
    found = engine.take([at(0, 6.0)]) + engine.finish(START_MS + 10_000_000)
    assert [(e.time_ms - START_MS, e.event, e.after, e.who, e.why) for e in found] == [
        (40, "raise", "unacknowledged", "", ""),
        (10_000, "shelve", "shelved", "Олена", "works"),
        (3_610_000, "unshelve", "unacknowledged", "", "its time is over"),
        (5_000_000, "acknowledge", "acknowledged", "Олена", ""),
    ]
    assert found[1].until_ms == START_MS + 3_610_000
    assert [answer for _, answer in engine.answers] == [
        "",
        "t/H is shelved: there is nothing to acknowledge",
        "t/H is unacknowledged: there is nothing to unshelve",
        "",
    ]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (do("acknowledge", 1, who="  "), "name"),
        (do("shelve", 1, for_s=60.0), "reason"),
        (do("shelve", 1, why="x"), "how long"),
        (do("shelve", 1, why="x", for_s=25 * 3600.0), "24 h"),
        (do("suppress", 1), "reason"),
        (do("out-of-service", 1), "reason"),
        (do("reset", 1), "nothing to reset"),
        (do("silence", 1), "no command"),
        (do("acknowledge", 1, "t/HH"), "no alarm t/HH"),
    ],
)
def test_incomplete_commands_change_nothing_and_are_answered(command: Command, words: str) -> None:
    engine = AlarmEngine([Alarm("t", "H", limit=5.0)], START_MS)
    engine.command(command)
    found = engine.take([at(0, 6.0)]) + engine.finish(START_MS + 10_000)
    assert [e.event for e in found] == ["raise"]
    assert words in engine.answers[0][1]


def test_a_latching_alarm_waits_for_its_reset() -> None:
    alarm = Alarm("t", "H", limit=5.0, latching=True)
    commands = [do("reset", 25), do("acknowledge", 30), do("reset", 40)]
    found = run([alarm], [at(0, 6.0), at(20, 4.0)], commands=commands)
    assert [e.after for e in found] == ["unacknowledged", "latched", "latched-acknowledged", "normal"]


# portions, order, restart -----------------------------------------------------------------------------------------

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
