"""Files into a real historian: once each, late, revised, and as they were known at any time."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.drops.folder import DropFolder, files_of, profile_of
from scada.drops.profile import Profile
from scada.drops.state import State
from scada.drops.tagtable import format_logger_tags, read_logger_tags
from scada.drops.taking import Taker, write_rejects
from scada.errors import HistorianError, TagErrors
from scada.historian import Historian, open_historian
from tests.scada.drop import TAGS, ms

PROFILE = Profile(zone="Europe/Kyiv")
HOUR_MS = 3_600_000


@pytest.fixture
def store(tmp_path: Path):
    historian = open_historian(f"sqlite:///{tmp_path}/h.db")
    yield historian
    historian.close()


def drop(folder: Path, name: str, values: dict[str, float], came: str, tag: str = "p1") -> Path:
    path = folder / name
    path.write_text(f"time,{tag}\n" + "".join(f"{time},{value}\n" for time, value in values.items()))
    os.utime(path, (ms(came) / 1000, ms(came) / 1000))
    return path


def known(store: Historian, at: str | None = None) -> dict[str, float]:
    table = store.range(known_ms=None if at is None else ms(at))
    return {f"{row.time:%H:%M}": row.value for row in table.itertuples()}


def test_the_same_file_twice_changes_nothing(tmp_path: Path, store: Historian) -> None:
    state = State(tmp_path / "ingest.db")
    taker = Taker(TAGS, store, state)
    path = drop(tmp_path, "a.csv", {"2026-01-05 02:00": 1.0, "2026-01-05 02:15": 2.0}, "2026-01-05T01:00")
    first = taker.take_file(path, PROFILE)
    assert (first.verdict, first.stored) == ("taken", 2)
    again = taker.take_file(path, PROFILE)  # it was not remembered: as after a crash
    assert (again.verdict, again.stored, again.repeated) == ("taken", 0, 2)
    taker.remember(again)
    path.rename(path.with_name("b.csv"))
    assert taker.take_file(path.with_name("b.csv"), PROFILE).verdict == "known"
    assert taker.take_file(path.with_name("b.csv"), PROFILE, is_again=True).repeated == 2
    assert taker.take_file(path.with_name("b.csv"), Profile(zone="UTC")).stored == 2  # read otherwise: another file
    state.close()


def test_a_new_historian_takes_what_the_old_one_had(tmp_path: Path, store: Historian) -> None:
    state = State(tmp_path / "ingest.db")
    path = drop(tmp_path, "a.csv", {"2026-01-05 02:00": 1.0}, "2026-01-05T01:00")
    taker = Taker(TAGS, store, state)
    taker.remember(taker.take_file(path, PROFILE))
    other = open_historian(f"sqlite:///{tmp_path}/other.db")
    assert Taker(TAGS, other, state).take_file(path, PROFILE).stored == 1
    other.close()
    state.close()


def test_late_out_of_order_and_revised_readings_are_known_when_they_came(tmp_path: Path, store: Historian) -> None:
    taker = Taker(TAGS, store, None)
    files = [
        drop(tmp_path, "2.csv", {"2026-01-05 03:00": 3.0}, "2026-01-05T03:00"),
        drop(tmp_path, "1.csv", {"2026-01-05 02:00": 2.0}, "2026-01-05T05:00"),  # late
        drop(tmp_path, "3.csv", {"2026-01-05 03:00": 3.5, "2026-01-05 02:00": 2.0}, "2026-01-05T07:00"),  # corrected
    ]
    for path in files:
        taker.take_file(path, PROFILE)
    assert known(store, "2026-01-05T02:00") == {}
    assert known(store, "2026-01-05T04:00") == {"01:00": 3.0}
    assert known(store, "2026-01-05T06:00") == {"00:00": 2.0, "01:00": 3.0}
    assert known(store) == {"00:00": 2.0, "01:00": 3.5}


@settings(max_examples=15)
@given(st.lists(st.integers(0, 3), max_size=8))
def test_however_often_old_files_are_read_between_new_ones_the_same_is_known(again: list[int]) -> None:
    """Files come in the order of their arrival, and any that came before may come again at any time."""
    import tempfile

    drops = [
        ("2026-01-05T01:00", {"2026-01-05 02:00": 1.0, "2026-01-05 02:15": 2.0}),
        ("2026-01-05T02:00", {"2026-01-05 02:15": 2.5, "2026-01-05 02:30": 3.0}),
        ("2026-01-05T03:00", {"2026-01-05 02:15": 2.0}),
        ("2026-01-05T04:00", {"2026-01-05 02:00": 1.5, "2026-01-05 02:30": 3.0}),
    ]
    with tempfile.TemporaryDirectory() as name:
        store = open_historian(f"sqlite:///{name}/h.db")
        taker = Taker(TAGS, store, None)
        files = [drop(Path(name), f"{k}.csv", values, came) for k, (came, values) in enumerate(drops)]
        repeated = iter(again)
        for k, path in enumerate(files):
            taker.take_file(path, PROFILE)
            for j in (next(repeated, 0), next(repeated, 0)):
                taker.take_file(files[min(j, k)], PROFILE)
        so_far: dict[str, float] = {}
        for came, values in drops:
            so_far |= {f"{int(time[11:13]) - 2:02d}:{time[14:]}": value for time, value in values.items()}
            assert known(store, came) == so_far
        store.close()


def test_arrival_may_be_now_or_stated(tmp_path: Path, store: Historian) -> None:
    import time

    path = drop(tmp_path, "a.csv", {"2026-01-05 02:00": 1.0}, "2026-01-05T01:00")
    before = time.time_ns() // 1_000_000
    Taker(TAGS, store, None).take_file(path, Profile(zone="Europe/Kyiv", arrival="now"))
    arrival = store.range(is_full=True)["arrival"].iloc[0]
    assert before <= arrival.value // 1_000_000 <= time.time_ns() // 1_000_000
    other = drop(tmp_path, "b.csv", {"2026-01-05 02:15": 1.0}, "2026-01-05T01:00")
    Taker(TAGS, store, None).take_file(other, PROFILE, arrival_ms=ms("2026-01-07"))
    assert known(store, "2026-01-08") == {"00:15": 1.0}


def test_what_is_not_taken_is_counted_and_kept(tmp_path: Path, store: Historian) -> None:
    state = State(tmp_path / "ingest.db")
    taker = Taker(TAGS, store, state)
    path = tmp_path / "a.csv"
    path.write_text('time,p1\n2026-01-05 02:00,1\n2026-01-05 02:15,"1,x"\nno time,3\n')
    outcome = taker.take_file(path, PROFILE)
    assert (outcome.verdict, outcome.stored, outcome.rejected) == ("partly", 1, 2)
    target = write_rejects(tmp_path / "rejects", "a.csv", outcome)
    assert target is not None
    assert target.read_text().splitlines() == [
        "file,line,what,mend,row",
        f'{path},3,"\'1,x\' in column \'p1\' is no number","mend it, or state it under missing","2026-01-05 02:15,1,x"',
        f'{path},4,\'no time\' is no time,"write it as the others, or state time_format","no time,3"',
    ]
    path.write_text("time,p1\n2026-01-05 02:00,x\n")
    failed = taker.take_file(path, PROFILE)
    assert (failed.verdict, failed.memory) == ("failed", None)
    assert taker.take_file(tmp_path / "none.csv", PROFILE).verdict == "failed"
    path.write_text("time,p1\n2026-01-05 02:30,\n")  # a logger that has nothing to say
    assert taker.take_file(path, PROFILE).verdict == "taken"
    state.close()


def test_the_meaning_of_a_tag_is_stored_with_its_samples(tmp_path: Path, store: Historian) -> None:
    from dataclasses import replace

    path = drop(tmp_path, "a.csv", {"2026-01-05 02:00": 1.0}, "2026-01-05T01:00")
    Taker(TAGS, store, None).take_file(path, PROFILE)
    in_bar = {"p1": replace(TAGS["p1"], unit="bar")}
    other = drop(tmp_path, "b.csv", {"2026-01-05 02:15": 1.0}, "2026-01-05T01:00")
    Taker(in_bar, store, None).take_file(other, PROFILE)
    table = store.range(is_full=True)
    assert table["version"].tolist() == [1, 2]
    assert store.meanings("p1")["unit"].tolist() == ["m", "bar"]


def test_the_state_tells_what_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "ingest.db"
    path.write_text("not a database, but a text that is long enough to be looked at as one\n" * 20)
    with pytest.raises(HistorianError, match=r"cannot be used: .*let this user write there"):
        State(path)
    path.unlink()
    State(path).close()
    import sqlite3

    run = sqlite3.connect(path)
    run.execute("PRAGMA user_version = 99")
    run.close()
    with pytest.raises(HistorianError, match="has version 99"):
        State(path)


# folders --------------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_file_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    clock = Clock()
    folder = DropFolder(tmp_path, None, None, 10.0, clock)
    path = tmp_path / "a.csv"
    path.write_text("time,p1\n")
    assert folder.whole() == []
    clock.now += 9.0
    with path.open("a") as out:  # still being written
        out.write("2026-01-05 02:00,1\n")
    os.utime(path, (1_767_571_200, 1_767_571_200))
    assert folder.whole() == []
    clock.now += 9.0
    assert folder.whole() == []
    clock.now += 1.5
    assert folder.whole() == [path]
    replacement = tmp_path / ".a"
    replacement.write_bytes(path.read_bytes())
    os.utime(replacement, (1_767_571_200, 1_767_571_200))
    replacement.replace(path)  # of the same size and time, and yet another
    assert folder.whole() == []
    path.write_text("")
    clock.now += 20.0
    folder.whole()
    clock.now += 20.0
    assert folder.whole() == []  # an empty file is one that is not there yet


@pytest.mark.skipif(os.name == "nt", reason="locks are advisory elsewhere")
def test_a_file_that_somebody_locks_waits(tmp_path: Path) -> None:
    import fcntl

    folder = DropFolder(tmp_path, None, None, 0.0, Clock())
    path = tmp_path / "a.csv"
    path.write_text("time,p1\n")
    with path.open("r+b") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert folder.whole() == []
    assert folder.whole() == [path]


def test_names_of_unfinished_and_own_files_are_left_out_and_the_oldest_comes_first(tmp_path: Path) -> None:
    names = ["b.csv", "a.csv", ".hidden.csv", "x.csv.part", "y.tmp", "z.csv~", "a.csv.rejects.csv", "b.csv.reason.txt"]
    for age, name in enumerate(names):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1_767_571_200 + age, 1_767_571_200 + age))
    (tmp_path / "done").mkdir()
    assert [path.name for path in files_of(tmp_path)] == ["b.csv", "a.csv"]


def test_files_are_put_away_under_a_free_name_or_left(tmp_path: Path) -> None:
    folder = DropFolder(tmp_path, tmp_path / "done", tmp_path / "failed", 0.0, Clock())
    for _ in range(3):
        path = tmp_path / "a.csv"
        path.write_text("x")
        folder.finish(path, folder.place(path, is_taken=True))
    assert sorted(p.name for p in (tmp_path / "done").iterdir()) == ["a.2.csv", "a.3.csv", "a.csv"]
    path.write_text("x")
    folder.finish(path, folder.place(path, is_taken=False), "why not\n")
    assert (tmp_path / "failed" / "a.csv.reason.txt").read_text() == "why not\n"
    staying = DropFolder(tmp_path, None, None, 0.0, Clock())
    path.write_text("x")
    assert staying.whole() == [path]
    staying.finish(path, staying.place(path, is_taken=True))
    assert staying.whole() == []
    path.write_text("longer")
    assert staying.whole() == [path]


def test_a_file_that_is_replaced_while_it_is_taken_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = DropFolder(tmp_path, tmp_path / "done", None, 0.0, Clock())
    path = tmp_path / "a.csv"
    path.write_text("old")
    assert folder.whole() == [path]
    path.write_text("newer")
    folder.finish(path, folder.place(path, is_taken=True))
    assert path.read_text() == "newer"
    assert folder.whole() == [path]
    rename = Path.replace

    def late(source: Path, target: Path) -> Path:
        if source == path:
            source.write_text("newest")  # between the last look and the move
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", late)
    folder.finish(path, folder.place(path, is_taken=True))
    monkeypatch.undo()
    assert path.read_text() == "newest"
    assert folder.whole() == [path]
    folder.finish(path, folder.place(path, is_taken=True))
    assert [p.name for p in (tmp_path / "done").iterdir()] == ["a.csv"]


def test_profiles_are_chosen_by_name() -> None:
    profiles = [Profile("hwm", "HWM_*.csv|*.dat"), Profile("rest")]
    found = [profile_of(name, profiles) for name in ("hwm_1.CSV", "x.dat", "y.csv.gz", "y.pdf")]
    assert [profile and profile.name for profile in found] == ["hwm", "hwm", "rest", None]


def test_a_table_of_delivered_tags(tmp_path: Path) -> None:
    path = tmp_path / "loggers.csv"
    path.write_text(format_logger_tags(TAGS.values()), encoding="utf-8")
    assert read_logger_tags(path).by_name == TAGS
    path.write_text("name,unit,quantity,colour\np1,m,pressure,red\n")
    with pytest.raises(TagErrors, match="column 'colour' is unknown"):
        read_logger_tags(path)
    path.write_text("name;unit;quantity;min\np1;m3/h;pressure;0,5\np1;m;pressure;x\n")
    with pytest.raises(TagErrors) as caught:
        read_logger_tags(path)
    assert [error.line for error in caught.value.errors] == [2, 3, 3]
