"""The reader against devices in C (benchmarks/device.c) on loopback. Prints one JSON line.

cycle    500 devices of 100 tags: one request each, decoded, judged and handed over, as fast as it goes; turn by turn
         with a plain loop of pymodbus' asynchronous client that asks for the same registers and decodes nothing.
load     the same devices at an interval of 1 s by the wall clock: share of one core, the historian apart.
waiting  100 devices of 100 tags that answer after 20 ms: a cycle, turn by turn with the plain loop.
dead     100 devices at 1 s; 7 refuse, 7 are silent, 6 answer too late: how far the others' intervals are off.
steady   500 devices of 100 tags at 1 s into SQLite on disk: every sample has to be there, once, in order, with its
         value; memory may not grow.

    python benchmarks/poller.py [--only cycle,load,waiting,dead,steady] [--seconds 20] [--minutes 0.5] [--folder DIR]

Processor time is the reader's process alone, user and system; the devices have a process of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import os
import platform
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from devices import REFUSING, SILENT, TAGS_EACH, missing, serving, settings, tags_of
from pymodbus.client import AsyncModbusTcpClient

from scada.clock import LockstepClock, SystemClock
from scada.historian import open_historian
from scada.reader import Reader
from scada.sample import Sample

SPAN = 109  # registers that hold a device's hundred tags
ROUNDS = 5
FEW = 3  # first cycles of a round: connecting
WARM = 3  # rounds before those that count


class Tally:
    """A sink that counts."""

    def __init__(self) -> None:
        self.samples = 0

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Take samples."""
        self.samples += len(samples)


def settle() -> None:
    """As `umanflow poll` does before it begins: what lives for the whole run is not looked through again."""
    gc.collect()
    gc.freeze()


class Turns:
    """Cycles of the reader and of the plain loop, in turns over the same devices."""

    def __init__(self, ports: list[int], cycles: int) -> None:
        devices = settings(ports)
        tags = [tag for device in devices for tag in tags_of(device.name)]
        self.tally = Tally()
        self.cycles = cycles
        self.ports = ports
        self._moments: list[tuple[float, float]] = []
        self._done = 0
        self.reader = Reader(devices, tags, LockstepClock(0, self._mark), self.tally)
        settle()

    async def _mark(self, _: int) -> None:
        self._moments.append((time.perf_counter(), time.process_time()))

    async def ours(self) -> list[tuple[float, float]]:
        """Wall and processor time of each cycle, ms."""
        self._moments.clear()
        self._done += self.cycles + FEW + 1
        await self.reader.run(until_ms=self._done * 1000)
        return spans(self._moments)

    async def plain(self) -> list[tuple[float, float]]:
        """The same of pymodbus' client, one task for each device and cycle."""
        clients = [AsyncModbusTcpClient("127.0.0.1", port=port, retries=0, timeout=3) for port in self.ports]
        for client in clients:
            await client.connect()
        moments = [(time.perf_counter(), time.process_time())]
        for _ in range(self.cycles + FEW):
            replies = await asyncio.gather(
                *(client.read_input_registers(0, count=SPAN, device_id=1) for client in clients)
            )
            if any(len(reply.registers) != SPAN for reply in replies):
                raise SystemExit("the plain loop lost a reply")
            moments.append((time.perf_counter(), time.process_time()))
        for client in clients:
            client.close()
        return spans(moments)


def spans(moments: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Time between moments, ms, without the first few."""
    return [(1000 * (b[0] - a[0]), 1000 * (b[1] - a[1])) for a, b in itertools.pairwise(moments)][FEW:]


def figures(name: str, cycles: list[tuple[float, float]]) -> dict[str, object]:
    """Median and least of both clocks."""
    wall, busy = zip(*cycles, strict=True)
    return {
        f"{name}_wall_ms": [round(statistics.median(wall), 1), round(min(wall), 1)],
        f"{name}_cpu_ms": [round(statistics.median(busy), 1), round(min(busy), 1)],
    }


def in_turns(prefix: str, count: int, delay_us: int, cycles: int) -> dict[str, object]:
    """Cycles of both, in alternating rounds."""
    with serving((count, delay_us, 0)) as (ports, _):

        async def play() -> dict[str, object]:
            turns = Turns(ports, cycles)
            for _ in range(WARM):  # the tags' habits are being learnt
                await turns.ours()
            ours, plain = [], []
            for _ in range(ROUNDS):
                ours += await turns.ours()
                plain += await turns.plain()
            lost = sum(status.samples_lost for status in turns.reader.status.values())
            if lost or turns.tally.samples % (count * TAGS_EACH):
                raise SystemExit(f"{lost} samples were lost")
            return {
                f"{prefix}_devices": count,
                f"{prefix}_requests": count,
                **figures(prefix, ours),
                **figures(f"{prefix}_pymodbus", plain),
            }

        return asyncio.run(play())


def load(seconds: int) -> dict[str, object]:
    """Share of one core at an interval of one second."""
    with serving((500, 0, 0)) as (ports, _):
        devices = settings(ports)
        tags = [tag for device in devices for tag in tags_of(device.name)]
        tally = Tally()

        async def play() -> dict[str, object]:
            clock = SystemClock()
            reader = Reader(devices, tags, clock, tally)
            settle()
            shares = []
            task = asyncio.create_task(reader.run(until_ms=(clock.now_ms() // 1000 + 6 + seconds) * 1000))
            await asyncio.sleep(5.0)  # connecting and learning
            for _ in range(seconds // 5):
                began, busy, before = time.perf_counter(), time.process_time(), tally.samples
                await asyncio.sleep(5.0)
                took = time.perf_counter() - began
                shares.append((time.process_time() - busy) / took)
                if tally.samples == before:
                    raise SystemExit("nothing was read")
            await task
            missed = sum(status.slots_missed + status.samples_lost for status in reader.status.values())
            return {
                "load_core_share": [round(statistics.median(shares), 3), round(min(shares), 3)],
                "load_missed_or_lost": missed,
                "load_p99_ms": round(max(status.p99_ms for status in reader.status.values()), 1),
            }

        return asyncio.run(play())


def dead(seconds: int) -> dict[str, object]:
    """How far the intervals of living devices are off while a fifth is dead in three ways."""
    with serving((80, 2000, 3000), (7, REFUSING, 0), (7, SILENT, 0), (6, 1_500_000, 1_000_000)) as (ports, _):
        # the first eighty answer within 2 to 5 ms
        devices = settings(ports, timeout_s=1.0)
        tags = [tag for device in devices for tag in tags_of(device.name)]
        arrivals: dict[str, list[int]] = defaultdict(list)
        reasons: dict[str, int] = defaultdict(int)

        def sink(samples: Sequence[Sample]) -> None:
            first = samples[0]
            device = first.tag.partition(".")[0]
            reasons[first.reason or "good"] += len(samples)
            if int(device[1:]) < 80:
                arrivals[device].append(first.arrival_ms)

        async def play() -> Reader:
            clock = SystemClock()
            reader = Reader(devices, tags, clock, sink)
            settle()
            await reader.run(until_ms=(clock.now_ms() // 1000 + 3 + seconds) * 1000)
            return reader

        reader = asyncio.run(play())
        errors = np.concatenate([np.abs(np.diff(times[2:]) - 1000) for times in arrivals.values()])
        alive = [reader.status[f"d{k}"] for k in range(80)]
        return {
            "dead_intervals": len(errors),
            "dead_interval_error_ms": {f"p{q}": float(np.percentile(errors, q)) for q in (50, 99, 100)},
            "dead_reasons": dict(sorted(reasons.items())),
            "dead_living_lost": sum(status.samples_lost + status.slots_missed for status in alive),
        }


def steady(folder: Path, seconds: int) -> dict[str, object]:
    """50,000 samples a second from the wire to the disk."""
    with serving((500, 0, 0)) as (ports, _):
        devices = settings(ports)
        tags = [tag for device in devices for tag in tags_of(device.name)]
        store = open_historian(f"sqlite:///{folder / 'history.db'}")
        store.describe(tags)
        memory: list[float] = []
        tally = Tally()

        def sink(samples: Sequence[Sample]) -> None:
            tally(samples)
            store.append(samples)

        async def watch() -> None:
            while True:
                memory.append(resident_mb())
                await asyncio.sleep(1.0)

        async def play() -> tuple[Reader, float, float, int]:
            clock = SystemClock()
            reader = Reader(devices, tags, clock, sink)
            settle()
            watcher = asyncio.create_task(watch())
            start_ms = (clock.now_ms() // 1000 + 1) * 1000
            began, busy = time.perf_counter(), time.process_time()
            await reader.run(until_ms=start_ms + 1000 * seconds)
            took, used = time.perf_counter() - began, time.process_time() - busy
            watcher.cancel()
            return reader, took, used, start_ms

        reader, took, used, start_ms = asyncio.run(play())
        store.flush()
        counters = store.status.counters
        due = seconds * 500 * TAGS_EACH
        stored = int(store.resample(None, 86_400.0, start_ms, start_ms + 1000 * seconds)["count"].sum())
        wrong = 0
        for number in range(0, 500, 7):
            frame = store.frame([f"d{number}.number", f"d{number}.asked"], start_ms, start_ms + 1000 * seconds)
            numbers, asked = frame.to_numpy().T
            # the device counts how often it was asked: nothing is left out, doubled or out of order
            wrong += int((numbers != number).sum()) + int((np.diff(asked) != 1).sum()) + int(asked[0] != 0)
        third = max(1, len(memory) // 3)
        result = {
            "steady_s": seconds,
            "steady_due": due,
            "steady_read": tally.samples,
            "steady_lost": tally.samples - stored,
            "steady_values_wrong": wrong,
            "steady_slots_missed": sum(status.slots_missed for status in reader.status.values()),
            "steady_spooled": counters.spooled,
            "steady_longest_delay_s": round(counters.longest_delay_s, 2),
            "steady_cores_with_historian": round(used / took, 2),
            "steady_memory_mb": [round(statistics.median(memory[k * third : (k + 1) * third]), 1) for k in range(3)],
        }
        store.close()
        return result


def resident_mb() -> float:
    """Memory in use now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measure what is asked for, print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="cycle,load,waiting,dead,steady", help="some of these, with commas")
    parser.add_argument("--seconds", type=int, default=20, help="length of load and of dead")
    parser.add_argument("--minutes", type=float, default=0.5, help="length of steady; 10 is the goal's")
    parser.add_argument("--folder", type=Path, help="where steady writes; the system's temporary folder by default")
    options = parser.parse_args()
    if missing():
        print(json.dumps({"benchmark": "poller", "left_out": missing()}))
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, most), most))
    found: dict[str, object] = {"benchmark": "poller"}
    for name in options.only.split(","):
        if name == "cycle":
            found |= in_turns("cycle", 500, 0, 20)
        elif name == "load":
            found |= load(options.seconds)
        elif name == "waiting":
            found |= in_turns("waiting", 100, 20_000, 20)
        elif name == "dead":
            found |= dead(options.seconds)
        elif name == "steady":
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                found |= steady(Path(folder), round(60 * options.minutes))
        else:
            raise SystemExit(f"'{name}' is none of cycle, load, waiting, dead, steady")
        print({key: value for key, value in found.items() if key.startswith(name)}, flush=True)
    found |= {
        "pymodbus": version("pymodbus"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
