"""Uman's balance against the twin: what meters and bills say, with their errors, and limits that hold the truth."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hydro.engine import Engine
from models.uncertain import Z95, Uncertain
from networks import Network, load
from scada.historian import open_historian
from scada.sample import Sample
from tests.umanflow.city_week import TANKS, CityWeek, live_a_week
from umanflow.balance.study import Study, study_file
from umanflow.balance.zones import model_zones
from umanflow.cli.app import app
from umanflow.demo.city import tag_file

SEEDS = range(20)
BILLED = 0.95  # of what is drawn (docs/uman.md); the rest is what the input file calls apparent and unbilled
METER, BILL, NIGHT_USE = 0.02, 0.06, 0.15  # 95 % limits
MONDAY = pd.Timestamp("2026-01-05T00:00Z")


@pytest.fixture(scope="module")
def uman() -> Network:
    return load("uman")


@pytest.fixture(scope="module")
def week(uman: Network, tmp_path_factory: pytest.TempPathFactory) -> CityWeek:
    return live_a_week(uman, tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def model_night(uman: Network, week: CityWeek) -> dict[str, tuple[float, list[float], float]]:
    """What the utility knows of a district's nights from its model: use in m3/h, hourly pressures, N1."""
    zones = model_zones(uman, week.dmas)
    with Engine(uman) as engine:
        place = {node: k for k, node in enumerate(engine.junctions.tolist())}
        night = np.mean([engine.demand_at(h * 3600) for h in (2, 3)], axis=0)
    return {
        dma.name: (
            3600.0 * sum(float(night[place[node]]) for node in dma.nodes.tolist() if node in place),
            zones.pressure[dma.name].round(2).tolist(),
            zones.n1[dma.name],
        )
        for dma in week.dmas
    }


def test_the_truth_closes(week: CityWeek) -> None:
    drawn, leaked = sum(week.drawn.values()), sum(week.leaked.values())
    assert week.supplied == pytest.approx(drawn + leaked, rel=1e-6)
    assert leaked / week.supplied == pytest.approx(0.38, abs=0.01)
    assert round(week.supplied / 7 / 81_525 * 1e3) == 172  # L a person and day
    for dma in week.dmas:
        inflow = week.volume(dma.inlets[0])
        assert inflow == pytest.approx(week.drawn[dma.name] + week.leaked[dma.name], rel=1e-4)


# a file by hand ---------------------------------------------------------------------------------------------------


def amount(name: str, volume: float, limits: float) -> str:
    return (
        f'name = "{name}"\nvolume = {volume:.2f}\nunit = "m3"\nlimits_percent = {100 * limits}\nsource = "measured"\n'
    )


def number(value: float, limits: float, source: str = "stated") -> str:
    return f'{{ value = {value:.6g}, limits = {limits:.6g}, source = "{source}" }}'


def input_text(week: CityWeek, nights: dict[str, tuple[float, list[float], float]], seed: int) -> str:
    """What the utility would write down after this week: meters and bills err by the seed."""
    random = np.random.default_rng(seed)
    shown = {link: 1.0 + random.normal(0.0, METER / Z95) for link in week.flow}
    bills = {
        dma.name: BILLED * week.drawn[dma.name] * random.lognormal(0.0, 0.03) for dma in week.dmas
    }  # as truth/billing.csv is drawn
    text = 'name = "week"\nsynthetic = true\nnone = ["billed_unmetered", "unbilled_metered", "private_km"]\n'
    text += "[period]\nfrom = 2026-01-05\nto = 2026-01-12\n"
    for link, kind in (("GATE-METER", "bought"), ("PS3-OUT", "own")):
        text += f'[[supplied]]\nkind = "{kind}"\n' + amount(link, week.volume(link) * shown[link], METER)
    stored = f'name = "tanks"\nvolume = {week.stored:.2f}\nunit = "m3"\nlimits_percent = 5.0\nsource = "measured"\n'
    text += f'[[supplied]]\nkind = "stored"\n{stored}'
    for name, volume in bills.items():
        text += "[[billed_metered]]\n" + amount(name, volume, BILL)
        text += 'under_registration = { percent = 4.0, limits = 1.5, source = "assumed" }\n'
    for line, of in (("unbilled_unmetered", "supplied"), ("unauthorised", "supplied"), ("data_handling", "billed")):
        text += f'[[{line}]]\nname = "{line}"\npercent = 0.25\npercent_of = "{of}"\nlimits_percent = 50\n'
        text += 'source = "assumed"\n'
    text += "[network]\nmains_km = " + number(225.0, 4.5) + "\nconnections = " + number(17_000, 170)
    text += "\npressure_m = " + number(44.0, 2.0) + "\nhours_a_day = " + number(24, 0) + '\nincome = "low-middle"\n'
    for dma in week.dmas:
        use, pressures, n1 = nights[dma.name]
        inlet = dma.inlets[0]
        quarters = week.quarters(inlet) * shown[inlet]
        least = np.lib.stride_tricks.sliding_window_view(quarters, 4, axis=1).mean(axis=2).min(axis=1)
        text += f'[[dma]]\nname = "{dma.name}"\nconnections = {number(dma.connections or 0, 0)}\n'
        text += f"mains_km = {number(dma.length / 1e3, 0.1)}\npressure_m = {number(float(np.mean(pressures)), 3.0)}\n"
        text += "[dma.inflow]\n" + amount(inlet, week.volume(inlet) * shown[inlet], METER)
        text += "[dma.billed]\n" + amount("bills", bills[dma.name], BILL)
        flow = 3600.0 * float(np.median(least))
        text += f"[dma.night]\nflow_m3h = {number(flow, METER * flow, 'measured')}\n"
        text += f"large_m3h = {number(use, NIGHT_USE * use, 'assumed')}\nn1 = {number(n1, 0.15, 'assumed')}\n"
        text += f"pressures_m = {pressures}\nnight_pressure_m = {pressures[3]}\n"
    return text


@pytest.fixture(scope="module")
def studies(
    week: CityWeek, model_night: dict[str, tuple[float, list[float], float]], tmp_path_factory: pytest.TempPathFactory
) -> list[Study]:
    folder = tmp_path_factory.mktemp("inputs")
    found = []
    for seed in SEEDS:
        path = folder / f"{seed}.toml"
        path.write_text(input_text(week, model_night, seed), encoding="utf-8")
        found.append(study_file(path))
    return found


def covered(results: list[object], truth: list[float]) -> float:
    numbers = [result for result in results if isinstance(result, Uncertain)]
    assert len(numbers) == len(truth)
    return float(np.mean([result.covers(true) for result, true in zip(numbers, truth, strict=True)]))


def test_the_balance_closes_within_its_limits(week: CityWeek, studies: list[Study]) -> None:
    leaked, drawn = sum(week.leaked.values()), sum(week.drawn.values())
    n = len(studies)
    for key, truth in (("supplied", week.supplied), ("real_losses", leaked), ("billed", BILLED * drawn)):
        assert covered([study.balance.volume(key) for study in studies], [truth] * n) >= 0.9, key
    unseen = (
        [study.balance.volume("authorised") for study in studies],
        [study.balance.volume("apparent_losses") for study in studies],
    )
    whole = [a + b for a, b in zip(*unseen, strict=True)]
    assert covered(whole, [drawn] * n) >= 0.9
    halves = [study.balance.volume("real_losses").half for study in studies]
    assert max(halves) < 0.06 * leaked  # limits that hold everything would be worth nothing
    assert all(study.balance.findings == () for study in studies)


def test_limits_of_districts_hold_the_truth_by_balance_and_by_night(week: CityWeek, studies: list[Study]) -> None:
    truth = [week.leaked[dma.of.name] for study in studies for dma in study.dmas]
    assert covered([dma.real_losses for study in studies for dma in study.dmas], truth) >= 0.9
    assert covered([dma.night_losses for study in studies for dma in study.dmas], truth) >= 0.9
    assert covered([dma.gap for study in studies for dma in study.dmas], [0.0] * len(truth)) >= 0.9
    assert all(dma.indicators.misleading == ("few_connections",) for dma in studies[0].dmas)


# from the historian -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plant(week: CityWeek, uman: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose historian has the week, with errors of meters, a dead meter and two that were away."""
    folder = tmp_path_factory.mktemp("plant")
    (folder / "tags.csv").write_bytes(tag_file(uman).read_bytes())
    loggers = tag_file(uman).with_name("loggers.csv")
    (folder / "loggers.csv").write_bytes(loggers.read_bytes())
    lines = tag_file(uman).with_name("umanflow.toml").read_text("utf-8")
    (folder / "umanflow.toml").write_text(lines.replace('"Europe/Kyiv"', '"UTC"'), "utf-8")
    example = tag_file(uman).with_name("balance-historian.toml").read_text("utf-8")
    for tank in ("TOWER-C", "TOWER-W", "TOWER-B"):
        example = example.replace(
            "[[billed_metered]]",
            f'[[supplied]]\nname = "{tank}"\nkind = "stored"\nelement = "{tank}"\nlimits = 0.02\nsource = "measured"\n'
            "[[billed_metered]]",
            1,
        )
    (folder / "balance.toml").write_text(example, "utf-8")
    random = np.random.default_rng(1)
    store = open_historian(f"sqlite:///{folder}/history.db")
    start = MONDAY.value // 1_000_000
    for link in week.flow:
        gain = 1.0 + random.normal(0.0, METER / Z95)
        device = {"GATE-METER": "gate", "PS3-OUT": "ps-3"}.get(link, f"dma-{link.removeprefix('INL-').lower()}")
        flow = gain * week.quarters(link).ravel()
        quarter = np.arange(len(flow))
        if link == "INL-C1":
            flow[quarter < 500] = np.nan  # too little
        if link == "INL-C2":
            flow[(quarter >= 200) & (quarter < 260)] = np.nan
        store.append([
            Sample(f"{device}.flow", start + 900_000 * int(k), start + 900_000 * int(k), 3600.0 * float(q))
            for k, q in enumerate(flow) if np.isfinite(q)
        ])  # fmt: skip
        if device in ("gate", "ps-3", "dma-w1"):
            total = 7_000.0 + np.concatenate([[0.0], np.cumsum(gain * week.quarters(link).ravel() * 900.0)])[::4]
            away = (np.arange(len(total)) >= 30) & (np.arange(len(total)) < 90)
            store.append([
                Sample(f"{device}.volume", start + 3_600_000 * int(k), start + 3_600_000 * int(k), float(v))
                for k, v in enumerate(total) if not (away[k] and device == "dma-w1")
            ])  # fmt: skip
    for tank in TANKS:
        for k in (0, -1):
            t = start + int(week.times[k] * 1000)
            store.append([Sample(f"tank-{tank.lower()}.level", t, t, float(week.level[tank][k]))])
    store.close()
    return folder


def run(*arguments: object) -> object:
    return CliRunner().invoke(app, ["balance", *map(str, arguments)], catch_exceptions=True)


def test_a_period_of_the_historian(plant: Path, week: CityWeek, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(
        "--config", plant / "umanflow.toml", "--input", plant / "balance.toml", "--from", "2026-01-05",
        "--to", "2026-01-12", "--out", out, "--format", "json,csv", "--lang", "en",
    )  # fmt: skip
    assert done.exit_code == 0, done.exception
    found = json.loads((out / "balance.json").read_text("utf-8"))
    for key, truth in (("supplied", week.supplied), ("real_losses", sum(week.leaked.values()))):
        assert found["results"][key]["low"] < truth < found["results"][key]["high"], key
    by_name = {dma["dma"]: dma for dma in found["districts"]}
    assert len(by_name) == 17
    assert by_name["C1"]["inflow_m3"]["lacks"] == ["meter INL-C1: 26 % < 50 %"]
    assert by_name["C1"]["real_losses_m3"]["value"] is None
    away, whole = by_name["C2"], by_name["C3"]
    assert away["coverage"] == pytest.approx(1.0 - 15 / 168, abs=1e-6)
    assert whole["coverage"] == 1.0
    assert by_name["W1"]["notes"]["read_from"] == "total"  # it counted on while nobody read it
    assert by_name["W1"]["coverage"] == 1.0
    widths = [(dma["inflow_m3"]["high"] - dma["inflow_m3"]["low"]) / dma["inflow_m3"]["value"] for dma in (away, whole)]
    assert widths[0] > widths[1] + 1e-4  # days of this city are much alike
    held = [
        dma["inflow_m3"]["low"] < week.volume(f"INL-{name}") < dma["inflow_m3"]["high"]
        for name, dma in by_name.items() if name != "C1"
    ]  # fmt: skip
    assert np.mean(held) >= 0.85
    assert whole["night"]["nights"] == 7
    assert whole["night"]["pressure_source"] == "computed"
    assert whole["night"]["n1"]["value"] == pytest.approx(0.83, abs=0.05)
    assert whole["billed_source"] == "assumed"
    held = [
        dma["night"]["real_losses_m3"]["low"] < week.leaked[name] < dma["night"]["real_losses_m3"]["high"]
        for name, dma in by_name.items() if name != "C1"
    ]  # fmt: skip
    assert np.mean(held) >= 0.7  # one night use a person for all, though works and storeys differ


def test_what_the_historian_does_not_have_is_said_at_once(plant: Path, tmp_path: Path) -> None:
    text = (plant / "balance.toml").read_text("utf-8")
    text = text.replace('element = "PS3-OUT"', 'element = "NOWHERE"').replace('"RES-1"', '"RES-9"')
    (plant / "wrong.toml").write_text(text, "utf-8")
    done = run(
        "--config", plant / "umanflow.toml", "--input", plant / "wrong.toml", "--from", "2026-01-05",
        "--to", "2026-01-12", "--out", tmp_path,
    )  # fmt: skip
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert "no tag measures flow or volume at 'NOWHERE'" in lines[0]
    assert "tank 'RES-9'" in lines[1]


def test_bills_samples_and_loggers(plant: Path, week: CityWeek, tmp_path: Path, uman: Network) -> None:
    """Consumption by bills and by samples of homes; pressure by loggers where there are any."""
    assert uman.nodes is not None
    random = np.random.default_rng(2)
    rows = ["month,dma,category,billed_m3"]
    share = {"residential": 0.76, "commercial": 0.13, "industrial": 0.11}
    for month, days in (("2025-12", 31), ("2026-01", 31), ("2026-02", 28)):
        for name, volume in week.drawn.items():
            rows += [f"{month},{name},{kind},{BILLED * part * volume / 7 * days:.1f}" for kind, part in share.items()]
    (plant / "billing.csv").write_text("\n".join(rows) + "\n", "utf-8")
    homes = uman.nodes[(uman.nodes["dma"] == "W3") & (uman.nodes["connections"] > 0)]["node"].tolist()
    each = 0.76 * week.drawn["W3"] / 7 / next(d.connections or 0 for d in week.dmas if d.name == "W3")
    readings = [f"{node},2026-01-0{d},{each * random.lognormal(0, 0.1):.4f}" for node in homes[:40] for d in (5, 6, 7)]
    (plant / "amr.csv").write_text("node,date,m3\n" + "\n".join(readings) + "\n", "utf-8")
    store = open_historian(f"sqlite:///{plant}/history.db")
    hours = range(7 * 24)
    start = MONDAY.value // 1_000_000
    for tag, base in (("log-01", 30.0), ("log-07", 30.0)):
        store.append([
            Sample(f"{tag}.pressure", start + 3_600_000 * h, start + 3_600_000 * h, base + 10.0 * (h % 24 < 6))
            for h in hours
        ])  # fmt: skip
    store.close()
    text = (plant / "balance.toml").read_text("utf-8")
    text = text.replace('volume = 8_250\nunit = "m3/d"', 'billing = "all"').replace('"modelled"', '"measured"')
    text += '[billing]\nfile = "billing.csv"\nlimits_percent = 5\nsource = "measured"\n'
    text += '[amr]\nfile = "amr.csv"\nmeter_limits_percent = 2\n'
    found = {}
    for how in ("billing", "amr"):
        (plant / "other.toml").write_text(text.replace('consumption = "norm"', f'consumption = "{how}"'), "utf-8")
        done = run(
            "--config", plant / "umanflow.toml", "--input", plant / "other.toml", "--from", "2026-01-05",
            "--to", "2026-01-12", "--out", tmp_path / how, "--format", "json",
        )  # fmt: skip
        assert done.exit_code == 0, done.exception
        found[how] = json.loads((tmp_path / how / "balance.json").read_text("utf-8"))
    by_bills, by_samples = ({dma["dma"]: dma for dma in found[how]["districts"]} for how in ("billing", "amr"))
    whole = found["billing"]["results"]["billed"]
    assert whole["value"] == pytest.approx(BILLED * sum(week.drawn.values()), rel=1e-3)
    for name, dma in by_bills.items():
        assert dma["billed_m3"]["value"] == pytest.approx(BILLED * week.drawn[name], rel=1e-3)
        assert dma["billed_source"] == "measured"
    homes_and_others = by_samples["W3"]["billed_m3"]
    assert homes_and_others["low"] < (0.76 + 0.24 * BILLED) * week.drawn["W3"] < homes_and_others["high"]
    assert by_samples["C2"]["billed_m3"]["lacks"] == ["amr.csv: 3 customers of C2"]
    night = by_bills["L2"]["night"]
    assert night["pressure_source"] == "measured"
    n1 = night["n1"]["value"]
    assert night["night_day_factor_h"]["value"] == pytest.approx(6 + 18 * (30 / 40) ** n1)
    assert by_bills["W3"]["night"]["night_day_factor_h"]["lacks"] == ["dma.W3.night.pressures_m"]
    assert by_bills["W3"]["notes"]["no_loggers"] == ""
    some = [row for row in rows if not row.startswith("2026-01,L5")]
    (plant / "billing.csv").write_text("\n".join(some) + "\n", "utf-8")
    done = run(
        "--config", plant / "umanflow.toml", "--input", plant / "other.toml", "--from", "2026-01-05",
        "--to", "2026-01-12", "--out", tmp_path / "no",
    )  # fmt: skip
    assert done.stderr.count("\n") == 1
    assert "billing.csv: 2026-01 L5 is not there" in done.stderr
    (plant / "billing.csv").write_text("\n".join(row for row in rows if "2026-01" not in row) + "\n", "utf-8")
    done = run(
        "--config", plant / "umanflow.toml", "--input", plant / "other.toml", "--from", "2026-01-05",
        "--to", "2026-01-12", "--out", tmp_path / "no",
    )  # fmt: skip
    assert "billing.csv: 2026-01 is not there" in done.stderr


def test_the_configuration_may_name_the_input(plant: Path, tmp_path: Path) -> None:
    config = plant / "named.toml"
    lines = (plant / "umanflow.toml").read_text("utf-8")
    config.write_text(lines + '\n[balance]\nfile = "balance.toml"\n', "utf-8")
    period = ("--from", "2026-01-05", "--to", "2026-01-12")
    done = run("--config", config, *period, "--out", tmp_path, "--format", "html")
    assert done.exit_code == 0, done.exception
    assert '<html lang="uk">' in (tmp_path / "balance.html").read_text("utf-8")  # the configuration's language
    done = run("--config", plant / "umanflow.toml", *period, "--out", tmp_path)
    assert "balance.file is missing" in str(done.exception)
    done = run("--config", config, "--out", tmp_path)
    assert "a balance needs a period" in done.stderr
