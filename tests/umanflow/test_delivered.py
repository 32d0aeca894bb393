"""Alarms of what comes as files: taken by polling itself, by `umanflow ingest` beside it, or while nobody polled."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scada.alarms import Alarm
from scada.alarms.tables import write_alarms
from scada.historian import Historian, open_historian
from scada.sample import Quality, Sample
from scada.tags import write_tags
from tests.umanflow.test_alarm_commands import ALARMS, CONFIG, TAGS, Plant, plant, polling, states, umanflow, wait_for
from umanflow.alarming import wiring_of
from umanflow.config import read_config
from umanflow.delivered import DeliveredSamples, Watch, watched_tags
from umanflow.tagging import every_tag

__all__ = ["plant"]
HOUR_MS = 3_600_000
LOGGER_ALARMS = [
    Alarm("log.p", "L", limit=10.0, text_uk="тиск", text_en="pressure", action_uk="дій", action_en="act"),
    Alarm("log.p", "stale", window_s=7200.0),
    Alarm("log.q", "rise", limit=5.0, window_s=900.0),
    Alarm("a.flow", "deviation", limit=1000.0, expected="log.r"),
]


def configure(folder: Path, port: int, ingest: str) -> Path:
    write_tags(folder / "tags.csv", TAGS)
    write_alarms(folder / "alarms.csv", [*ALARMS, *LOGGER_ALARMS])
    loggers = (
        "name,quantity,unit,interval_s\nlog.p,pressure,m,900\nlog.q,flow,m3/h,900\nlog.r,other,,900\nlog.s,other,,900\n"
    )
    (folder / "loggers.csv").write_text(loggers)
    (folder / "umanflow.toml").write_text(f'{CONFIG.format(port=port)}\n[ingest]\ntags = "loggers.csv"\n{ingest}')
    return folder / "umanflow.toml"


def drop(path: Path, *rows: tuple[str, float, float]) -> Path:
    lines = [f"2026-01-05 {clock},{p},{q}" for clock, p, q in rows]
    partial = path.with_name(f".{path.name}")
    partial.write_text("\n".join(["time,log.p,log.q", *lines, ""]))
    partial.rename(path)
    return path


def test_files_raise_alarms_whoever_takes_them(tmp_path: Path, plant: Plant) -> None:
    config = configure(tmp_path, plant.port, 'folder = "drops"\nstable_s = 0\npoll_s = 0.2')
    (tmp_path / "drops").mkdir()
    good = umanflow("alarms", "check", tmp_path / "alarms.csv", "--config", config)
    assert good.returncode == 0, good.stderr
    with polling(config):
        wait_for(lambda: (tmp_path / "poll-status.json").exists())
        drop(tmp_path / "drops/1.csv", ("00:00", 30.0, 5.0), ("00:15", 30.0, 5.0), ("00:30", 8.0, 12.0))
        wait_for(lambda: states(config) == {"log.p/L": "unacknowledged", "log.q/rise": "unacknowledged"})
        drop(tmp_path / "drops/2.csv", ("00:45", 30.0, 12.0))
        wait_for(lambda: states(config) == {"log.p/L": "returned", "log.q/rise": "returned"})
        for name in ("log.p/L", "log.q/rise"):
            done = umanflow("alarms", "ack", name, "--config", config, "--who", "Ivan")
            assert (done.returncode, done.stdout) == (0, f"{name}: acknowledge done\n")
        other = drop(tmp_path / "late.csv", ("00:20", 1.0, 5.0), ("01:00", 30.0, 12.0))
        assert umanflow("ingest", "--config", config, "--data", other).returncode == 0
        other = drop(tmp_path / "other.csv", ("01:15", 7.0, 12.0))
        assert umanflow("ingest", "--config", config, "--data", other).returncode == 0
        wait_for(lambda: states(config) == {"log.p/L": "unacknowledged"})
    other = drop(tmp_path / "back.csv", ("01:30", 31.0, 12.0))
    assert umanflow("ingest", "--config", config, "--data", other).returncode == 0
    assert states(config) == {"log.p/L": "unacknowledged"}, "nobody looked"
    with polling(config):
        wait_for(lambda: states(config) == {"log.p/L": "returned"})
    told = json.loads(umanflow("alarms", "journal", "--config", config, "--json").stdout)
    came = [(row["alarm"], row["value"]) for row in told if row["after"] == "unacknowledged" != row["before"]]
    assert sorted(came[:2]) == [("log.p/L", 8.0), ("log.q/rise", 12.0)]
    assert came[2:] == [("log.p/L", 7.0)], "what is older than the newest value tells nothing of the present"
    again = umanflow("alarms", "replay", "--config", config, "--json")
    assert {row["alarm"] for row in json.loads(again.stdout)} >= {"log.p/L"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Historian]:
    found = open_historian(f"sqlite:///{tmp_path}/h.db")
    yield found
    found.close()


def sample(hour: int, value: float, tag: str = "p", later_ms: int = 0) -> Sample:
    return Sample(tag, hour * HOUR_MS, hour * HOUR_MS + 7 + later_ms, value)


def test_each_reading_is_given_once_and_in_order(store: Historian) -> None:
    delivered = DeliveredSamples(store, {"p": Watch(), "q": Watch(HOUR_MS)})
    assert delivered.take(0) == []
    store.append([sample(1, 1.0), sample(1, 9.0, "other")])
    assert delivered.take(0) == [sample(1, 1.0)]
    assert delivered.take(0) == []
    store.append([sample(3, 3.0), sample(2, 2.0), sample(5, 5.0, "q"), sample(4, 4.0, "q"), sample(3, 4.5, "q")])
    assert delivered.take(0) == [sample(2, 2.0), sample(3, 3.0), sample(4, 4.0, "q"), sample(5, 5.0, "q")]
    store.append([sample(2, 7.0, later_ms=5), sample(0, 0.0)])
    assert delivered.take(0) == [], "older than the newest"
    store.append([sample(3, 8.0, later_ms=5)])
    assert delivered.take(0) == [sample(3, 8.0, later_ms=5)]
    store.append([Sample("p", 6 * HOUR_MS, 6 * HOUR_MS, float("nan"), Quality.BAD, "source")])
    assert [one.reason for one in delivered.take(0)] == ["source"]
    assert delivered.take(0) == []


def test_an_old_value_does_not_pass_for_one_that_has_just_come(store: Historian) -> None:
    store.append([sample(1, 1.0), sample(1, 2.0, "q")])
    first = DeliveredSamples(store, {"p": Watch(0, HOUR_MS), "q": Watch(5)})
    assert first.take(3 * HOUR_MS) == [sample(1, 2.0, "q")]
    store.append([sample(2, 3.0)])
    assert first.take(3 * HOUR_MS) == [sample(2, 3.0)]


def test_only_delivered_tags_of_alarms_are_looked_at(tmp_path: Path) -> None:
    config = read_config(configure(tmp_path, 502, ""))
    assert watched_tags(config, [*ALARMS, *LOGGER_ALARMS]) == {
        "log.p": Watch(0, 2.0 * HOUR_MS), "log.q": Watch(900_000), "log.r": Watch()
    }  # fmt: skip
    assert watched_tags(config, ALARMS) == {}


def test_what_hangs_on_what(tmp_path: Path) -> None:
    path = configure(tmp_path, 502, "")
    config = read_config(path)
    two = wiring_of(config, every_tag(config))
    assert two.device_of == {tag.name: tag.device for tag in TAGS}, "what is delivered hangs on no device"
    assert two.gateway_of == dict.fromkeys("ab", "tcp://127.0.0.1:502")
    assert two.network == ""
    more = "".join(
        f'\n[[devices]]\nname = "{name}"\nurl = "tcp://127.0.0.2:{port}"\n' for port, name in enumerate("cd", 1)
    )
    path.write_text(path.read_text() + more)
    write_tags(
        tmp_path / "tags.csv",
        [*TAGS, replace(TAGS[0], name="c.x", device="c"), replace(TAGS[0], name="d.x", device="d")],
    )
    config = read_config(path)
    three = wiring_of(config, every_tag(config))
    assert three.above("a") == ["tcp://127.0.0.1:502", "network"]
    assert three.above("c") == three.above("d") == ["network"] == [three.network]
