"""The order of delivery, whatever the database's moods."""

import random
import time
from pathlib import Path

import pytest

from scada.errors import HistorianAway, HistorianError
from scada.historian.batch import Batch
from scada.historian.engine import Written
from scada.historian.settings import WriterSettings
from scada.historian.shelter import Shelter
from scada.historian.spool import Spool
from scada.historian.sqlite import SqliteEngine
from scada.historian.writer import Writer
from scada.sample import Sample


class Moody(SqliteEngine):
    """A database that is slow or refuses now and then, and notes what it was brought."""

    def __init__(self, path: Path, seed: int) -> None:
        super().__init__(path)
        self.brought: list[int] = []
        self._rng = random.Random(seed)

    def write(self, batch: Batch) -> Written:
        time.sleep(self._rng.choice([0.0, 0.0, 0.004, 0.015, 0.016, 0.03]))
        if self._rng.random() < 0.03:
            raise HistorianAway("not now")
        self.brought += batch.time_ms.tolist()
        return Written(len(batch), 0, 0)


def test_samples_are_brought_in_order_whether_directly_or_over_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest, put = Shelter.oldest, Shelter.put

    def look_slowly(shelter: Shelter) -> Batch | None:
        batch = oldest(shelter)
        time.sleep(0.005)  # the other thread goes on meanwhile
        return batch

    def put_slowly(shelter: Shelter, batch: Batch) -> HistorianError | None:
        time.sleep(0.005)
        return put(shelter, batch)

    monkeypatch.setattr(Shelter, "oldest", look_slowly)
    monkeypatch.setattr(Shelter, "put", put_slowly)
    spooled = 0
    for seed in range(3):
        engine = Moody(tmp_path / f"{seed}.db", seed)
        engine.open()
        writer = Writer(engine, WriterSettings(batch_s=0.02, batch_rows=10), lambda: Spool(tmp_path / "spool"))
        for number in range(400):
            writer.append([Sample("a", number, number, 0.0)])
            time.sleep(0.001)
        deadline = time.monotonic() + 60.0
        while writer.waiting or writer.backlog:
            writer.flush()
            assert time.monotonic() < deadline
        writer.close()
        engine.close()
        first_times = list(dict.fromkeys(engine.brought))
        assert first_times == list(range(400))
        spooled += writer.counters.spooled
    assert spooled > 100
