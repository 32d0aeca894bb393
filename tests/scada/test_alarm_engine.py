"""Alarms from samples: kinds, delays, causes, floods, commands."""

import math
from dataclasses import replace

import pytest

from scada.alarms import Alarm, AlarmEngine, Command, Wiring
from scada.sample import Quality
from tests.scada.alarm_streams import LATENCY_MS, MISSING, START_MS, STATION, at, course, raised, run, slot, told

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


def test_what_was_told_makes_way_for_an_alarm_and_not_for_a_suspicion() -> None:
    alarms = [Alarm("mains", "on", on_delay_s=30.0), Alarm("p", "L", limit=10.0, suppressed_by=("mains/on",))]
    samples = [at(0, 5.0, "p"), at(10, 1.0, "mains"), at(20, 0.0, "mains"), at(50, 1.0, "mains")]
    assert told(run(alarms, samples)) == [
        (0, "p/L", "raise", "unacknowledged"),
        (80, "mains/on", "raise", "unacknowledged"),
        (80, "p/L", "caused", "suppressed"),
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


NETWORK = Wiring(STATION.device_of, {**STATION.gateway_of, "gw": "network", "d2": "network"}, 30.0, "network")


def test_a_dead_network_is_one_alarm_and_its_end_is_not_many() -> None:
    """All are lost within some seconds, and come back over a minute; another time one of them stays away."""
    samples = slot(0, "d0", "d1", "d2", value=1.0)
    for k in range(1, 10):
        for number, device in enumerate(("d0", "d1", "d2")):
            is_back = 60 * k >= 300 + 30 * number
            samples += slot(60 * k + 2 * number, device, value=1.0 if is_back else math.nan)
    found = run(MISSING, samples, 10 * 60 - 1, wiring=NETWORK)
    assert raised(found) == ["network/away"]
    assert course([e for e in found if e.alarm == "network/away"]) == [(94, "raise"), (360, "clear")]
    assert {e.cause for e in found if e.alarm in {"gw/away", "d2/away"} and e.event == "caused"} == {"network/away"}
    assert {e.after for e in found if e.event == "released"} == {"normal"}
    dead = [s if s.time_ms < START_MS + 60_000 or not s.tag.startswith("d2") else
            replace(s, value=math.nan, quality=Quality.BAD, reason="timeout") for s in samples]  # fmt: skip
    assert raised(run(MISSING, dead, 10 * 60 - 1, wiring=NETWORK)) == ["network/away", "d2/away"]


def test_a_network_with_one_device_that_answers_is_well() -> None:
    samples = slot(0, "d0", "d1", "d2", value=1.0)
    samples += [s for k in range(1, 10) for s in [*slot(60 * k, "d0", "d1"), *slot(60 * k, "d2", value=1.0)]]
    assert raised(run(MISSING, samples, 10 * 60 - 1, wiring=NETWORK)) == ["gw/away"]
    alone = [alarm for alarm in MISSING if alarm.tag.startswith("d2")]
    assert "network/away" not in {one.alarm.id for one in AlarmEngine(alone, START_MS, NETWORK).board.standings}
