"""Scenarios as files: what is written is read again, and a mistake is named with its line."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hydro.errors import ScenarioError
from hydro.scenario import (
    Burst,
    Closure,
    Event,
    FireFlow,
    Leak,
    Noise,
    PowerCut,
    PressureDriven,
    PumpTrip,
    Scenario,
    Setting,
    Surge,
)
from hydro.scenariofile import COLUMNS, read_scenarios, write_scenarios

NAME = st.text("abcXYZ019-_.~жї", min_size=1, max_size=8)
SIZE = st.floats(1e-4, 10.0)
MINUTES = st.integers(0, 40 * 60).map(lambda minutes: minutes * 60)


@st.composite
def times(draw: st.DrawFn) -> dict[str, Any]:
    start = draw(MINUTES)
    return {"start": start, "end": draw(st.none() | MINUTES.map(lambda t: start + 60 + t))}


def events() -> st.SearchStrategy[Event]:
    one = st.sampled_from(["diameter", "area"])
    leaks = st.builds(
        lambda when, where, which, size, **rest: Leak(**when, **where, **{which: size}, **rest),
        times(), NAME.map(lambda n: {"pipe": n}) | NAME.map(lambda n: {"junction": n}), one, SIZE,
        position=st.floats(0.0, 1.0), expansion=st.just(0.0) | SIZE, discharge=st.floats(0.1, 1.0), growth=MINUTES,
    )  # fmt: skip
    return st.one_of(
        leaks,
        st.builds(lambda when, **rest: Burst(**when, **rest), times(), pipe=NAME, share=st.floats(0.01, 1.0)),
        st.builds(lambda when, **rest: Closure(**when, **rest), times(), link=NAME),
        st.builds(lambda when, **rest: PumpTrip(**when, **rest), times(), pump=NAME),
        st.builds(lambda when, **rest: PowerCut(**when, **rest), times(), pumps=st.lists(NAME, max_size=3).map(tuple)),
        st.builds(lambda when, **rest: Setting(**when, **rest), times(), link=NAME, value=SIZE),
        st.builds(
            lambda when, **rest: Surge(**when, **rest), times(),
            junctions=st.lists(NAME | NAME.map(lambda n: f"dma:{n}"), max_size=3).map(tuple), factor=SIZE,
        ),
        st.builds(lambda when, **rest: FireFlow(**when, **rest), times(), junction=NAME, flow=SIZE),
    )  # fmt: skip


SCENARIOS = st.lists(
    st.builds(
        Scenario,
        name=NAME,
        events=st.lists(events(), max_size=4).map(tuple),
        pressure_driven=st.none() | st.builds(PressureDriven, st.floats(0, 5), st.floats(6, 40), st.floats(0.1, 2)),
        noise=st.builds(Noise, *[st.floats(0, 1)] * 4),
        seed=st.integers(0, 2**40),
    ),
    min_size=1, max_size=4, unique_by=lambda s: s.name,
)  # fmt: skip


def assert_same(one: object, other: object) -> None:
    assert type(one) is type(other)
    for f in fields(one):  # type: ignore[arg-type]
        a, b = getattr(one, f.name), getattr(other, f.name)
        if isinstance(a, float):
            assert b == pytest.approx(a, rel=1e-12)
        elif hasattr(a, "__dataclass_fields__"):
            assert_same(a, b)
        elif isinstance(a, tuple) and a and hasattr(a[0], "__dataclass_fields__"):
            assert len(a) == len(b)
            for x, y in zip(a, b, strict=True):
                assert_same(x, y)
        else:
            assert a == b


@pytest.mark.parametrize("ending", [".csv", ".toml"])
@given(scenarios=SCENARIOS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_again(scenarios: list[Scenario], ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"scenarios{ending}"
    write_scenarios(scenarios, path)
    again = list(read_scenarios(path))
    assert len(again) == len(scenarios)
    for one, other in zip(scenarios, again, strict=True):
        assert_same(one, other)


def test_a_spreadsheet_s_semicolons_and_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes("\ufeffscenario;kind;element;diameter_mm;start\r\nніч;leak;p 1\r\n".encode())
    with pytest.raises(ScenarioError, match=r"line 2: .*one element"):
        list(read_scenarios(path))
    path.write_bytes("\ufeffscenario;kind;element;diameter_mm;start\r\nніч;leak;p1;12;06:00\r\n\r\n".encode())
    (scenario,) = read_scenarios(path)
    assert scenario == Scenario("ніч", (Leak(pipe="p1", diameter=0.012, start=21_600),))
    path.write_bytes(b"scenario;kind;element;area_mm2;position\na;leak;p,1;12,5;0,25\n")
    (scenario,) = read_scenarios(path)
    assert scenario == Scenario("a", (Leak(pipe="p,1", area=12.5 * 1e-6, position=0.25),))
    path.write_bytes(b'scenario,kind,element,area_mm2\na,leak,p1,"12,5"\n')
    with pytest.raises(ScenarioError, match="'12,5' is no number"):
        list(read_scenarios(path))


HEADER = ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scenario,kind,wat\n", "column 'wat' is unknown"),
        ("kind,element\n", "columns scenario and kind are missing"),
        ("scenario,kind,element\na,flood,p1\n", "line 2: kind 'flood' is unknown"),
        ("scenario,kind,element\n,leak,p1\n", "line 2: the scenario has no name"),
        ("scenario,kind,element,diameter_mm\na,leak,p1,x\n", "line 2: 'x' is no number"),
        ("scenario,kind,element,diameter_mm\na,closure,p1,3\n", "line 2: a closure has no diameter_mm"),
        ("scenario,kind,element,start\na,closure,p1,25\n", "line 2: time '25'"),
        ("scenario,kind,element,start,end\na,closure,p1,05:00,04:00\n", "line 2: .*ends before"),
        ("scenario,kind,element\na,surge,j1\n", "line 2: a surge needs factor"),
        ("scenario,kind,element\na,closure\n", "line 2: a closure needs element"),
        ("scenario,kind,element\na,closure,p1\nb,closure,p1\na,closure,p2\n", "line 4: scenario 'a' was there before"),
        ("scenario,kind,seed\na,options,1.5\n", "line 2: '1.5' is no whole number"),
        ("scenario,kind,element\na,options,p1\n", "line 2: options have no element"),
        ("scenario,kind,element\na,closure,p1,,,\n", "line 2: more cells"),
        ("scenario,kind,required_m\na,options,-3\n", "line 2: pressure-driven"),
        ("scenario,kind,exponent\na,options,nan\n", "line 2: pressure-driven"),
        ("scenario,kind,seed\na,options,-3\n", "scenario 'a': seed -3 is below zero"),
        ("scenario,kind,element,area_mm2,expansion_mm2_per_m\na,leak,p1,9,nan\n", "line 2: .*expansion nan"),
        ("scenario,kind,element,start\na,closure,p1,²:00\n", "line 2: time '²:00'"),
        ("scenario,kind,element\na,closure," + "p" * 200_000 + "\n", "is no CSV: .*field larger"),
    ],
)
def test_a_mistake_in_csv_is_named_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ScenarioError, match=words) as caught:
        list(read_scenarios(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"no \[\[scenario\]\]"),
        ("[[scenario]\n", "is no TOML"),
        ("[[scenario]]\n", "scenario 1: it has no name"),
        ('[[scenario]]\nname="a"\n[[scenario]]\nname="a"\n', "scenario 2: scenario 'a' was there before"),
        (
            '[[scenario]]\nname="a"\n[[scenario.event]]\nkind="leak"\nelement="p"\ndepth=3\n',
            "event 1: a leak has no dep",
        ),
        ('[[scenario]]\nname="a"\nseeds=3\n', "options have no seeds"),
        ('[[scenario]]\nname="a"\nseed=-3\n', "scenario 1: seed -3 is below zero"),
        ("scenario = [1]\n", "scenario 1: is no table"),
        ('[[scenario]]\nname="a"\nevent=3\n', "scenario 1: its events are no tables"),
        ('[[scenario]]\nname="a"\nevent=[3]\n', "scenario 1: its events are no tables"),
    ],
)
def test_a_mistake_in_toml_is_named_with_its_place(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ScenarioError, match=words):
        list(read_scenarios(path))


@pytest.mark.parametrize("ending", [".csv", ".toml"])
def test_bytes_that_are_no_text_are_said(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"s{ending}"
    path.write_bytes("scenario,kind,element\nніч,closure,p1\n".encode("cp1251"))
    with pytest.raises(ScenarioError, match=r"s\.(csv: is no UTF-8|toml: is no TOML)"):
        list(read_scenarios(path))


def test_a_name_with_a_line_s_end_goes_through_toml(tmp_path: Path) -> None:
    named = [Scenario('one\nand "two"\\', (Closure(link="p1"),))]
    write_scenarios(named, tmp_path / "s.toml")
    assert list(read_scenarios(tmp_path / "s.toml")) == named


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"\.csv or \.toml"):
        read_scenarios(tmp_path / "s.xlsx")
    with pytest.raises(ScenarioError, match="no such file"):
        read_scenarios(tmp_path / "s.csv")
    with pytest.raises(ScenarioError, match="whole minutes"):
        write_scenarios([Scenario("a", (Closure(link="p", start=30),))], tmp_path / "s.csv")
    assert list(tmp_path.iterdir()) == []
