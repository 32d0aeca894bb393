"""A town that leaks when its record begins: what is lost is stated, what pressures place is found, nothing else is."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hydro.record import Record
from models.detect import Detection, detect
from models.dirtystart import DirtyStart, learn_start
from models.leak import Leak
from models.rules import Repair, Rules
from models.searches import DrySearch
from models.watch import Watch
from models.zones import Zone, Zones
from tests.models.grid import SIDE, START, read_grid, write_grid

EVERYWHERE = tuple(f"n{r}{c}" for r in range(SIDE) for c in range(SIDE))
LEAKS: dict[int, dict[str, float]] = {
    0: {},
    2: {"h34": 9.0, "v41": 7.0},
    6: {"h34": 7.0, "v41": 6.0, "h12": 5.0, "v25": 4.0, "h50": 5.0, "v33": 4.0},
}
SEEDS = (1, 2)
DAY = pd.Timedelta("1D")


@pytest.fixture(scope="module")
def inp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grid(tmp_path_factory.mktemp("grid"))


class Start:
    """What is learnt of one town's first week."""

    def __init__(self, inp: Path, old: int, seed: int, sensors: tuple[str, ...] = EVERYWHERE) -> None:
        self.record, self.lost = read_grid(inp, 7, LEAKS[old], seed, sensors=sensors)
        watch = Watch(inp, self.record)
        try:
            zones = Zones(watch, inp)
            self.start: DirtyStart = learn_start(zones, self.record, Rules())
            self.zones: tuple[Zone, ...] = zones.state(self.record)
            self.topology, self.calibration = watch.topology, watch.calibration
        finally:
            watch.close()
        self.true = list(LEAKS[old])

    def distance(self, link: int) -> float:
        """Metres to the nearest true leak."""
        away = self.topology.distance_from_link(link)
        return min((float(away[self.topology.link(pipe)]) for pipe in self.true), default=np.inf)


@cache
def start_of(inp: Path, old: int, seed: int) -> Start:
    return Start(inp, old, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sound_town_has_no_excess_and_no_old_leak(inp: Path, seed: int):
    one = start_of(inp, 0, seed)
    assert one.start.is_clean
    assert one.start.search.leaks == ()
    excess = one.zones[0].excess
    assert excess is not None
    assert excess.low < 0.0 < excess.high


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("old", [2, 6])
def test_the_excess_holds_what_is_lost(inp: Path, old: int, seed: int):
    one = start_of(inp, old, seed)
    excess, use = one.zones[0].excess, one.zones[0].use
    assert excess is not None
    assert use is not None
    at_night = one.lost[one.lost.index.hour == one.zones[0].hour].sum(axis=1).mean()
    # the town's own background is stated beside it, and none is simulated
    assert excess.covers(at_night)
    assert excess.low > 0.5 * at_night
    assert excess.half < 0.35 * at_night


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("old", [2, 6])
def test_what_is_placed_is_there(inp: Path, old: int, seed: int):
    one = start_of(inp, old, seed)
    assert not one.start.is_clean
    assert one.start.search.leaks
    for leak in one.start.search.leaks:
        assert one.distance(leak.place.link) <= 300.0
        assert leak.place.probability >= 0.65


def test_two_old_leaks_are_found_where_sensors_are_many(inp: Path):
    found = 0
    for seed in SEEDS:
        one = start_of(inp, 2, seed)
        for pipe, flow in LEAKS[2].items():
            away = one.topology.distance_from_link(one.topology.link(pipe))
            near = [leak for leak in one.start.search.leaks if away[leak.place.link] <= 300.0]
            found += bool(near)
            # what is spread along the pipes takes a share of it
            assert all(0.4 * flow < 3600.0 * leak.flow < 1.5 * flow for leak in near)
    assert found >= 3  # of 4


def test_few_sensors_state_the_loss_and_place_less(inp: Path):
    """What two sensors cannot place is not claimed, but it is stated."""
    one = Start(inp, 2, 1, ("n00", "n55"))
    excess = one.zones[0].excess
    assert excess is not None
    assert excess.low > 0.0
    assert not one.start.is_clean
    assert all(one.distance(leak.place.link) <= 300.0 for leak in one.start.search.leaks)
    assert len(one.start.search.leaks) < 2


def test_losses_do_not_go_into_roughness(inp: Path):
    """With losses learnt as losses, pipes stay nearer to what they are than with all taken for demand."""
    with_losses, plain = [], []
    for seed in SEEDS:
        record, _ = read_grid(inp, 7, LEAKS[6], seed, sensors=EVERYWHERE)
        watch = Watch(inp, record)
        plain.append(np.abs(np.log(watch.calibration.resistance)).mean())
        watch.close()
        with_losses.append(np.abs(np.log(start_of(inp, 6, seed).calibration.resistance)).mean())
    assert np.mean(with_losses) < np.mean(plain)


# the whole way --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def town(inp: Path) -> Record:
    return read_grid(inp, 12, LEAKS[2], 2, sensors=EVERYWHERE)[0]


@pytest.fixture(scope="module")
def found(inp: Path, town: Record) -> Detection:
    return detect(inp, town)


def near(found: Detection, leaks: list[Leak]) -> set[str]:
    """True leaks within 300 m of some that were told."""
    topology = found.topology
    away = {pipe: topology.distance_from_link(topology.link(pipe)) for pipe in LEAKS[2]}
    return {pipe for pipe, far in away.items() if any(far[topology.link(leak.pipe)] <= 300.0 for leak in leaks)}


def test_old_leaks_are_told_at_the_learning_periods_end(found: Detection):
    old = [leak for leak in found.leaks if leak.kind == "old"]
    assert near(found, old) == {"h34", "v41"}
    assert len(old) == 2
    for leak in old:
        assert leak.detected == START + 7 * DAY
        assert leak.start == START
        assert leak.status == "open"


def test_the_statement_adds_up(found: Detection):
    for zone in (*found.statement.first, *found.statement.last):
        parts = (zone.night_flow, zone.use, zone.background, zone.excess, zone.explained, zone.unexplained)
        flow, use, background, excess, explained, unexplained = (p.value for p in parts if p is not None)
        assert use + background + excess == pytest.approx(flow)
        assert explained + unexplained == pytest.approx(excess)
        assert explained > 0.5 * excess


def test_old_leaks_are_told_alike_by_a_record_that_ends_sooner(inp: Path, town: Record, found: Detection):
    shorter = detect(inp, town.between(START, START + 10 * DAY))
    for run in (shorter, found):
        assert run.leaks
    until = START + 10 * DAY
    rows = [
        [(x.detected, x.pipe, x.flow, x.kind) for x in run.leaks if x.detected <= until] for run in (shorter, found)
    ]
    assert rows[0] == rows[1]


def test_a_dry_search_sends_the_next_crew_elsewhere(inp: Path, town: Record, found: Detection):
    wrong = next(leak for leak in found.leaks if leak.kind == "old" and leak.pipe not in LEAKS[2])
    dry = (DrySearch(wrong.pipe, START + 9 * DAY),)
    again = detect(inp, town, searches=dry)
    same = next(leak for leak in again.leaks if (leak.detected, leak.pipe) == (wrong.detected, wrong.pipe))
    # what was told stays told; what is known now is not the pipe that was searched
    assert same.flow == wrong.flow
    assert same.pipe_best != wrong.pipe
    away = found.topology.distance_from_link(found.topology.link(same.pipe_best))
    assert min(away[found.topology.link(pipe)] for pipe in LEAKS[2]) <= 300.0
    # nothing of it was known before the search
    before = detect(inp, town.between(START, START + 9 * DAY - DAY / 2), searches=dry)
    assert [leak.pipe_best for leak in before.leaks] == [leak.pipe for leak in before.leaks]


def test_a_repair_confirms_place_and_flow(inp: Path):
    """A crew finds the old leak a street away from where it was told, and measures it."""
    at = START + 9.5 * DAY
    record, lost = read_grid(inp, 16, LEAKS[2], 2, repaired={"v41": 9.5}, sensors=EVERYWHERE)
    true = float(lost["v41"].iloc[:400].mean())
    found = detect(inp, record, repairs=(Repair("v41", at, true),))
    fixed = next(leak for leak in found.leaks if leak.pipe_best == "v41")
    assert fixed.status == "ended"
    assert fixed.ended == at
    assert fixed.flow_best == pytest.approx(true, rel=0.15)
    assert fixed.kind == "old"
    # what is lost now is the other leak's
    excess = found.statement.last[0].excess
    assert excess is not None
    assert found.statement.ends == ()


def test_with_a_history_they_are_old_when_the_data_begin(inp: Path, town: Record):
    at = START + 9 * DAY
    found = detect(inp, town.between(at, START + 12 * DAY), history=town.between(START, at))
    old = [leak for leak in found.leaks if leak.kind == "old"]
    assert near(found, old) == {"h34", "v41"}
    assert all(leak.detected == at for leak in old)


def test_without_flows_the_statement_says_what_it_lacks(inp: Path, town: Record):
    zones = detect(inp, Record(town.pressure, town.flow.iloc[:, :0], town.level)).statement.first
    assert all(zone.excess is None and zone.lack for zone in zones)
