"""A burst is told within hours, surges and quiet years are not, and what was told stays told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hydro.engine import Engine
from hydro.record import Record
from models.detect import Detection, detect
from models.detector import Detector
from models.health_raw import Cleaner
from models.hours import HourWatch
from models.hours_frames import lagging
from models.hours_noise import learn_hours, once_in, usual_day
from models.hours_raw import known_by_hour
from models.noise import Noise
from models.watch import Watch
from tests.models.bursting_town import BY_HOUR, SENSORS, START, TAKE, Burst, run_town, write_town

HOUR, DAY = pd.Timedelta("1h"), pd.Timedelta("1D")
HISTORY, DAYS = 57, 6
FROZEN = ("detected", "pipe", "flow", "probability", "search_length", "kind", "candidates", "evidence")


@pytest.fixture(scope="module")
def inp(tmp_path_factory):
    return write_town(tmp_path_factory.mktemp("town"))


def watched(inp, bursts=(), days=DAYS, seed=1, until=None, history=HISTORY, **misfortunes) -> Detection:
    """Detection on a town; bursts, surges and cuts are counted from the end of its history."""
    past = 24 * history
    surges = {history + k: v for k, v in misfortunes.get("surges", {}).items()}
    cuts = [past + hour for hour in misfortunes.get("cuts", ())]
    moved = [replace(b, hour=b.hour + past) for b in bursts]
    record = run_town(inp, history + days, moved, seed, surges, cuts)
    begin = START + history * DAY
    end = begin + (days * 24 if until is None else until) * HOUR
    return detect(inp, record.between(begin, end), record.between(START, begin))


def hours_after(found: Detection, hour: float, history: int = HISTORY) -> list[float]:
    return [(leak.detected - START - history * DAY) / HOUR - hour for leak in found.leaks]


@pytest.fixture(scope="module")
def burst(inp):
    """A tenth of the town's inflow, from one in the afternoon of the third day."""
    return watched(inp, [Burst("e02", 61.0, 0.1 * TAKE)], seed=22)


def test_a_burst_of_a_tenth_alarms_within_two_hours_and_is_placed(burst):
    assert hours_after(burst, 61.0)[0] == pytest.approx(2.0)
    leak, topology = burst.leaks[0], burst.topology
    assert topology.distance_from_link(topology.link("e02"))[topology.link(leak.pipe)] <= 300.0
    assert leak.flow.flow == pytest.approx(0.1 * TAKE, rel=0.4)


def test_midnight_raises_no_second_alarm_for_the_same_burst(burst):
    assert len(burst.leaks) == 1
    assert burst.leaks[0].status == "open"


@pytest.mark.parametrize("until", [65, 100])
def test_a_record_cut_within_a_day_or_at_its_end_gives_the_same_rows(inp, burst, until):
    earlier = watched(inp, [Burst("e02", 61.0, 0.1 * TAKE)], seed=22, until=until)
    rows = [[tuple(getattr(leak, name) for name in FROZEN) for leak in run.leaks] for run in (earlier, burst)]
    assert rows[0] == [row for row in rows[1] if row[0] <= START + HISTORY * DAY + until * HOUR]
    assert rows[0]


def test_a_cut_before_the_second_hour_is_over_knows_nothing_yet(inp):
    assert watched(inp, [Burst("e02", 61.0, 0.1 * TAKE)], seed=22, until=62).leaks == []


def test_days_find_what_they_find_without_hours_and_keep_the_earlier_alarm(inp, burst, monkeypatch):
    monkeypatch.setattr(HourWatch, "step", lambda self, frame: [])
    alone = watched(inp, [Burst("e02", 61.0, 0.1 * TAKE)], seed=22)
    assert [leak.detected for leak in alone.leaks] == [START + (HISTORY + 3) * DAY]
    assert [leak.detected for leak in burst.leaks] == [START + (HISTORY + 2) * DAY + 15 * HOUR]
    for one, other in zip(alone.leaks, burst.leaks, strict=True):
        assert (other.pipe_best, other.flow_best, other.status) == (one.pipe_best, one.flow_best, one.status)
        # days leave half a day of doubt about the onset, hours an hour or two
        assert START + (HISTORY * 24 + 61) * HOUR <= other.start <= START + (HISTORY * 24 + 63) * HOUR
        assert other.start <= other.detected


def test_days_deny_what_hours_told_of_water_that_flowed_for_some_hours(inp, monkeypatch):
    record = run_town(inp, HISTORY + DAYS, [Burst("e02", 24.0 * HISTORY + 57.0, 0.15 * TAKE)], seed=22)
    calm = run_town(inp, HISTORY + DAYS, seed=22)
    begin = START + HISTORY * DAY
    over = record.pressure.index >= begin + 61 * HOUR  # a hydrant is shut again
    mixed = Record(
        pressure=record.pressure.mask(pd.Series(over, record.pressure.index), calm.pressure),
        flow=record.flow.mask(pd.Series(over, record.flow.index), calm.flow),
    )
    found = detect(inp, mixed.between(begin, begin + DAYS * DAY), mixed.between(START, begin))
    assert (found.leaks[0].detected - begin) / HOUR == 59.0
    assert found.leaks[0].status == "withdrawn"


def test_guests_and_power_cuts_raise_no_alarm(inp):
    found = watched(inp, days=12, seed=5, surges={2: 1.25, 5: 1.4, 6: 1.45, 7: 1.4}, cuts=(218, 250))
    assert [leak for leak in found.leaks if leak.kind == "abrupt" and leak.detected.hour] == []


@pytest.mark.parametrize("seed", [6, 7])
def test_a_quiet_year_with_guests_and_power_cuts_raises_at_most_one_alarm_by_the_hour(inp, seed):
    guests = dict.fromkeys((110, 111, 252, 253, 254, 255, 256, 257, 258), 1.35) | {350: 1.2}
    cuts = [24 * (HISTORY + k) + 9 for k in (30, 90, 200, 300)]
    record = run_town(inp, HISTORY + 365, seed=seed, surges={HISTORY + k: v for k, v in guests.items()}, cuts=cuts)
    watch = Watch(inp, record)
    try:
        frames = list(watch.frames(record))
        watch.sharpen(frames[:HISTORY])
        detector = Detector(watch)
        for frame in frames[:HISTORY]:
            detector.learn(frame)
        detector.hours.prepare(frames[:HISTORY])
        raised = []
        for frame in frames[HISTORY:]:
            for hour in frame.each_hour():
                raised += detector.step(hour)
            detector.learn(frame)
    finally:
        watch.close()
    assert detector.hours.noise is not None
    assert len(raised) <= 1


# what hours may know ----------------------------------------------------------------------------------------------


def spoilt(record: Record, first: pd.Timestamp) -> Record:
    """Instruments that fail: one stands still, one changes its unit, one's clock is late, the inlet has gaps."""
    random = np.random.default_rng(8)
    pressure, flow = record.pressure.copy(), record.flow.copy()
    late = pressure["j33"].shift(2)
    since = pressure.index >= first + 2 * DAY
    pressure.loc[since, "j33"] = late[since]
    since = pressure.index >= first + 31 * HOUR
    pressure.loc[since, "j05"] = float(pressure.loc[since, "j05"].iloc[0])
    since = pressure.index >= first + 58 * HOUR
    pressure.loc[since, "j14"] *= 9.80665
    pressure = pressure.mask(random.random(pressure.shape) < 0.05)
    for gap in (13, 38, 81):
        flow[(flow.index >= first + gap * HOUR) & (flow.index < first + (gap + 5) * HOUR)] = np.nan
    return Record(pressure=pressure, flow=flow)


@pytest.fixture(scope="module")
def failing(inp):
    """A record of 30 quiet days and 6 in which instruments fail, and where the 6 begin."""
    return spoilt(run_town(inp, 36, seed=9), START + 30 * DAY), START + 30 * DAY


def hours_of(inp, record: Record, begin: pd.Timestamp, end: pd.Timestamp, *, by_hour: bool = True):
    """Residuals of the hours of a record that ends then, as `models.detect` makes them."""
    past, data = record.between(START, begin), record.between(begin, end)
    cleaner = Cleaner(past.between(START, START + 7 * DAY), DAY)
    clean_past, clean = cleaner.clean(past), cleaner.clean(data)
    watch = Watch(inp, clean_past)
    try:
        list(watch.frames(clean_past))
        hours = known_by_hour(data, clean, DAY, cleaner.doubtful, (past, clean_past)) if by_hour else None
        return np.vstack([frame.hours for frame in watch.frames(clean, with_parts=True, hours=hours)])
    finally:
        watch.close()


def test_an_hour_is_told_from_nothing_that_came_in_later(inp, failing):
    record, begin = failing
    whole = hours_of(inp, record, begin, begin + 6 * DAY)
    assert len(whole) == 144
    for hours in (15, 33, 41, 60, 64, 84, 97, 120):
        part = hours_of(inp, record, begin, begin + hours * HOUR)
        np.testing.assert_array_equal(part, whole[:hours])


def tanked(folder) -> tuple[Path, Record]:
    """A street that a main feeds through one meter, and a tank behind another; fifteen days by the hour."""
    shape = " ".join(f"{v:.3f}" for v in BY_HOUR)
    streets = "\n".join(f"p{k} j{k} j{k + 1} 300 150 110 0 Open" for k in range(5) if k != 2)
    path = folder / "tank.inp"
    path.write_text(
        "[JUNCTIONS]\n" + "\n".join(f"j{k} 10 2" for k in range(6)) + "\n[RESERVOIRS]\nsource 62\n"
        "[TANKS]\ntower 50 5 0.5 9 12 0\n[PIPES]\nmain source j0 500 200 120 0 Open\n" + streets + "\n"
        "between j2 j3 300 150 110 0 Open\nriser j5 tower 100 200 120 0 Open\n"
        f"[PATTERNS]\nday {shape}\n[OPTIONS]\nUnits LPS\nHeadloss H-W\nPattern day\n"
        "[TIMES]\nDuration 360:00\nPattern Timestep 1:00\nHydraulic Timestep 1:00\n[END]\n"
    )
    random = np.random.default_rng(3)
    with Engine(path) as engine:
        nodes = [engine.topology.node(n) for n in ("j1", "j4", "tower")]
        links = [engine.topology.link(n) for n in ("main", "between")]
        rows = [[*engine.read("node", "pressure")[nodes], *engine.read("link", "flow")[links]] for _ in engine.steps()]
    values = np.array(rows)[:360]
    values[:, :2] += random.normal(0.0, 0.005, (len(values), 2))
    values[:, 3:] *= 1.0 + random.normal(0.0, 0.002, (len(values), 2))
    times = START + pd.to_timedelta(np.arange(len(values)), unit="h")
    return path, Record(
        pressure=pd.DataFrame(values[:, :2], times, ["j1", "j4"]),
        flow=pd.DataFrame(values[:, 3:], times, ["main", "between"]),
        level=pd.DataFrame(values[:, 2:3], times, ["tower"]),
    )


def test_districts_that_a_tank_tells_on_are_known_an_hour_late(tmp_path):
    inp, record = tanked(tmp_path)
    begin = START + 12 * DAY
    whole = hours_of(inp, record, begin, begin + 3 * DAY)
    part = hours_of(inp, record, begin, begin + 33 * HOUR)
    np.testing.assert_array_equal(part[:-1], whole[:32])
    watch = Watch(inp, record)
    try:
        late = lagging(watch)
        names = watch.channels.names
    finally:
        watch.close()
    changes = {name for name, one, other in zip(names, part[-1], whole[32], strict=True) if one != other}
    assert any(name.startswith("j1") for name in changes)  # in the district before the tank's
    assert changes <= {name for name, is_late in zip(names, late, strict=True) if is_late}


def test_days_do_know_what_came_in_later(inp, failing):
    record, begin = failing
    whole = hours_of(inp, record, begin, begin + 6 * DAY, by_hour=False)
    parts = [hours_of(inp, record, begin, begin + k * HOUR, by_hour=False) for k in (33, 60, 84)]
    assert any(not np.array_equal(part, whole[: len(part)], equal_nan=True) for part in parts)


def test_hours_leave_out_what_fails_but_not_before_it_is_known(inp, failing):
    record, begin = failing
    data = record.between(begin, begin + 6 * DAY)
    cleaner = Cleaner(record.between(START, START + 7 * DAY), DAY)
    clean = cleaner.clean(data)
    known = known_by_hour(data, clean, DAY, cleaner.doubtful).pressure
    still = cleaner.doubtful["pressure", "j05"]
    stood = data.pressure["j05"][known["j05"].isna() & data.pressure["j05"].notna()].index
    assert stood[0] - (begin + 31 * HOUR) >= pd.Timedelta(still, "s")
    assert clean.pressure.loc[begin + 31 * HOUR : stood[0], "j05"].isna().all()  # days knew at midnight
    assert known.loc[begin + 58 * HOUR :, "j14"].isna().all()
    assert known["j21"].equals(data.pressure["j21"])


# what is usual ----------------------------------------------------------------------------------------------------


def test_noise_of_hours_is_learnt_white_and_slow():
    random = np.random.default_rng(3)
    n, memory = 24 * 300, 12.0
    slow = np.zeros((n, 3))
    step = random.normal(size=(n, 3)) * np.sqrt(1.0 - np.exp(-2.0 / memory))
    for k in range(1, n):
        slow[k] = np.exp(-1.0 / memory) * slow[k - 1] + step[k]
    noise = learn_hours(slow * 0.02 + random.normal(size=(n, 3)) * 0.01)
    assert isinstance(noise, Noise)
    assert noise.memory == 12.0
    assert np.sqrt(np.diag(noise.slow)) == pytest.approx(0.02, rel=0.15)
    assert np.sqrt(np.diag(noise.white)) == pytest.approx(0.01, rel=0.25)


def test_a_channel_without_hours_weighs_nothing():
    values = np.random.default_rng(1).normal(size=(2000, 2)) * 0.01
    noise = learn_hours(np.column_stack([values, np.full(2000, np.nan)]))
    assert noise.white[2, 2] >= 1000.0 * noise.white[0, 0]
    assert not noise.white[2, :2].any()


def test_a_day_is_expected_to_be_like_its_weekday():
    days = np.random.default_rng(2).normal(0.0, 0.01, (56, 24, 1))
    weekdays = np.arange(56) % 7
    days[weekdays == 6] += 1.0
    sunday, monday = usual_day(days, weekdays, 6), usual_day(days, weekdays, 0)
    assert sunday.mean() == pytest.approx(8.0 / 12.0, abs=0.05)
    assert monday.mean() == pytest.approx(0.0, abs=0.02)


def test_what_chance_does_once_in_many_days_is_told_whatever_a_few_leaks_did():
    random = np.random.default_rng(4)
    daily = random.gumbel(5.0, 1.5, 2000)
    true = 5.0 + 1.5 * np.log(730.0)
    assert once_in(730.0, daily) == pytest.approx(true, rel=0.1)
    daily[:60] += 200.0
    assert once_in(730.0, daily) == pytest.approx(true, rel=0.25)


def test_the_town_is_what_its_tests_say(inp):
    record = run_town(inp, 7)
    assert list(record.pressure.columns) == list(SENSORS)
    assert record.flow["main"].mean() == pytest.approx(TAKE, rel=0.1)
