"""What the model expects of tags by the clock, against a run of the engine."""

import math
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hydro.engine import Engine
from networks import load
from scada.tag import Tag
from umanflow.expected import ModelExpectation

_KYIV = ZoneInfo("Europe/Kyiv")
_DAY = 86_400
_TOWN = """[TITLE]
town
[RESERVOIRS]
R 60
[JUNCTIONS]
A 10 5 week
[TANKS]
T 40 3 0 6 12 0
[PIPES]
P1 R A 900 200 110
P2 A T 300 200 110
[PATTERNS]
{week}
[TIMES]
Duration 168
Hydraulic Timestep 1:00
Pattern Timestep 1:00
[OPTIONS]
Units LPS
Headloss H-W
Accuracy 0.00001
[END]
"""
TAGS = [
    Tag("pressure", "d", "input", 0, "float32", unit="bar", element="A", quantity="pressure"),
    Tag("level", "d", "input", 2, "float32", unit="cm", element="T", quantity="level"),
    Tag("flow", "d", "input", 4, "float32", unit="m3/h", element="P1", quantity="flow"),
    Tag("open", "d", "discrete", 0, "bool", element="P1", quantity="status"),
    Tag("percent", "d", "input", 6, "float32", unit="%", element="T", quantity="level"),
    Tag("volume", "d", "input", 8, "uint32", unit="m3", element="P1", quantity="volume"),
    Tag("elsewhere", "d", "input", 10, "float32", unit="m", element="Z", quantity="pressure"),
]


def moment(day: int, hour: int, minute: int = 0) -> int:
    """A time in the week of Monday 1 June 2026, in Kyiv, UTC ms."""
    return round(datetime(2026, 6, day, hour, minute, tzinfo=_KYIV).timestamp() * 1000)


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A town whose demand tells every hour of the week apart."""
    lines = [f"week {0.3 + ((37 * hour) % 168) / 100.0}" for hour in range(168)]
    path = tmp_path / "town.inp"
    path.write_text(_TOWN.format(week="\n".join(lines)))
    return path


def test_values_are_those_of_the_same_hour_of_the_week_in_the_tag_s_unit(town: Path) -> None:
    model = ModelExpectation(str(town), TAGS, "Europe/Kyiv")
    model.prepare([tag.name for tag in TAGS])
    assert model.known == {"pressure", "level", "flow", "open"}
    seen = {}
    with Engine(load(town)) as engine:
        engine.duration = 8 * _DAY
        for now in engine.steps():
            topology = engine.topology
            seen[now] = (
                float(engine.read("node", "pressure")[topology.node("A")]),
                float(engine.read("node", "pressure")[topology.node("T")]),
                float(engine.read("link", "flow")[topology.link("P1")]),
            )
    for day in range(1, 15):  # two weeks
        for hour in (0, 7, 23):
            weekday = (day - 1) % 7  # 1 June is a Monday, and so is the model's first day; that one is thrown away
            now = (weekday if weekday else 7) * _DAY + hour * 3600
            pressure, level, flow = seen[now]
            at = moment(day, hour, 59)
            assert model("pressure", at) == pytest.approx(pressure / 10.19716, rel=1e-5)
            assert model("level", at) == pytest.approx(100.0 * level, rel=1e-6)
            assert model("flow", at) == pytest.approx(3600.0 * flow, rel=1e-6, abs=1e-6)
            assert model("open", at) == 1.0


def test_what_the_model_does_not_know_is_no_number(town: Path) -> None:
    model = ModelExpectation(str(town), TAGS, "Europe/Kyiv")
    assert math.isnan(model("pressure", moment(1, 0)))  # before it was run
    model.prepare(["pressure"])
    assert not math.isnan(model("pressure", moment(1, 0)))
    assert math.isnan(model("flow", moment(1, 0)))
