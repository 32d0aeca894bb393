"""`umanflow ingest` as it is used: files, folders that are watched, processes that are killed, polling beside it."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from scada.historian import open_historian
from tests.umanflow.test_cli import free_port, umanflow
from umanflow.cli.app import app
from umanflow.config import read_config
from umanflow.errors import ConfigError, UserError
from umanflow.ingestprofiles import profiles_of, queries_of
from umanflow.pipeline import frame_of, measured_tags, record_of
from umanflow.tagging import every_tag

LOGGERS = "name,element,quantity,unit,interval_s\np1,22,pressure,m,900\np2,32,pressure,m,900\nq1,9,flow,m3/h,900\n"
HEAD = 'network = "Net1"\ntimezone = "Europe/Kyiv"\n[historian]\nurl = "sqlite:///h.db"\n'
GOOD = "Дата;P1 [bar];p2\n05.01.2026 02:00;3,1;20,5\n05.01.2026 02:15;3,2;20,6\n"


def write_config(folder: Path, ingest: str = '[ingest]\ntags = "loggers.csv"\n') -> Path:
    (folder / "loggers.csv").write_text(LOGGERS, encoding="utf-8")
    path = folder / "umanflow.toml"
    path.write_text(HEAD + ingest, encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    """A command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def samples(folder: Path, known_ms: int | None = None) -> pd.DataFrame:
    store = open_historian(f"sqlite:///{folder}/h.db")
    try:
        return store.range(known_ms=known_ms, is_full=True)
    finally:
        store.close()


MAPPED = '[ingest]\ntags = "loggers.csv"\n[[ingest.files]]\nname = "hwm"\npattern = "*.csv"\npoints = { P1 = "p1" }\n'


def test_the_whole_command(tmp_path: Path) -> None:
    config = write_config(tmp_path, MAPPED)
    drops = tmp_path / "drops"
    drops.mkdir()
    (drops / "a.csv").write_text(GOOD + "05.01.2026 02:30;x;20,7\n", encoding="utf-8")
    (drops / "b.csv").write_text("time,q9\n2026-01-05 02:00,1\n", encoding="utf-8")
    checked = run("ingest", "--config", config, "--data", drops, "--check", "--json")
    assert checked.exit_code == 2
    found = json.loads(checked.stdout)
    assert [(Path(f["file"]).name, f["line"], f["severity"]) for f in found] == [
        ("a.csv", 4, "error"),
        ("b.csv", None, "error"),
    ]
    assert not (tmp_path / "h.db").exists()
    taken = umanflow("ingest", "--config", str(config), "--data", str(drops), "--json")
    assert taken.returncode == 0, taken.stderr
    rows = {row["file"]: row for row in json.loads(taken.stdout)}
    assert (rows["a.csv"]["verdict"], rows["a.csv"]["stored"], rows["a.csv"]["not taken"]) == ("partly", 5, 1)
    assert rows["b.csv"]["verdict"] == "failed"
    assert "'x' in column 'P1 [bar]' is no number" in (drops / "a.csv.rejects.csv").read_text()
    again = run("ingest", "--config", config, "--data", drops / "a.csv")
    assert again.exit_code == 0
    assert "known" in again.stdout
    failed = umanflow("ingest", "--config", str(config), "--data", str(drops / "b.csv"))
    assert failed.returncode == 2
    assert failed.stderr.startswith("umanflow: nothing could be taken: ")
    assert "name their tags under points" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    table = samples(tmp_path)
    assert table["value"].iloc[0] == pytest.approx(3.1 * 10.19716213)
    assert table["time"].iloc[0] == pd.Timestamp("2026-01-05", tz="UTC")


def test_an_export_of_the_historian_comes_back(tmp_path: Path) -> None:
    """What `umanflow history export` writes is one of the files that are recognised."""
    config = write_config(tmp_path)
    (tmp_path / "a.csv").write_text("time,p1,p2\n2026-01-05 02:00,1,2\n2026-01-05 02:15,3,nan\n")
    assert run("ingest", "--config", config, "--data", tmp_path / "a.csv").exit_code == 0
    assert run("history", "export", "--config", config, "-o", tmp_path / "x.csv").exit_code == 0
    other = tmp_path / "other"
    other.mkdir()
    second = write_config(other)
    result = run("ingest", "--config", second, "--data", tmp_path / "x.csv")
    assert result.exit_code == 0, result.exception
    columns = ["time", "tag", "value", "quality", "reason"]
    assert samples(other)[columns].equals(samples(tmp_path)[columns])


def test_what_was_known_at_a_time_is_exported(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    for name, value, came in (("a.csv", "1", "2026-01-05T06:00"), ("b.csv", "1.5", "2026-01-06T06:00")):
        (tmp_path / name).write_text(f"time,p1\n2026-01-05 02:00,{value}\n")
        assert run("ingest", "--config", config, "--data", tmp_path / name, "--arrival", came).exit_code == 0
    told = {}
    for at in ("2026-01-05T05:59", "2026-01-05T12:00", "2026-01-07"):
        out = tmp_path / "x.csv"
        assert run("history", "export", "--config", config, "--known-at", at, "-o", out).exit_code == 0
        told[at] = pd.read_csv(out)["value"].tolist()
    assert told == {"2026-01-05T05:59": [], "2026-01-05T12:00": [1.0], "2026-01-07": [1.5]}


EXAMPLES = {
    "datagate": (
        "Site,North reservoir\nLogger serial number,4711\nDate/Time,Channel 1 (bar),Channel 2 (l/s)\n"
        "05/01/2026 00:00,3.12,14.5\n",
        'serial = \'serial number,(\\d+)\'\ndate_order = "dmy"\nzone = "UTC"\n'
        'points = { "4711/Channel 1" = "p1", "4711/Channel 2" = "q1" }\n',
        [("p1", 31.815, 0), ("q1", 52.2, 0)],
    ),
    "amr": (
        "Meter;Reading Time;Register;Value;Unit;Status\n80014711;05.01.2026 02:00:00;Flow;1,25;m3/h;Valid\n"
        "80014711;05.01.2026 02:15:00;Flow;---;m3/h;Estimated\n"
        "80014712;05.01.2026 02:15:00;Pressure;50;kPa;Estimated\n",
        'point_column = "Meter"\nvalue_column = "Value"\nquality_column = "Status"\n'
        'points = { 80014711 = "q1", 80014712 = "p1" }\n',
        [("q1", 1.25, 0), ("p1", 5.0986, 1)],
    ),
    "ignition": (
        '"t_stamp","north/inlet/pressure","north/inlet/flow"\n"2026-01-05 02:00:00.000","3.12","14.5"\n',
        'points = { "north/inlet/pressure" = { tag = "p1", unit = "bar" }, "north/inlet/flow" = "q1" }\n',
        [("p1", 31.815, 0), ("q1", 14.5, 0)],
    ),
    "excel": (
        "\ufeffДата;Вузол 1 [бар];Вузол 2 [бар];\r\n05.01.2026 02:00;3,12;2,98;\r\n;;;\r\nСереднє;3,12;2,98;\r\n",
        'points = { "Вузол 1" = "p1", "Вузол 2" = "p2" }\n',
        [("p1", 31.815, 0), ("p2", 30.388, 0)],
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_guide(tmp_path: Path, name: str) -> None:
    text, keys, expected = EXAMPLES[name]
    config = write_config(tmp_path, f'[ingest]\ntags = "loggers.csv"\n[[ingest.files]]\nname = "{name}"\n{keys}')
    (tmp_path / "a.csv").write_bytes(text.encode())
    result = run("ingest", "--config", config, "--data", tmp_path / "a.csv", "--json")
    assert result.exit_code == 0, result.exception
    [row] = json.loads(result.stdout)
    assert (row["verdict"], row["not taken"]) == ("taken", 0)
    assert row["from"] == "2026-01-05T00:00:00Z"
    table = samples(tmp_path)
    found = [(r.tag, pytest.approx(r.value, abs=1e-3), r.quality) for r in table.itertuples()]
    assert found == expected


def test_detection_sees_what_was_delivered(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    (tmp_path / "a.csv").write_text("time,p1,q1\n2026-01-05 02:00,31.5,36\n2026-01-05 02:15,31.4,72\n")
    assert run("ingest", "--config", config, "--data", tmp_path / "a.csv").exit_code == 0
    wanted = measured_tags(every_tag(read_config(config)))
    store = open_historian(f"sqlite:///{tmp_path}/h.db")
    record = record_of(frame_of(store, wanted), wanted)
    store.close()
    assert record.pressure["22"].tolist() == [31.5, 31.4]
    assert record.flow["9"].tolist() == pytest.approx([0.01, 0.02])


def test_files_are_taken_though_a_database_is_away(tmp_path: Path) -> None:
    asked = '[[ingest.queries]]\nname = "old"\nurl = "sqlite:///old.db"\n'
    asked += 'sql = "SELECT at, q1 FROM log WHERE at >= :since"\n'
    config = write_config(tmp_path, WATCHED + asked)
    (tmp_path / "drops").mkdir()
    (tmp_path / "drops" / "a.csv").write_text("time,p1\n2026-01-05 02:00,1\n")
    result = run("ingest", "--config", config)
    assert result.exit_code == 0
    assert "old.db: no such file; mend the url" in result.stderr
    assert len(samples(tmp_path)) == 1
    checked = run("ingest", "--config", config, "--check", "--json")
    assert checked.exit_code == 2
    assert [row["file"] for row in json.loads(checked.stdout)] == ["old"]


@pytest.mark.parametrize(
    ("ingest", "words"),
    [
        ('[ingest]\nfolder = "drops"\ncolour = "red"\n', "ingest.colour: unknown key"),
        ('[[ingest]]\nname = "a"\nzone = "Europe/Kiyv"\n', "no time zone 'Europe/Kiyv'; use a name such as"),
        ('[[ingest]]\nname = "a"\n[[ingest]]\nname = "a"\n', "'a' stands twice"),
        ('[[ingest]]\nname = "a"\nurl = "oracle://x"\nsql = "SELECT :since"\n', "url is none of sqlite"),
        ('[[ingest]]\nname = "a"\nurl = "sqlite:///x"\nsql = "DROP TABLE x"\n', "no single SELECT"),
        (
            '[[ingest]]\nname = "a"\nurl = "sqlite:///x"\nsql = "SELECT 1 WHERE :since"\nsince_as = "x"\n',
            "since_as 'x'",
        ),
        ('[[ingest]]\nname = "a"\nserial = "("\n', "no regular expression"),
        ('[[ingest]]\nname = "a"\nstate = "x"\n[[ingest]]\nname = "b"\nstate = "y"\n', "state differs"),
        ('[[ingest]]\nname = "a"\nquality = { fine = ["x"] }\n', "ingest.files.0.quality.fine"),
    ],
)  # fmt: skip
def test_mistakes_in_the_configuration(tmp_path: Path, ingest: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(write_config(tmp_path, ingest))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_profiles_maps_and_queries_of_a_configuration(tmp_path: Path) -> None:
    text = (
        '[[ingest]]\nname = "hwm"\nfolder = "hwm"\npattern = "HWM*"\nmap = "points.csv"\ntags = "loggers.csv"\n'
        'quality = { bad = ["F"] }\n[[ingest]]\nname = "old"\nurl = "sqlite:///old.db"\n'
        'sql = "SELECT * FROM x WHERE t >= :since"\nstart = "2026-01-01"\nzone = "UTC"\n'
        'points = { a = { tag = "p1", unit = "bar" } }\n'
    )
    config = read_config(write_config(tmp_path, text))
    (tmp_path / "points.csv").write_text("point;tag;unit;scale\n4711/CH1;p1;bar;0,1\n\n0815;p2;;\n")
    [profile] = profiles_of(config)
    assert profile.points["4711/CH1"].scale == 0.1
    assert (profile.zone, profile.fits("hwm_1.csv"), profile.fits("x.csv")) == ("Europe/Kyiv", True, False)
    [(query, every_s)] = queries_of(config)
    assert (query.url, every_s) == (f"sqlite:///{tmp_path}/old.db", 300.0)
    assert (query.start_ms, query.profile.zone, query.profile.points["a"].unit) == (1_767_225_600_000, "UTC", "bar")
    for content, words in (
        ("point,tags\na,p1\n", "write point,tag,unit"),
        ("point,tag\na,p1\na,p2\n", "points.csv:3: point or tag is missing, or the point stands twice"),
        ("point,tag,scale\na,p1,x\n", "points.csv:2: 'x' is no number"),
    ):
        (tmp_path / "points.csv").write_text(content)
        with pytest.raises(ConfigError, match=words):
            profiles_of(config)


def test_a_tag_in_both_tables_is_told(tmp_path: Path) -> None:
    config = read_config(write_config(tmp_path))
    assert set(every_tag(config).by_name) == {"p1", "p2", "q1"}
    (tmp_path / "tags.csv").write_text("name,device,table,address,type\np1,x,input,0,int16\n")
    (tmp_path / "umanflow.toml").write_text(
        HEAD + '[ingest]\ntags = "loggers.csv"\n[[devices]]\nname = "x"\nurl = "tcp://127.0.0.1:1"\n'
    )
    with pytest.raises(ConfigError, match="both have tag 'p1'"):
        every_tag(read_config(tmp_path / "umanflow.toml"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to take; give --data"),
        (("--watch",), "nothing to watch"),
        (("--data", "none"), "no such file or folder; mend --data"),
        (("--data", "."), "has no file that fits"),
        (("--data", "x.csv", "--profile", "y"), "there are recognised"),
        (("--watch", "--check"), "--check"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    config = write_config(tmp_path)
    (tmp_path / "loggers.csv").rename(tmp_path / "loggers.tab")
    config.write_text(config.read_text().replace("loggers.csv", "loggers.tab"))
    given = [tmp_path / a if a in {"none", ".", "x.csv"} else a for a in arguments]
    result = run("ingest", "--config", config, *given)
    assert result.exit_code != 0
    assert words in str(result.exception) + result.output
    assert isinstance(result.exception, UserError | SystemExit)


# watching -------------------------------------------------------------------------------------------------------------

WATCHED = (
    '[ingest]\ntags = "loggers.csv"\nfolder = "drops"\npoll_s = 0.05\nstable_s = 0\n'
    '[[ingest.files]]\nname = "all"\npattern = "*.csv"\n'
)


def put(folder: Path, name: str, text: str) -> None:
    """As a careful uploader does it: under another name first."""
    partial = folder / f".{name}"
    partial.write_text(text, encoding="utf-8")
    partial.replace(folder / name)


def start_watch(config: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "umanflow", "ingest", "--config", str(config), "--watch"]
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": root}, stderr=subprocess.DEVNULL)


@contextmanager
def killed_at_the_end(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A test that fails must not wait for a process that goes on."""
    try:
        yield
    finally:
        process.kill()


def wait_for(what: object, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_watch_that_is_killed_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path, WATCHED)
    drops, done = tmp_path / "drops", tmp_path / "drops" / "done"
    drops.mkdir()
    rng = random.Random(20260121)
    times = pd.date_range("2026-01-05", periods=48 * 100, freq="15min")
    expected = {}
    texts = []
    for k in range(48):
        part = times[100 * k : 100 * (k + 1)]
        values = [round(rng.uniform(20, 40), 2) for _ in part]
        expected |= dict(zip(part, values, strict=True))
        texts.append("time,p1\n" + "".join(f"{t:%Y-%m-%dT%H:%MZ},{v}\n" for t, v in zip(part, values, strict=True)))
    for k in range(4):  # sixteen files come before each start, and every start but the last is cut short
        for number in range(12 * k, 12 * (k + 1)):
            put(drops, f"{number:02d}.csv", texts[number] + ("rubbish,1\n" if number % 10 == 3 else ""))
        before = len(list(done.glob("*.csv"))) if done.exists() else 0
        with start_watch(config) as process, killed_at_the_end(process):
            wait_for(lambda b=before: done.exists() and len(list(done.glob("*.csv"))) > b)
            if k < 3:
                time.sleep(rng.uniform(0.0, 0.15))
                os.kill(process.pid, signal.SIGKILL)
            else:
                wait_for(lambda: not list(drops.glob("*.csv")))
                process.terminate()
                assert process.wait(timeout=20) == 0
    taken = sorted(path.name for path in done.glob("*.csv"))
    assert [name for name in taken if "rejects" not in name] == [f"{k:02d}.csv" for k in range(48)]
    assert [name for name in taken if "rejects" in name] == [f"{k:02d}.csv.rejects.csv" for k in range(3, 48, 10)]
    assert not [path for path in drops.iterdir() if path.name not in {"done", "failed"}]
    table = samples(tmp_path)
    assert dict(zip(table["time"].dt.tz_localize(None), table["value"], strict=True)) == expected
    assert len(table) == len(expected)
    with closing(sqlite3.connect(tmp_path / "h.db")) as run:
        assert run.execute("SELECT count(*) FROM revision").fetchone()[0] == 0
        assert run.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_the_watch_takes_what_is_whole_and_puts_the_rest_away(tmp_path: Path) -> None:
    asked = (
        '[[ingest.queries]]\nname = "old"\nurl = "sqlite:///old.db"\ninterval_s = 0.2\nzone = "UTC"\n'
        'sql = "SELECT at, q1 FROM log WHERE at >= :since"\n'
    )
    config = write_config(tmp_path, WATCHED.replace("stable_s = 0", "stable_s = 0.6") + asked)
    drops = tmp_path / "drops"
    with start_watch(config) as process, killed_at_the_end(process):
        wait_for(drops.is_dir)
        slow = drops / "slow.csv"
        lines = ["time,p1\n"] + [f"2026-01-05T{k:02d}:00Z,{k}\n" for k in range(20)]
        with slow.open("w") as out:  # a line at a time, for longer than a file has to rest
            for line in lines:
                out.write(line)
                out.flush()
                time.sleep(0.1)
        put(drops, "bad.csv", "time,p1\nyesterday,1\n")
        put(drops, "upload.csv.part", "time,p2\n2026-01-05T00:00Z,1\n")
        with (
            closing(sqlite3.connect(tmp_path / "old.db")) as other,
            other,
        ):  # a database that comes later than its query
            other.execute("CREATE TABLE log (at TEXT, q1 REAL)")
            other.execute("INSERT INTO log VALUES ('2026-01-05 00:00:00', 7)")
        wait_for(lambda: (drops / "done" / "slow.csv").exists() and (drops / "failed" / "bad.csv").exists())
        wait_for(lambda: len(samples(tmp_path)) == 21)
        second = umanflow("ingest", "--config", str(config), "--watch", "--duration", "1")
        assert second.returncode == 2
        assert "another umanflow watches" in second.stderr
        process.terminate()
        assert process.wait(timeout=20) == 0
    table = samples(tmp_path)
    assert table[table["tag"] == "p1"]["value"].tolist() == [float(k) for k in range(20)]
    assert table[table["tag"] == "q1"]["value"].tolist() == [7.0]
    assert "'yesterday' is no time" in (drops / "failed" / "bad.csv.reason.txt").read_text()
    assert (drops / "upload.csv.part").exists()
    with closing(sqlite3.connect(tmp_path / "h.db")) as run:
        assert run.execute("SELECT count(*) FROM revision").fetchone()[0] == 0  # nothing was taken by halves


def test_polling_takes_files_beside_and_does_not_wait_for_them(tmp_path: Path) -> None:
    from scada.plc.stations import tank
    from scada.tags import write_tags

    port = free_port()
    config = write_config(
        tmp_path,
        WATCHED + f'[[devices]]\nname = "tank"\nurl = "tcp://127.0.0.1:{port}"\n[plc]\nstep_s = 60\nspeed = 1800\n'
        '[[plc.loggers]]\nname = "box"\ntags = ["p*"]\ndelivery_s = 3600\nlate = 0.3\ngaps = 0.3\nrevised = 0.3\n',
    )
    write_tags(tmp_path / "tags.csv", tank("tank", {"level": "2"}, interval_s=0.1))
    plc = subprocess.Popen([sys.executable, "-m", "umanflow", "plc", "--config", str(config), "--duration", "90"])
    try:
        wait_for(lambda: list((tmp_path / "drops").glob("box-*.csv")) if (tmp_path / "drops").exists() else False)
        big = "time,q1\n" + "".join(f"{1_700_000_000 + 60 * k},{k}\n" for k in range(200_000))
        (tmp_path / "umanflow.toml").write_text(
            config.read_text() + '[[ingest.files]]\nname = "big"\npattern = "*.dat"\ntime_format = "unix"\n'
        )
        put(tmp_path / "drops", "big.dat", big)
        result = umanflow("poll", "--config", str(config), "--duration", "9", "--status", "--json")
        assert result.returncode == 0, result.stderr
    finally:
        plc.terminate()
        assert plc.wait(timeout=20) == 0
    table = samples(tmp_path)
    counts = table["tag"].value_counts()
    assert counts["q1"] == 200_000
    assert {"p1", "p2"} <= set(counts.index)
    level = table[table["tag"] == "tank.level"]["time"]
    assert len(level) > 20
    [status] = json.loads(result.stdout)
    assert status["lost"] <= 0.1 * status["good"]  # a busy machine's simulated device may be late; the reader goes on
    delivered = table[table["tag"] == "p1"]
    assert ((delivered["arrival"] - delivered["time"]) >= pd.Timedelta(0)).all()
    assert delivered["quality"].eq(0).all()


def children(pid: int) -> list[int]:
    """Processes in which another one takes files."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    numbers = [int(number) for task in tasks for number in task.read_text().split()]
    return [number for number in numbers if "spawn_main" in Path(f"/proc/{number}/cmdline").read_text()]


def has_ended(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" in status.read_text()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux to look for child processes")
def test_the_process_beside_polling_is_started_again_and_never_outlives_it(tmp_path: Path) -> None:
    config = write_config(tmp_path, WATCHED + '[[devices]]\nname = "x"\nurl = "tcp://127.0.0.1:9"\n')
    (tmp_path / "tags.csv").write_text("name,device,table,address,type\na,x,input,0,int16\n")
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "umanflow", "poll", "--config", str(config)]
    environment = {**os.environ, "PYTHONPATH": root}
    poll = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: (tmp_path / "drops").is_dir())
        [first] = children(poll.pid)
        os.kill(first, signal.SIGKILL)
        put(tmp_path / "drops", "a.csv", "time,p1\n2026-01-05 02:00,1\n")
        wait_for(lambda: (tmp_path / "drops" / "done" / "a.csv").exists())
        [second] = children(poll.pid)
        assert second != first
    finally:
        poll.kill()
        poll.wait()
    wait_for(lambda: has_ended(second))
    assert len(samples(tmp_path)) >= 1
