"""What waits on disk: in order, bounded, whole after any accident."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.errors import HistorianError, SpoolFull
from scada.historian.batch import Batch, Interner, meanings_of
from scada.historian.spool import Spool
from scada.sample import Quality, Sample
from scada.tag import Tag


def batch(number: int, rows: int = 3) -> Batch:
    samples = [Sample(f"tag {k}", number, k, number / 7, Quality.UNCERTAIN, "причина") for k in range(rows)]
    return Interner().batch([samples])[0]


def drain(spool: Spool) -> list[int]:
    found = []
    while (oldest := spool.peek()) is not None:
        found.append(int(oldest.time_ms[0]))
        spool.discard()
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("writer-*/*.spool"))


@given(
    rows=st.lists(
        st.tuples(
            st.text(max_size=5), st.integers(0, 2**47), st.integers(0, 2**47), st.floats(), st.sampled_from(Quality)
        ),
        max_size=20,
    ),
    describe_at=st.integers(0, 20),
)
def test_a_batch_survives_as_it_was(rows: list[tuple], describe_at: int) -> None:
    samples = [Sample(tag, at, arrival, value, quality, tag[::-1]) for tag, at, arrival, value, quality in rows]
    meanings = meanings_of([Tag(name, "d", "input", 0, "int16") for name in {s.tag for s in samples}], 7)
    parts = [samples[:describe_at], meanings, samples[describe_at:]]
    found, refused = Interner().batch([part for part in parts if part])
    again = Batch.decode(found.encode())
    assert refused == sum(max(at, arrival) >= 253_402_300_800_000 for _, at, arrival, *_ in rows)
    assert (again.tags, again.keys, again.reasons, again.meanings) == (
        found.tags,
        found.keys,
        found.reasons,
        found.meanings,
    )
    for name in ("tag", "reason", "time_ms", "arrival_ms", "value", "quality"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    kept = [s for s in samples if max(s.time_ms, s.arrival_ms) < 253_402_300_800_000]
    assert again.time_ms.tolist() == [s.time_ms for s in kept]
    described = [bool(again.keys[tag]) for tag in again.tag.tolist()]
    assert sum(described) == len([s for s in samples[describe_at:] if s in kept]) or refused


def test_bytes_that_are_no_batch_are_told() -> None:
    whole = batch(1).encode()
    for broken in (b"", whole[:20], whole[:-4], b"\xff" * 50):
        with pytest.raises(HistorianError, match="no batch"):
            Batch.decode(broken)


@settings(max_examples=40)
@given(steps=st.lists(st.sampled_from(["put", "put", "take", "reopen"]), max_size=30))
def test_a_spool_is_a_queue(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    folder = tmp_path_factory.mktemp("s") / "spool"
    spool, expected, number = Spool(folder, 5000), [], 0
    for step in steps:
        if step == "put":
            spool.append(batch(number))
            expected.append(number)
            number += 1
        elif step == "take" and expected:
            oldest = spool.peek()
            assert oldest is not None
            assert int(oldest.time_ms[0]) == expected.pop(0)
            spool.discard()
        elif step == "reopen":
            spool.close()
            spool = Spool(folder, 5000)
            # of a segment that was delivered in part all comes again, which changes nothing
            ahead = spool.samples // 3 - len(expected)
            assert ahead >= 0
            for _ in range(ahead):
                spool.peek()
                spool.discard()
        lost = spool.counters.dropped // 3
        assert spool.samples == 3 * (len(expected) - lost if lost else len(expected))
        assert spool.size == sum(path.stat().st_size for path in files(folder)) <= 5000
    if not spool.counters.dropped:
        assert drain(spool) == expected
    spool.close()


def test_a_torn_tail_is_cut(tmp_path: Path) -> None:
    rng = random.Random(3)
    for _ in range(30):
        folder = tmp_path / str(rng.random())
        spool = Spool(folder, 1 << 20)
        for number in range(10):
            spool.append(batch(number))
        ends = [place + size for place, size, _ in spool._segments[0].records]
        spool._lock.release()  # as when the process dies
        [path] = files(folder)
        cut = rng.randrange(path.stat().st_size)
        with path.open("r+b") as file:
            file.truncate(cut)
        again = Spool(folder, 1 << 20)
        whole = sum(end <= cut for end in ends)
        assert again.counters.damaged == (cut not in {0, *ends})
        again.append(batch(99))
        assert drain(again) == [*range(whole), 99]
        again.close()


def test_a_damaged_record_costs_itself_alone(tmp_path: Path) -> None:
    rng = random.Random(4)
    for _ in range(20):
        folder = tmp_path / str(rng.random())
        spool = Spool(folder, 1 << 20)
        for number in range(10):
            spool.append(batch(number))
        size = spool._segments[0].records[0][1]
        spool._lock.release()
        [path] = files(folder)
        data = bytearray(path.read_bytes())
        place = rng.randrange(len(data))
        data[place] ^= 0xFF
        path.write_bytes(data)
        again = Spool(folder, 1 << 20)
        assert drain(again) == [number for number in range(10) if number != place // size]
        assert again.counters.damaged == 1
        again.close()


def test_a_record_that_goes_bad_while_it_waits_is_passed_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", 1 << 20)
    for number in range(3):
        spool.append(batch(number))
    [path] = files(tmp_path / "s")
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    assert drain(spool) == [1, 2]
    assert (spool.counters.damaged, spool.counters.dropped) == (1, 3)
    spool.close()


def test_the_oldest_go_or_stay_by_choice(tmp_path: Path) -> None:
    newest = Spool(tmp_path / "newest", 4000, "drop-oldest")
    for number in range(100):
        newest.append(batch(number))
        assert newest.size <= 4000
    kept = newest.samples // 3
    assert newest.counters.dropped == 3 * (100 - kept)
    assert drain(newest) == list(range(100 - kept, 100))
    newest.close()
    oldest = Spool(tmp_path / "oldest", 4000, "keep-oldest")
    refused = 0
    for number in range(100):
        if oldest.size + oldest.size // max(1, number - refused) > 4000:  # one more would be too much
            with pytest.raises(SpoolFull, match="raise its bound"):
                oldest.append(batch(number))
            refused += 1
        else:
            oldest.append(batch(number))
    assert 0 < refused < 100
    assert drain(oldest) == list(range(100 - refused))
    oldest.close()
    with pytest.raises(SpoolFull):
        Spool(tmp_path / "tiny", 100).append(batch(1))


def test_each_writer_has_its_own_and_the_dead_leave_theirs(tmp_path: Path) -> None:
    first, second = Spool(tmp_path / "s"), Spool(tmp_path / "s")
    first.append(batch(1))
    second.append(batch(2))
    assert len(files(tmp_path / "s")) == 2
    assert {path.parent.name for path in files(tmp_path / "s")} == {"writer-1", "writer-2"}
    second._lock.release()
    first._lock.release()
    third = Spool(tmp_path / "s")
    assert third.counters.adopted == 6
    assert drain(third) == [1, 2]
    third.close()
    assert not (tmp_path / "s").exists()


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistorianError, match="cannot be used"):
        Spool(tmp_path / "file" / "spool")


def test_what_was_dropped_while_it_was_delivered_takes_nothing_with_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", 4000)
    number = 0
    while not spool.counters.dropped:
        if number == 0:
            spool.append(batch(0))
            assert spool.peek() is not None
        number += 1
        spool.append(batch(number))
    left = spool.samples
    spool.discard()
    assert spool.samples == left
    spool.close()
