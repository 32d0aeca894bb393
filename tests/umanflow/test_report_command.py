"""`umanflow report` from a folder, from files and from the historian, and the timer that makes it every night."""

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from networks import NetworkError
from scada.historian import open_historian
from scada.sample import Sample
from tests.umanflow.town import CRS, START, leak, record, write_folder, write_town
from umanflow.cli.app import app
from umanflow.errors import UserError
from umanflow.report import ReportError
from umanflow.reporting import last_days, parse_formats

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["report", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def wrong(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["report", *map(str, arguments)])
    assert isinstance(result.exception, UserError | NetworkError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("town")
    write_folder(folder / "found", write_town(folder), [leak(1)])
    return folder


def test_folder_becomes_every_format(town: Path, tmp_path: Path) -> None:
    told = run("--detections", town / "found", "--out", tmp_path / "{date}", "--tables", town, "--lang", "uk",
               "--cost", "34.16", "--units", "L/s", "--format", "html,pdf,csv,xlsx,geojson,gpkg,json")  # fmt: skip
    out = tmp_path / "2026-03-02"
    assert told.split() == [str(out / name) for name in (
        "report.html", "report.pdf", "leaks.csv", "dispatch.csv", "report.xlsx", "leaks.geojson", "report.gpkg",
        "leaks.json", "report.json",
    )]  # fmt: skip
    for name in ("leaks.csv", "leaks.json", "leaks.geojson"):
        assert (out / name).read_bytes() == (town / "found" / name).read_bytes()
    assert "1,0\u00a0л/с" in (out / "report.html").read_text(encoding="utf-8")
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["summary"]["cost_per_m3"] == 34.16


@pytest.mark.parametrize(
    ("arguments", "say"),
    [
        (["--format", "docx"], "docx is unknown"),
        (["--lang", "ru"], "not spoken"),
        (["--units", "gpm"], "no unit of flow 'gpm'"),
        (["--currency", "hryvnia"], "ISO 4217"),
        (["--tables", "nowhere"], "no such folder"),
        (["--last", "3"], "--last goes with --config"),
        (["--from", "2026-01-01"], "--from goes with --config"),
        (["--history", "."], "--history goes with --data"),
        (["--repairs", "r.csv"], "--repairs goes with --data or --config"),
        (["--network", "Net1"], "is not the network of this detection"),
    ],
)
def test_wrong_wishes_are_told_in_one_line(town: Path, tmp_path: Path, arguments: list[str], say: str) -> None:
    assert say in wrong("--detections", town / "found", "--out", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_geojson_needs_a_place_on_earth(tmp_path: Path) -> None:
    found = write_folder(tmp_path / "found", write_town(tmp_path), [leak(1)], crs=None)
    assert "--crs" in wrong("--detections", found, "--out", tmp_path / "out", "--format", "html,geojson")
    assert not (tmp_path / "out").exists()
    run("--detections", found, "--out", tmp_path / "out", "--format", "geojson", "--crs", CRS)
    assert json.loads((tmp_path / "out" / "leaks.geojson").read_text())["features"][0]["geometry"] is not None


def test_network_that_moved_is_named(town: Path, tmp_path: Path) -> None:
    found = shutil.copytree(town / "found", tmp_path / "found")
    entry = json.loads((found / "run.json").read_text())
    (found / "run.json").write_text(json.dumps({**entry, "network": "/gone/town.inp"}))
    assert "/gone/town.inp" in wrong("--detections", found, "--out", tmp_path / "out")
    run("--detections", found, "--out", tmp_path / "out", "--network", town / "town.inp")


def test_broken_folders_are_told(town: Path, tmp_path: Path) -> None:
    found = shutil.copytree(town / "found", tmp_path / "found")
    (found / "days.parquet").write_bytes(b"nothing")
    with pytest.raises(ReportError, match=r"days\.parquet: cannot be read"):
        CliRunner().invoke(
            app, ["report", "--detections", str(found), "--out", str(tmp_path / "o")], catch_exceptions=False
        )
    (found / "days.parquet").unlink()
    (found / "run.json").write_text("{}")
    assert "has no 'network'" in wrong("--detections", found, "--out", tmp_path / "o")
    assert "give one of" in wrong("--out", tmp_path / "o")
    assert "--data needs --network" in wrong("--out", tmp_path / "o", "--data", tmp_path)


def test_formats() -> None:
    assert parse_formats("PDF, html,pdf") == ("pdf", "html")
    assert parse_formats(" ,") == ("html",)


# from files and from the historian --------------------------------------------------------------------------------


def write_data(folder: Path) -> Path:
    """The record as logger files."""
    folder.mkdir()
    measured = record()
    for name, table in (("Pressures", measured.pressure), ("Flows", measured.flow * 3600.0)):
        table.rename_axis("Timestamp").tz_localize(None).to_csv(folder / f"town_{name}.csv")
    return folder


@pytest.mark.filterwarnings("default::RuntimeWarning")
def test_files_are_detected_and_reported(tmp_path: Path) -> None:
    inp = write_town(tmp_path / "town")
    out = tmp_path / "2026-03-01"
    run("--network", inp, "--data", write_data(tmp_path / "data"), "--tables", inp.parent, "--crs", CRS,
        "--out", tmp_path / "{date}", "--format", "html,xlsx")  # fmt: skip
    assert (out / "detection" / "days.parquet").is_file()
    assert sorted(p.name for p in out.iterdir()) == ["detection", "report.html", "report.xlsx"]
    days = pd.read_parquet(out / "detection" / "days.parquet")
    assert set(days["instrument"]) == {"MAIN", "J-30", "J-33"}
    assert "repairs" in openpyxl.load_workbook(out / "report.xlsx").sheetnames


TAGS = """name,device,table,address,type,order,unit,interval_s,element,quantity
main.flow,plc,input,0,float32,,m3/h,900,MAIN,flow
j30.pressure,plc,input,2,float32,,m,900,J-30,pressure
j33.pressure,plc,input,4,float32,,m,900,J-33,pressure
"""
CONFIG = """network = "town/town.inp"
crs = "EPSG:32636"
timezone = "Europe/Kyiv"
language = "uk"
[historian]
url = "sqlite:///history.db"
[report]
cost_per_m3 = 12.5
tables = "town"
[[devices]]
name = "plc"
url = "tcp://127.0.0.1:15020"
"""


def write_plant(folder: Path) -> Path:
    """A configuration whose historian holds sixty days."""
    write_town(folder / "town")
    (folder / "tags.csv").write_text(TAGS, encoding="utf-8")
    (folder / "umanflow.toml").write_text(CONFIG, encoding="utf-8")
    measured = record()
    store = open_historian(f"sqlite:///{folder}/history.db")
    columns = {
        "main.flow": measured.flow["MAIN"] * 3600.0,
        "j30.pressure": measured.pressure["J-30"],
        "j33.pressure": measured.pressure["J-33"],
    }
    for tag, values in columns.items():
        stamps = values.dropna()
        store.append([Sample(tag, int(t.value // 10**6), int(t.value // 10**6), float(v)) for t, v in stamps.items()])
    store.close()
    return folder / "umanflow.toml"


@pytest.mark.filterwarnings("default::RuntimeWarning")
def test_period_of_the_historian_as_the_nightly_unit_asks(tmp_path: Path) -> None:
    config = write_plant(tmp_path)
    words = shlex.split(unit("umanflow-report.service")["Service"]["ExecStart"])
    assert words[1] == "report"
    places = {
        "/etc/umanflow/umanflow.toml": str(config),
        "/var/lib/umanflow/reports/{date}": str(tmp_path / "reports" / "{date}"),
    }
    arguments = [places.get(word, word) for word in words[2:]]
    assert [word for word in arguments if word.startswith("/") and str(tmp_path) not in word] == []
    last = arguments.index("--last")
    arguments[last : last + 2] = ["--from", "2026-01-01", "--to", "2026-02-20T00:00:00+02:00"]
    told = run(*arguments)
    (out,) = (tmp_path / "reports").iterdir()
    assert re.fullmatch(r"2026-02-(19|20)", out.name)
    names = {
        "report.html",
        "report.pdf",
        "leaks.csv",
        "dispatch.csv",
        "report.xlsx",
        "report.gpkg",
        "leaks.json",
        "report.json",
    }
    assert {Path(line).name for line in told.split()} == names
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Звіт про витоки: town" in page
    assert "(Europe/Kyiv)" in page
    assert "12,50\u00a0грн" in page


def test_empty_period_is_told(tmp_path: Path) -> None:
    config = write_plant(tmp_path)
    assert "no good samples" in wrong("--config", config, "--out", tmp_path / "o", "--last", "2")
    config.write_text(CONFIG.replace("cost_per_m3 = 12.5", "cost_per_m3 = -1"), encoding="utf-8")
    assert "report.cost_per_m3" in wrong("--config", config, "--out", tmp_path / "o", "--last", "2")


def test_last_days_are_whole_days_of_the_clock() -> None:
    now = datetime(2026, 4, 2, 1, 30, tzinfo=UTC)  # 04:30 in Kyiv; summer time began on 29 March
    assert last_days(7, "Europe/Kyiv", now) == ("2026-03-26T00:00:00+02:00", "2026-04-02T00:00:00+03:00")
    assert pd.Timestamp(last_days(1, "UTC", now)[0]) == pd.Timestamp("2026-04-01", tz="UTC")
    assert START.tzinfo is not None


# the timer --------------------------------------------------------------------------------------------------------


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((DEPLOY / name).read_text(encoding="utf-8"))
    return parser


def test_timer_starts_the_service_every_night() -> None:
    timer, service = unit("umanflow-report.timer"), unit("umanflow-report.service")
    assert timer["Timer"]["Unit"] == "umanflow-report.service"
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:00", timer["Timer"]["OnCalendar"])
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert service["Service"]["Type"] == "oneshot"


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd here; the parsing test remains")
    for name in ("umanflow-report.service", "umanflow-report.timer"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/umanflow/bin/umanflow", sys.executable), encoding="utf-8")
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    command = [
        program,
        "verify",
        "--recursive-errors=no",
        str(tmp_path / "umanflow-report.timer"),
        str(tmp_path / "umanflow-report.service"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    assert "umanflow-report" not in result.stderr, result.stderr
