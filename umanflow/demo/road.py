"""The whole road once: a city, its PLCs on real sockets, polling, the historian, detection, a report.

Nothing here is a loop of the demo's own: the production reader polls, on a clock that jumps as soon as everybody waits;
before each jump lands the twin is moved on and its values are put into the registers.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hydro.record import Record
from models.detect import Detection, detect
from models.rules import Rules
from models.watch import Settings
from networks import Network
from scada.clock import LockstepClock
from scada.drops.profile import Profile
from scada.drops.taking import Taker
from scada.historian import open_historian
from scada.reader import DeviceSettings, Reader, ReaderStatus
from scada.tag import Tag
from umanflow.demo.city import City, ports_of, read_city
from umanflow.demo.leaks import DrawnLeak, draw_leaks
from umanflow.demo.nature import TruthLog, make_twin, old_leaks, write_city
from umanflow.demo.scoring import Score, score_leaks
from umanflow.detection import write_detection, write_json
from umanflow.errors import UserError
from umanflow.loggers import LoggerPortal
from umanflow.pipeline import frame_of, measured_tags, record_of
from umanflow.plant import HOST, Plant

Progress = Callable[[str, float], None]

START = pd.Timestamp("2026-01-05", tz="UTC")  # a Monday: the model's patterns begin there
LEARNING_DAYS = 7
_STEP_S = 300
_ZONE = "Europe/Kyiv"  # of the loggers' files
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a demo gave.

    Attributes
    ----------
    score
        Each true leak, found or missed, and the false alarms.
    registers
        read, lost, bad.
    seconds
        Wall time from start to report.
    """

    network: Network
    seed: int
    drawn: list[DrawnLeak]
    detection: Detection
    score: Score
    registers: dict[str, int]
    seconds: float

    def as_json(self) -> dict[str, object]:
        """The content of demo.json."""
        return {
            "network": self.network.name,
            "seed": self.seed,
            "leaks": [row.as_json() for row in self.score.rows],
            "false_alarms": len(self.score.false_alarms),
            "registers": self.registers,
            "seconds": round(self.seconds, 1),
        }


def run_demo(seed: int, out: Path, days: int, progress: Progress) -> Outcome:
    """Run the road and write everything but the report page.

    Parameters
    ----------
    seed
        Of leaks and noise.
    out
        Folder of the results; made where it is not.
    days
        Length of the simulated record, the learning period included.
    progress
        Called with a stage's name and the share that is done.
    """
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    city = read_city()
    network, start_ms = city.network, START.value // 1_000_000
    with tempfile.TemporaryDirectory(prefix="umanflow-") as name:
        folder = Path(name)
        flows = write_city(folder / "true.inp")
        drawn = draw_leaks(folder / "true.inp", network, seed, start_ms, days, LEARNING_DAYS)
        leaks = [*old_leaks(folder / "true.inp", flows, start_ms), *(d.leak for d in drawn)]
        twin = make_twin(folder / "true.inp", network, city.tags, start_ms, _STEP_S, seed, leaks)
        history = folder / "history.db"
        try:
            truth = TruthLog(twin, drawn)
            status = asyncio.run(_poll(city, truth, folder, f"sqlite:///{history}", start_ms, days, progress))
        finally:
            twin.close()
        record = _read_back(f"sqlite:///{history}", city.tags)
        shutil.move(history, out / "history.db")
    found = detect(network, record, settings=demo_settings(), rules=demo_rules(), progress=progress)
    write_detection(found, record, network, out, "UTC")
    outcome = Outcome(
        network=network,
        seed=seed,
        drawn=drawn,
        detection=found,
        score=score_leaks(drawn, truth.flows_at, found),
        registers={
            "read": sum(s.registers_read + s.registers_revised for s in status.values()),
            "lost": sum(s.registers_lost for s in status.values()),
            "bad": sum(s.registers_bad - s.registers_revised for s in status.values()),
        },
        seconds=time.monotonic() - began,
    )
    write_json(outcome.as_json(), out / "demo.json")
    return outcome


def demo_settings() -> Settings:
    """The model is driven at the pace of the polling: every snapshot is a steady state of its own."""
    return Settings(step=pd.Timedelta(seconds=_STEP_S), learning=pd.Timedelta(days=LEARNING_DAYS))


def demo_rules() -> Rules:
    """Leaks below 1.5 % of a block's inflow are none that a crew would be sent to."""
    return Rules(least_share=0.015)


async def _poll(
    city: City, truth: TruthLog, folder: Path, url: str, start_ms: int, days: int, progress: Progress
) -> dict[str, ReaderStatus]:
    ports = ports_of(list(city.devices))
    end_ms = start_ms + days * _DAY_MS
    units = [{unit: city.devices[device] for unit, device in port.items()} for port in ports]
    portal = LoggerPortal(folder / "loggers", city.loggers, _ZONE)
    plant = Plant(units, truth, [(HOST, 0)] * len(ports))
    store = open_historian(url)
    taker = Taker({tag.name: tag for group in city.loggers for tag in group.tags}, store, None)

    def deliver(t_ms: int) -> None:
        """Battery loggers send their files; what has come is in the historian before anybody goes on."""
        for path in portal.take(t_ms, truth.values):
            outcome = taker.take_file(path, Profile(name="loggers", zone=_ZONE))
            if outcome.verdict != "taken":
                raise UserError(f"{path}: {outcome.findings[0]}")

    async def before_wake(t_ms: int) -> None:
        await plant.advance(t_ms)
        deliver(t_ms)
        progress("poll", (t_ms - start_ms) / (end_ms - start_ms))

    try:
        async with plant:
            await plant.advance(start_ms)
            deliver(start_ms)
            settings = [
                DeviceSettings(name=name, url=f"tcp://{HOST}:{number}", unit=unit)
                for number, port in zip(plant.ports, ports, strict=True)
                for unit, name in port.items()
            ]
            tags = [tag for unit in city.devices.values() for tag in unit]
            reader = Reader(settings, tags, LockstepClock(start_ms, before_wake), store.append)
            await reader.run(until_ms=end_ms)
            return dict(reader.status)
    finally:
        store.close()


def _read_back(url: str, tags: Sequence[Tag]) -> Record:
    """What the historian holds, as the detector takes it."""
    store = open_historian(url)
    try:
        wanted = measured_tags(tags)
        return record_of(frame_of(store, wanted), wanted)
    finally:
        store.close()
