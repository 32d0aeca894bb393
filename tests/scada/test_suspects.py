"""Possible spikes on their way from a PLC to the historian: what is stored in the end, and what was known before."""

import asyncio
from pathlib import Path

from scada.clock import LockstepClock
from scada.historian import Historian, open_historian
from scada.metrics import ReaderMetrics
from scada.plc.device import PlcServer
from scada.reader import DeviceSettings, Reader
from scada.sample import Quality
from scada.suspects import Suspects
from scada.tag import Tag
from tests.scada.alarm_streams import at

MINUTE_MS = 60_000
TAGS = [
    Tag("d.pressure", "d", "input", 0, "float32", quantity="pressure"),
    Tag("d.flow", "d", "input", 2, "uint16", quantity="flow", scale=0.1),
    Tag("d.heartbeat", "d", "input", 3, "uint16"),
]
PUMP, SPIKE, STOPPED, END = 80, 100, 120, 140  # minutes


def plant(t_ms: int) -> dict[str, float]:
    """A pump starts; later the transmitter spikes; later still the program stops, and all leaps in that moment."""
    minute = t_ms // MINUTE_MS
    pressure = 30.0 + 0.05 * (minute % 3) + 15.0 * (minute >= PUMP) + 80.0 * (minute == SPIKE)
    flow = 40.0 + 0.1 * (minute % 4) + 300.0 * (minute >= PUMP)
    leap = 200.0 * (minute >= STOPPED)
    return {"d.pressure": pressure + leap, "d.flow": flow + 8 * leap, "d.heartbeat": float(min(minute, STOPPED - 2))}


def read_day(store: Historian) -> Reader:
    async def run() -> Reader:
        server = PlcServer("127.0.0.1", 0, {1: TAGS})
        await server.start()

        async def before_wake(t_ms: int) -> None:
            server.update(plant(t_ms))

        device = DeviceSettings("d", f"tcp://127.0.0.1:{server.port}")
        reader = Reader([device], TAGS, LockstepClock(0, before_wake), store.append)
        await reader.run(until_ms=END * MINUTE_MS)
        await server.stop()
        return reader

    return asyncio.run(run())


def test_step_of_the_plant_is_good_in_the_historian_and_a_spike_is_not(tmp_path: Path) -> None:
    store = open_historian(f"sqlite:///{tmp_path}/h.db")
    reader = read_day(store)
    rows = store.range(to_ms=(STOPPED - 1) * MINUTE_MS)
    doubtful = rows[rows["quality"] != int(Quality.GOOD)]
    assert doubtful[["tag", "reason"]].to_numpy().tolist() == [["d.pressure", "spike"]]
    assert doubtful["time"].iloc[0].value // 1_000_000 == SPIKE * MINUTE_MS
    assert store.range(known_ms=PUMP * MINUTE_MS, from_ms=PUMP * MINUTE_MS)["reason"].tolist() == ["spike", "", "spike"]
    status = reader.status["d"]
    assert status.samples_revised == 2
    assert status.registers_revised == 3
    text = {sample.name: sample.value for family in ReaderMetrics(reader).collect() for sample in family.samples}
    assert text["umanflow_samples_revised_total"] == 2
    assert len(store.range()) == END * len(TAGS)
    store.close()


def test_what_a_stopped_program_shows_confirms_nothing(tmp_path: Path) -> None:
    store = open_historian(f"sqlite:///{tmp_path}/h.db")
    read_day(store)
    leapt = store.range(["d.flow", "d.pressure"], STOPPED * MINUTE_MS, (STOPPED + 1) * MINUTE_MS)
    assert leapt["reason"].tolist() == ["spike", "spike"]
    later = store.range(["d.flow", "d.pressure"], (STOPPED + 1) * MINUTE_MS)
    assert set(later["reason"]) == {"heartbeat"}
    assert set(later["quality"]) == {int(Quality.STALE)}
    store.close()


def test_only_the_last_suspects_are_given_back_and_each_once() -> None:
    suspects = Suspects(3)
    for second in range(5):
        suspects.add(at(second, 1.0 + second, reason="spike"))
    suspects.add(at(0, 9.0, tag="other"))
    found = suspects.cleared("t", 2, 77)
    assert [(sample.value, sample.arrival_ms, sample.reason) for sample in found] == [(4.0, 77, ""), (5.0, 77, "")]
    assert suspects.cleared("t", 2, 78) == []
    assert suspects.cleared("nobody", 1, 78) == []
    suspects.forget()
    assert suspects.cleared("other", 1, 79) == []
