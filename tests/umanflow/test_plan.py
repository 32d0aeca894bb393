"""The plan: money and years by hand, and the command from a file that a person edits."""

import csv
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydro.engine import Engine
from networks import load
from tests.umanflow.test_plan_pressure import town
from umanflow.cli import main
from umanflow.errors import ConfigError
from umanflow.planner.inputs import PlanInput, input_text, read_input
from umanflow.planner.leaking import Leaking
from umanflow.planner.programme import findable, limits, saved_money, spread_of_ratio
from umanflow.planner.simulation import run_day

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")


def umanflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "umanflow", *arguments], capture_output=True, text=True, timeout=300
    )


def test_findable_leakage_year_by_year() -> None:
    section = {"findable": 0.4, "rise": 0.1, "found_by_survey": 0.5, "found_without": 0.0}
    rules = PlanInput.model_validate({"leakage": section})
    left = findable(rules, 3, {2: 1, 3: 1})
    assert left == pytest.approx([0.4, 0.5, 0.3, 0.2])
    assert findable(rules, 3, {2: 1, 3: 2}) == pytest.approx([0.4, 0.5, 0.3, 0.1])


def test_money_energy_and_co2_of_a_year() -> None:
    rules = PlanInput.model_validate(
        {"water": {"variable_cost": 10.0, "energy_price": 8.0, "pump_efficiency": 0.5, "co2": 0.4,
                   "supply_energy": 0.5}, "renewal": {"repair": 1000.0}}
    )  # fmt: skip
    money, energy, co2 = saved_money(rules, leakage_less=100.0, breaks_less=3.0, pumping_less=20.0)
    volume, pumped = 36_525.0, 40.0 * 365.25
    assert money == pytest.approx(volume * 10.0 + 3_000.0 + pumped * 8.0)
    assert energy == pytest.approx(pumped + volume * 0.5)
    assert co2 == pytest.approx(0.4 * energy)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 0.5), st.integers(1, 99))
def test_the_middle_of_what_is_uncertain_is_what_was_simulated(spread: float, seed: int) -> None:
    rules = PlanInput.model_validate({"leakage": {"spread": spread}, "programme": {"seed": seed, "draws": 4000}})
    leakage, parts = np.array([900.0, 500.0]), {"a": np.array([100.0, 400.0]), "b": np.array([0.0, 100.0])}
    drawn = spread_of_ratio(rules, 950.0, 1000.0, leakage, parts)
    assert drawn.mean(axis=0) == pytest.approx(950.0 / (1000.0 + leakage), rel=0.02)
    low, high = limits(drawn)
    assert (low <= 950.0 / (1000.0 + leakage) + 1e-12).all()
    assert (high >= 950.0 / (1000.0 + leakage) - 1e-12).all()
    assert high[1] - low[1] >= high[0] - low[0] - 1e-12


def test_leakage_follows_the_pipes_that_leak(tmp_path: Path) -> None:
    network = town(tmp_path)
    with Engine(network) as engine:
        leaking, links = Leaking.of(engine), len(engine.topology.links)
        first = run_day(engine)
        by_pipe = leaking.by_pipe(first.leakage_m3d)
        assert by_pipe.sum() == pytest.approx(first.leakage_m3d.sum())
        leaking.scale(np.full(links, 0.5))
        half = run_day(engine).leakage_m3d.sum()
        assert 0.5 * first.leakage_m3d.sum() <= half < 0.56 * first.leakage_m3d.sum()  # pressure rises as less leaks
        factor = np.ones(links)
        factor[engine.topology.link("P3")] = 0.0
        leaking.scale(factor)
        without = run_day(engine).leakage_m3d
        c = engine.topology.node("C")
        assert without[c] == 0.0  # nothing but P3 ends there
        leaking.scale(np.ones(links))
        assert run_day(engine).leakage_m3d == pytest.approx(first.leakage_m3d)


def test_input_is_checked_and_written_so_that_it_gives_the_same_again(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[programme]\nyears = 0\n[waters]\nx = 1\n[water]\ntariff = "much"\n')
    with pytest.raises(ConfigError) as error:
        read_input(path)
    told = str(error.value).splitlines()
    assert len(told) == 3
    assert any("[programme] years" in line for line in told)
    assert any("[waters]" in line for line in told)
    path.write_text("[programme]\nyears = 3\n")
    found = read_input(path)
    assert "programme.years" not in found.assumed
    assert "programme.budget" in found.assumed
    text = input_text(found)
    assert "years = 3\n" in text
    assert "budget = 60000000.0  # assumed" in text
    assert PlanInput.model_validate(tomllib.loads(text)).model_dump() == found.model_dump()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_input(tmp_path / "nowhere.toml")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A town with tables of pipes and breaks."""
    network = town(tmp_path)
    tables = tmp_path / "town.tables"
    rows = [("P1", "steel", 1960), ("P2", "cast iron", 1955), ("P3", "PE", 2005)]
    body = "".join(f"{p},street,{m},{y},0,Z,Main\n" for p, m, y in rows)
    (tables / "pipes.csv").write_text("pipe,kind,material,year,breaks,dma,street\n" + body)
    breaks = [f"P2,{2006 + k % 20}-01\n" for k in range(25)] + [f"P1,{2006 + 2 * k}-06\n" for k in range(8)]
    (tables / "breaks.csv").write_text("pipe,month\n" + "".join(breaks))
    plan = "[programme]\nyears = 3\nbudget = 5e6\n[blocks]\nleast = 5\n[sensors]\ncount = 2\nleak = 20\n"
    (tmp_path / "plan.toml").write_text(plan)
    return network.source


def test_plan_of_a_town_from_its_file(small: Path, tmp_path: Path) -> None:
    order = ("plan", str(small), "--input", str(tmp_path / "plan.toml"), "--out")
    told = ("--format", "html,pdf,xlsx,gpkg,csv", "--lang", "uk,en", "--units", "L/s")
    first = umanflow(*order, str(tmp_path / "one"), "--json", *told)
    assert first.returncode == 0, first.stderr
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"plan.json", "plan.toml", "plan.gpkg"} < names
    assert {f"plan-{lang}.{ending}" for lang in ("uk", "en") for ending in ("html", "pdf", "xlsx")} < names
    assert "5.6\u00a0L/s" in (tmp_path / "one" / "plan-en.html").read_text("utf-8")  # a leak of 20 m3/h
    rows = json.loads(first.stdout)
    assert [row["year"] for row in rows] == [2027, 2028, 2029]
    assert rows[-1]["leakage m3/d"] < rows[-1]["without"]
    plan = json.loads((tmp_path / "one" / "plan.json").read_text("utf-8"))
    assert plan["is_synthetic"] is False
    assert "programme.discount" in plan["given"]["assumed"]
    with (tmp_path / "one" / "measures.csv").open() as file:
        measures = list(csv.DictReader(file))
    assert {"pressure", "loggers", "renewal"} <= {row["kind"] for row in measures}
    years = plan["programme"]["years"]
    spent: dict[int, float] = {}
    for row in measures:
        spent[int(row["year"])] = spent.get(int(row["year"]), 0.0) + float(row["cost_uah"])
    assert max(spent.values()) <= 5e6
    # the state of the last year, worked out anew: areas, renewed pipes, set-points
    for year in years:
        assert year["ratio"] == pytest.approx(0.95 * year["demand"] / (year["demand"] + year["leakage"]), rel=1e-5)
        assert year["ratio_low"] <= year["ratio"] + 1e-9
        assert year["ratio_nothing"] < year["ratio"]
    again = umanflow("plan", str(small), "--input", str(tmp_path / "one" / "plan.toml"), "--out", str(tmp_path / "two"))
    assert again.returncode == 0, again.stderr
    for name in ("trajectory.csv", "measures.csv", "setpoints.csv", "loggers.csv", "renewal.csv", "setpoints.inp"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_file_without_tables_gets_what_can_be_planned(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("[programme]\nyears = 1\n[sensors]\ncount = 3\n")
    done = umanflow("plan", "Net3", "--input", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "plan.html").read_text("utf-8")
    assert "No set-points were planned" in page
    assert "No pipes were ranked" in page
    assert "no renewal ranking" in done.stderr
    assert "the model has none" in done.stderr  # leakage
    with (tmp_path / "out" / "blocks.csv").open() as file:
        assert len(list(csv.DictReader(file))) >= 1
    assert load("Net3").pipes is None


def test_a_month_that_is_none_is_one_line(small: Path, tmp_path: Path) -> None:
    with (tmp_path / "town.tables" / "breaks.csv").open("a") as file:
        file.write("P1,March\n")
    wrong = umanflow("plan", str(small), "--out", str(tmp_path / "out"))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "'March'; write 2024-03" in wrong.stderr


def test_a_user_s_mistake_is_one_line(tmp_path: Path) -> None:
    wrong = umanflow("plan", "Net3", "--input", str(tmp_path / "no.toml"), "--out", str(tmp_path / "out"))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "Traceback" not in wrong.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--lang", "uk,fr", "'fr' is not spoken here"),
        ("--units", "gpm", "no unit of flow"),
        ("--format", "doc", "there are html, pdf, xlsx, geojson, gpkg, csv, json"),
        ("--format", "geojson", "state it with --crs EPSG"),
    ],
)
def test_wishes_for_a_report_are_refused_before_anything_is_computed(
    option: str,
    value: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["umanflow", "plan", "Net3", "--out", str(tmp_path / "out"), option, value])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert (ended.value.code, told.count("\n")) == (2, 1)
    assert words in told
    assert not (tmp_path / "out").exists()
