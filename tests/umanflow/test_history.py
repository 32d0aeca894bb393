"""`umanflow history export`: one file, one for each day, and what was known at a time."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from scada.historian import open_historian
from scada.sample import Quality, Sample
from umanflow.cli.app import app

NOON_MS = pd.Timestamp("2026-01-05T12:00Z").value // 1_000_000
HOUR_MS = 3_600_000


@pytest.fixture
def config(tmp_path):
    store = open_historian(f"sqlite:///{tmp_path}/h.db")
    store.append([Sample("a", NOON_MS + k * HOUR_MS, NOON_MS + k * HOUR_MS, float(k)) for k in range(36)])
    store.append([Sample("a", NOON_MS, NOON_MS + 48 * HOUR_MS, 0.5, Quality.UNCERTAIN, "range")])  # revised later
    store.close()
    path = tmp_path / "umanflow.toml"
    path.write_text('network = "Net1"\n[historian]\nurl = "sqlite:///h.db"\n', encoding="utf-8")
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["history", "export", *map(str, arguments)], catch_exceptions=True)


def test_what_was_known_at_a_time_is_exported(config, tmp_path):
    now, then = tmp_path / "now.csv", tmp_path / "then.csv"
    assert run("--config", config, "-o", now).exit_code == 0
    assert run("--config", config, "--known-at", "2026-01-05T14:00Z", "-o", then).exit_code == 0
    assert now.read_text().splitlines()[1] == "2026-01-05T12:00:00.000Z,a,0.5,UNCERTAIN,range"
    assert len(now.read_text().splitlines()) == 37
    assert then.read_text().splitlines() == [
        "time,tag,value,quality,reason",
        "2026-01-05T12:00:00.000Z,a,0.0,GOOD,",
        "2026-01-05T13:00:00.000Z,a,1.0,GOOD,",
        "2026-01-05T14:00:00.000Z,a,2.0,GOOD,",
    ]


def test_days_become_files(config, tmp_path):
    result = run("--config", config, "--daily", "--from", "2026-01-05T18:00Z", "-o", tmp_path / "days")
    assert result.stdout == f"2 days in {tmp_path / 'days'}\n"
    tables = [pd.read_parquet(path) for path in sorted((tmp_path / "days").iterdir())]
    assert [len(table) for table in tables] == [6, 24]
    assert tables[0]["value"].tolist() == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    wrong = run("--config", config, "--daily", "--known-at", "2026-01-05", "-o", tmp_path / "x")
    assert wrong.exit_code != 0
    assert "leave --known-at out" in str(wrong.exception)
