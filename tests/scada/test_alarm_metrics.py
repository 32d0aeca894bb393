"""Figures of the alarm system against slow countings of the same journal."""

import random
from collections import Counter

import pytest

from scada.alarms import Alarm, AlarmEngine, Command, Entry
from scada.alarms.metrics import entry_table, measure
from scada.sample import Sample

DAY_MS = 86_400_000
TEN_MS = 600_000
START_MS = 1_790_000_000_000 // DAY_MS * DAY_MS


def journal(seed: int, hours: float = 6.0) -> list[Entry]:
    """Quiet hours and busy ones, on two positions, some of it acknowledged."""
    rng = random.Random(seed)
    alarms = [Alarm(f"t{k}", "on", position="east" if k < 20 else "west", priority="high" if k % 3 else "low")
              for k in range(40)]  # fmt: skip
    engine = AlarmEngine(alarms, START_MS)
    samples, number = [], 0
    end_ms = START_MS + round(hours * 3_600_000)
    time_ms = START_MS
    while time_ms < end_ms:
        is_busy = (time_ms // 1_800_000) % 3 == 0
        time_ms += rng.randrange(1000, 12_000 if is_busy else 900_000)
        tag = f"t{rng.randrange(40)}"
        samples.append(Sample(tag, time_ms, time_ms, float(rng.random() < 0.7)))
        if rng.random() < 0.5:
            number += 1
            engine.command(Command(f"{tag}/on", "acknowledge", "Олена", time_ms=time_ms + 30_000, number=number))
    return engine.take(samples) + engine.finish(end_ms)


@pytest.mark.parametrize("seed", range(4))
def test_rates_are_countings(seed: int) -> None:
    entries = journal(seed)
    from_ms, to_ms = START_MS + 3_600_000, START_MS + 5 * 3_600_000
    found = measure(entries, from_ms, to_ms)
    told = [e for e in entries if e.after == "unacknowledged" != e.before and from_ms <= e.time_ms < to_ms]
    assert len(told) > 30
    counts = Counter((e.position, (e.time_ms - from_ms) // TEN_MS) for e in told)
    rates = found.rates
    assert len(rates) == 2 * 24
    for row in rates.itertuples():
        place = (row.time.value // 1_000_000 - from_ms) // TEN_MS
        assert row.alarms == counts[row.position, place]
    for row in found.positions.itertuples():
        assert row.alarms == sum(e.position == row.position for e in told)
        assert row.per_10_min == pytest.approx(row.alarms / 24)
        assert row.worst_10_min == max(counts[row.position, k] for k in range(24))
        assert row.over_10_share == sum(counts[row.position, k] > 10 for k in range(24)) / 24
    by_alarm = Counter(e.alarm for e in told)
    assert dict(zip(found.worst["alarm"], found.worst["count"], strict=True)).items() <= by_alarm.items()
    assert found.worst["count"].tolist() == sorted(by_alarm.values(), reverse=True)[:10]
    assert found.worst["share"].sum() <= 1.0
    assert dict(zip(found.priorities["priority"], found.priorities["alarms"], strict=True)) == Counter(
        e.priority for e in told
    )


@pytest.mark.parametrize("seed", range(4))
def test_time_in_flood_is_that_of_the_engine(seed: int) -> None:
    entries = journal(seed)
    end_ms = START_MS + 6 * 3_600_000
    open_at: dict[str, int] = {}
    flooded: Counter[str] = Counter()
    for entry in entries:
        if entry.event == "flood":
            open_at[entry.position] = entry.time_ms
        elif entry.event == "flood-end":
            flooded[entry.position] += entry.time_ms - open_at.pop(entry.position)
    for position, since_ms in open_at.items():
        flooded[position] += end_ms - since_ms
    assert flooded
    found = measure(entries, START_MS, end_ms)
    for row in found.positions.itertuples():
        assert row.flood_share * (end_ms - START_MS) == pytest.approx(flooded[row.position])


def test_acknowledgements_and_what_stands() -> None:
    engine = AlarmEngine([Alarm("a", "on"), Alarm("b", "on"), Alarm("c", "on")], START_MS)
    hour = 3_600_000
    engine.command(Command("a/on", "acknowledge", "Олена", time_ms=START_MS + 60_000))
    engine.command(Command("b/on", "shelve", "Олена", "works", 3600.0, START_MS + 2 * hour))
    samples = [Sample(tag, START_MS, START_MS, 1.0) for tag in "ab"]
    samples.append(Sample("c", START_MS + 30 * hour, START_MS + 30 * hour, 1.0))
    entries = engine.take(samples) + engine.finish(START_MS + 40 * hour)
    found = measure(entries, START_MS, START_MS + 40 * hour)
    assert found.answers.to_dict("records") == [
        {"position": "control-room", "acknowledged": 1, "median_s": 60.0, "p90_s": 60.0}
    ]
    # b came again when its shelf's time was over
    assert found.standing[["alarm", "state", "hours"]].to_dict("records") == [
        {"alarm": "a/on", "state": "acknowledged", "hours": 40.0},
        {"alarm": "b/on", "state": "unacknowledged", "hours": 37.0},
    ]
    assert str(found.standing["since"].dtype) == "datetime64[ms, UTC]"


def test_nothing_at_all_has_figures_too() -> None:
    found = measure([], START_MS, START_MS + DAY_MS)
    assert [len(table) for table in (found.rates, found.positions, found.worst, found.standing)] == [0, 0, 0, 0]
    assert entry_table([]).empty


def test_the_journal_as_a_table() -> None:
    entries = journal(1)
    table = entry_table(entries)
    assert len(table) == len(entries)
    assert str(table["time"].dtype) == "datetime64[ms, UTC]"
    assert table["time"].astype("int64").tolist() == [e.time_ms for e in entries]
    assert table["who"].unique().tolist() == ["", "Олена"]
