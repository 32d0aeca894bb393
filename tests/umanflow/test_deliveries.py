"""Files of battery loggers: whole hours and days, and the same readings when they are read back."""

import pandas as pd
import pytest

from scada.plc.stations import pressure_logger
from umanflow.deliveries import Portal, read_delivery
from umanflow.errors import UserError

START_MS = pd.Timestamp("2026-01-05", tz="UTC").value // 1_000_000
QUARTER_MS = 900_000


def loggers():
    return {
        "hourly": [pressure_logger(f"log-{k}", {"pressure": f"J-{k}"}, 900.0)[0] for k in (1, 2)],
        "daily": [pressure_logger("log-3", {"pressure": "J-3"}, 900.0)[0]],
    }


def run(folder, quarters):
    portal = Portal(folder, loggers())
    found = []
    for k in range(3 * quarters):  # the city moves every five minutes, loggers note every fifteen
        t = START_MS + k * QUARTER_MS // 3
        values = {f"log-{n}.pressure": 30.0 + n + 0.01 * k for n in (1, 2, 3)}
        found += [(t, path) for path in portal.take(t, values)]
    return found


def test_hours_and_days_come_whole(tmp_path):
    found = run(tmp_path, 96)
    assert len([p for _, p in found if p.name.startswith("hourly")]) == 24
    assert len([p for _, p in found if p.name.startswith("daily")]) == 1
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_nothing_is_lost_between_field_and_historian(tmp_path):
    samples = [s for t, path in run(tmp_path, 96) for s in read_delivery(path, t)]
    assert len(samples) == 3 * 96
    assert len({(s.tag, s.time_ms) for s in samples}) == len(samples)
    for sample in samples:
        k = (sample.time_ms - START_MS) // (QUARTER_MS // 3)
        assert sample.value == pytest.approx(30.0 + int(sample.tag[4]) + 0.01 * k, abs=0.0051)
        assert sample.arrival_ms >= sample.time_ms


def test_a_file_that_is_none_is_told(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,log-1.pressure\nyesterday,5\n")
    with pytest.raises(UserError, match="no logger file"):
        read_delivery(path, 0)


def test_empty_cells_are_no_samples(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,log-1.pressure,log-2.pressure\n2026-01-05T00:00:00Z,31.5,\n")
    assert [(s.tag, s.value) for s in read_delivery(path, 7)] == [("log-1.pressure", 31.5)]
