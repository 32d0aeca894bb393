"""Simulated loggers: their files hold what they read, whatever comes late, is missing or corrected."""

import math
from pathlib import Path

import pandas as pd
import pytest

from scada.drops.profile import Profile
from scada.drops.tagtable import logger_tag
from scada.drops.taking import Taker
from scada.historian import open_historian
from umanflow.demo.city import read_city
from umanflow.loggers import LoggedProcess, LoggerGroup, LoggerPortal

QUARTER_MS = 900_000
TAGS = [logger_tag(f"log-{k}", "pressure", "bar" if k == 0 else "m", f"J-{k}") for k in range(6)]
PROFILE = Profile(name="loggers", zone="Europe/Kyiv")


class Plant:
    """Every logger shows its own line."""

    def __init__(self) -> None:
        self.times: list[int] = []

    def advance(self, t_ms: int, commands: object) -> dict[str, float]:
        self.times.append(t_ms)
        return {tag.name: value(k, t_ms) for k, tag in enumerate(TAGS)}


def value(k: int, t_ms: int) -> float:
    return 30.0 + k + (t_ms // QUARTER_MS % 97) / 100.0


def deliver(folder: Path, start: str, hours: int, **shares: float) -> tuple[Taker, list[Path], int]:
    """Run a city whose clock moves unevenly; take every file as it comes."""
    groups = [
        LoggerGroup("hourly", tuple(TAGS[:4]), 3_600_000, **shares),
        LoggerGroup("daily", tuple(TAGS[4:]), 86_400_000, **shares),
    ]
    portal = LoggerPortal(folder / "drops", groups, "Europe/Kyiv", seed=3)
    start_ms = pd.Timestamp(start).value // 1_000_000
    process = LoggedProcess(Plant(), portal, start_ms)
    store = open_historian(f"sqlite:///{folder}/h.db")
    taker = Taker({tag.name: tag for tag in TAGS}, store, None)
    files: list[Path] = []
    end_ms = start_ms + hours * 3_600_000 - 1
    for t_ms in [*range(start_ms, end_ms, 1_700_000), end_ms]:
        process.advance(t_ms, {})
        for path in sorted((folder / "drops").iterdir()):
            outcome = taker.take_file(path, PROFILE)
            assert outcome.verdict == "taken", outcome.findings
            files.append(path.rename(folder / path.name))
    return taker, files, start_ms


@pytest.mark.parametrize("start", ["2026-01-05T00:00Z", "2026-03-28T18:00Z", "2026-10-24T18:00Z"])
def test_nothing_is_lost_between_field_and_historian_through_both_changes_of_the_clock(
    tmp_path: Path, start: str
) -> None:
    taker, files, start_ms = deliver(tmp_path, start, 48)
    store = taker._historian
    assert store is not None
    table = store.range(is_full=True)
    store.close()
    assert len(table) == 6 * 48 * 4
    for row in table.itertuples():
        k, t_ms = int(row.tag[-1]), row.time.value // 1_000_000
        expected = value(k, t_ms) * (9.80665 / 100.0 if k == 0 else 1.0)
        assert row.value == pytest.approx(expected, abs=0.0051)
        assert 0 <= row.arrival.value // 1_000_000 - t_ms <= (3_600_000 if k < 4 else 86_400_000)
    assert table["time"].min().value // 1_000_000 == start_ms
    assert sorted({path.name.partition("-2026")[0] for path in files}) == ["daily", "hourly"]
    assert len(files) == 48 + 2


def test_late_torn_and_corrected_deliveries(tmp_path: Path) -> None:
    taker, files, _ = deliver(tmp_path, "2026-01-05T00:00Z", 72, late=0.1, gaps=0.1, revised=0.1)
    store = taker._historian
    assert store is not None
    table = store.range(is_full=True)
    kinds = {kind: [p for p in files if kind in p.name] for kind in ("late", "corrected")}
    assert all(len(paths) > 5 for paths in kinds.values())
    hourly = table[table["tag"].isin([tag.name for tag in TAGS[:4]])]
    delay_h = (hourly["arrival"] - hourly["time"]) / pd.Timedelta("1h")
    assert delay_h.max() > 1.5  # some came late
    assert 0.8 * 4 * 288 < len(hourly) < 4 * 288  # some never
    corrected = {path.name.split("-corrected")[0].removeprefix("hourly-") for path in kinds["corrected"]}
    end = table["arrival"].max().value // 1_000_000
    differing = 0
    for cut in range(end - 40 * 3_600_000, end, 3_600_000):
        then = store.range(known_ms=cut)
        now = table.set_index(["tag", "time"])["value"]
        changed = then[abs(then["value"] - [now[key] for key in zip(then["tag"], then["time"], strict=True)]) > 0.001]
        differing += len(changed)
        assert set(changed["tag"]) <= corrected | {tag.name for tag in TAGS}
        assert (then["time"].dt.tz_localize(None) <= pd.Timestamp(cut, unit="ms")).all()
    store.close()
    assert differing > 0  # what was known then is not what is known now
    again = LoggerPortal(tmp_path / "x", [LoggerGroup("g", tuple(TAGS), 3_600_000, 0.2, 0.2, 0.2)], "UTC", seed=5)
    other = LoggerPortal(tmp_path / "y", [LoggerGroup("g", tuple(TAGS), 3_600_000, 0.2, 0.2, 0.2)], "UTC", seed=5)
    for k in range(40):
        values = {tag.name: 30.0 for tag in TAGS}
        names = [[path.name for path in portal.take(k * QUARTER_MS, values)] for portal in (again, other)]
        assert names[0] == names[1]
    assert [p.read_bytes() for p in sorted((tmp_path / "x").iterdir())] == [
        p.read_bytes() for p in sorted((tmp_path / "y").iterdir())
    ]


def test_the_process_is_shown_at_every_reading(tmp_path: Path) -> None:
    plant = Plant()
    portal = LoggerPortal(tmp_path, [LoggerGroup("g", tuple(TAGS), 3_600_000)], "UTC")
    process = LoggedProcess(plant, portal, 1_000)
    process.advance(5 * QUARTER_MS + 7, {"a": 1.0})
    assert plant.times == [*(QUARTER_MS * k for k in range(1, 6)), 5 * QUARTER_MS + 7]
    assert math.isclose(portal.slot_ms, QUARTER_MS)


def test_the_citys_loggers_are_those_of_its_table() -> None:
    city = read_city()
    assert {group.name: (len(group.tags), group.delivery_ms) for group in city.loggers} == {
        "hourly": (38, 3_600_000), "daily": (13, 86_400_000),
    }  # fmt: skip
    assert all(tag.element in city.network.nodes["node"].tolist() for group in city.loggers for tag in group.tags)
