"""A day of every fault a simulated PLC knows, read by the real reader over real sockets in accelerated time.

    python benchmarks/faults.py [--hours 24] [--seed 1]

Each device has one kind of fault that comes and goes, on Modbus TCP and, where frames matter, again on serial framing
over TCP; a pseudo-terminal carries a mixture. Every tag is due every minute. What is counted: whether each due sample
is there once, as good, bad or missing with its reason; GOOD values that are not the plant's at that minute; and for
frozen values, drift and swapped words, which no single reply betrays, the share of struck tags that is noticed (a value
that came and is not GOOD) and how long after the beginning. A sample that was called a spike and is given out again as
GOOD counts as what it is in the end. One JSON line at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import platform
import random
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from scada.clock import LockstepClock
from scada.endpoint import SerialLine
from scada.plc.device import PlcServer
from scada.plc.faults import Fault, Faults
from scada.reader import DeviceSettings, Reader
from scada.sample import Sample
from scada.tag import Tag

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
WIRE = ("slow", "silent", "drop", "wrong-unit", "exception", "garbage", "half")
PORT = ("refuse", "restart")
VALUES = ("nan", "frozen-all", "frozen", "drift", "word-swap")
TIMEOUT_S = 0.05
LINE = SerialLine(115200, "N", 1)


@dataclass(frozen=True)
class Device:
    """One simulated PLC and what is wrong with it now and then."""

    name: str
    number: int
    scheme: str
    faults: tuple[Fault, ...]

    @property
    def tags(self) -> list[Tag]:
        """Instruments of a small station; ranges as an engineer would set them."""
        n = self.name
        return [
            Tag(f"{n}.clock", n, "input", 0, "uint32", "CDAB"),
            Tag(f"{n}.who", n, "input", 2, "uint16"),
            Tag(f"{n}.flow", n, "input", 4, "float32", "CDAB", quantity="flow", min=0.0, max=2000.0),
            Tag(f"{n}.pressure", n, "input", 6, "float32", "ABCD", quantity="pressure", min=-10.0, max=200.0),
            Tag(f"{n}.volume", n, "input", 8, "uint32", "CDAB", quantity="volume", wrap=2.0**32),
            Tag(f"{n}.level", n, "input", 10, "int16", scale=0.001, quantity="level", bad_values=(-32768.0,)),
            Tag(f"{n}.heartbeat", n, "input", 11, "uint16", wrap=65536.0),
            Tag(f"{n}.running", n, "discrete", 0, "bool"),
        ]

    def truth(self, t_ms: int) -> dict[str, float]:
        """What the plant does at a minute: a demand by day and night with a household's noise."""
        minute = t_ms // MINUTE_MS
        noise = random.Random(minute * 1000 + self.number)
        day = 1.0 + 0.6 * math.sin(2.0 * math.pi * (minute - 420) / 1440.0)
        flow = 120.0 * day + noise.gauss(0.0, 2.0)
        values = (
            t_ms / 1000.0,
            float(self.number),
            float(np.float32(flow)),
            float(np.float32(45.0 - 8.0 * day + noise.gauss(0.0, 0.05))),
            float(1_000_000 + 2 * minute),
            round(3.0 + math.sin(2.0 * math.pi * minute / 700.0) + noise.gauss(0.0, 0.002), 3),
            float(minute % 65536),
            float(minute % 2),
        )
        return {tag.name: value for tag, value in zip(self.tags, values, strict=True)}


def episodes(kind: str, device: str, hours: int, draw: random.Random) -> Iterator[Fault]:
    """Faults of one kind over the day: ten minutes every two hours, or for values an hour and a half every four."""
    is_value = kind in VALUES
    for start in range(0, hours, 4 if is_value else 2):
        begin = start * HOUR_MS + draw.randrange(5, 25) * MINUTE_MS
        lasts = (90 if is_value else 10) * MINUTE_MS
        more: dict[str, object] = {}
        if kind == "slow":
            more = {"delay_s": 0.2 * TIMEOUT_S, "spread_s": 6.0 * TIMEOUT_S}
        elif kind == "exception":
            more = {"code": draw.choice([1, 4, 6, 10, 11])}
        elif kind in {"frozen", "drift", "nan"}:
            more = {"tags": (f"{device}.flow", f"{device}.pressure", f"{device}.level")}
        elif kind == "word-swap":
            more = {"tags": (f"{device}.flow", f"{device}.pressure", f"{device}.volume")}
        if kind == "drift":
            more["rate"] = draw.choice([1.0, 10.0, 100.0])
        if kind in WIRE and draw.random() < 0.5:
            more["share"] = 0.5
        name = "frozen" if kind == "frozen-all" else kind
        yield Fault(name, device, start_ms=begin, lasts_ms=lasts, **more)  # type: ignore[arg-type]


def build(hours: int, seed: int) -> list[Device]:
    """The plant's devices."""
    draw = random.Random(seed)
    wanted = [("tcp", kind) for kind in (*WIRE, *PORT, *VALUES)] + [("rtu+tcp", kind) for kind in (*WIRE, *PORT)]
    devices = []
    for number, (scheme, kind) in enumerate(wanted):
        name = f"{scheme.replace('+', '')}-{kind}"
        devices.append(Device(name, number, scheme, tuple(episodes(kind, name, hours, draw))))
    mixed = [fault for kind in (*WIRE, *PORT) for fault in episodes(kind, "rtu-mixed", hours, draw)]
    devices.append(Device("rtu-mixed", len(devices), "rtu", tuple(mixed)))
    # two healthy units behind the ports of troubled ones
    return [*devices, *(Device(f"{s.replace('+', '')}-well", 100 + k, s, ()) for k, s in enumerate(("tcp", "rtu+tcp")))]


async def play(devices: list[Device], hours: int, seed: int, folder: Path) -> tuple[list[Sample], Reader, Faults]:
    """Serve and read; the healthy units share the port of the silent device of their framing."""
    faults = Faults([fault for device in devices for fault in device.faults], seed)
    by_name = {device.name: device for device in devices}
    servers: dict[str, PlcServer] = {}
    settings = []
    for device in devices:
        prefix, _, kind = device.name.partition("-")
        host_of = f"{prefix}-silent" if kind == "well" else device.name
        if host_of not in servers:
            behind = [by_name[host_of]] + ([by_name[f"{prefix}-well"]] if kind == "silent" else [])
            units = {unit: one.tags for unit, one in enumerate(behind, start=1)}
            framing = "socket" if device.scheme == "tcp" else "rtu"
            host, line = (str(folder / "tty"), LINE) if device.scheme == "rtu" else ("127.0.0.1", None)
            servers[host_of] = PlcServer(host, 0, units, framing, line=line, faults=faults)
            await servers[host_of].start()
        port = servers[host_of].port
        serial = f"rtu://{folder / 'tty'}?baud={LINE.baud}&parity={LINE.parity}&stopbits={LINE.stopbits}"
        url = serial if device.scheme == "rtu" else f"{device.scheme}://127.0.0.1:{port}"
        unit = 2 if kind == "well" else 1
        settings.append(DeviceSettings(device.name, url, unit, timeout_s=TIMEOUT_S, reconnect_holdoff_s=1.0))

    async def before_wake(t_ms: int) -> None:
        faults.advance(t_ms)
        values = {name: value for device in devices for name, value in device.truth(t_ms).items()}
        for server in servers.values():
            await server.obey()
            server.update(values)

    samples: list[Sample] = []
    tags = [tag for device in devices for tag in device.tags]
    reader = Reader(settings, tags, LockstepClock(0, before_wake), samples.extend, seed)
    await reader.run(until_ms=hours * HOUR_MS)
    for server in servers.values():
        await server.stop()
    return samples, reader, faults


def _is_missing(sample: Sample) -> bool:
    return math.isnan(sample.value) and sample.reason not in {"nan", "sentinel"}


def _is_doubted(sample: Sample) -> bool:
    """Whether the value came and was not believed."""
    return bool(sample.reason) and not _is_missing(sample)


def settled(samples: list[Sample]) -> list[Sample]:
    """Leave out what was called a spike and given out again as GOOD; anything else that is there twice stays."""
    withdrawn = {
        (sample.tag, sample.time_ms) for sample in samples if not sample.reason and sample.arrival_ms > sample.time_ms
    }
    return [s for s in samples if s.reason != "spike" or (s.tag, s.time_ms) not in withdrawn]


def account(devices: list[Device], samples: list[Sample], reader: Reader, hours: int) -> dict[str, object]:
    """Count whether every due sample is there once, and GOOD values that are not the plant's."""
    slots = hours * 60
    due = sum(len(device.tags) for device in devices) * slots
    seen = {(sample.tag, sample.time_ms) for sample in samples}
    missed = sum(status.slots_missed for status in reader.status.values())
    truths = {(d.name, t): d.truth(t) for d in devices for t in range(0, slots * MINUTE_MS, MINUTE_MS)}
    restarts = {d.name for d in devices if d.name.endswith(("restart", "mixed"))}  # heartbeats begin at zero there
    wrong: Counter[str] = Counter()
    fates: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for sample in samples:
        device, _, signal = sample.tag.rpartition(".")
        fate = "missing" if _is_missing(sample) else "bad" if sample.reason else "good"
        fates[fate] += 1
        reasons[sample.reason or "good"] += 1
        is_struck = device.partition("-")[2] in VALUES or (signal == "heartbeat" and device in restarts)
        if not sample.reason and not is_struck:
            wrong[device] += not math.isclose(sample.value, truths[device, sample.time_ms][sample.tag], abs_tol=6e-4)
    return {
        "due": due,
        "accounted": len(seen),
        "twice": len(samples) - len(seen),
        "slots_missed": missed,
        "unaccounted": due - len(seen),
        **fates,
        "wrong_values_from_wire_faults": sum(wrong.values()),
        "reasons": dict(sorted(reasons.items())),
    }


def noticed(devices: list[Device], samples: list[Sample]) -> dict[str, dict[str, float | None]]:
    """For faults of values: share of struck tags that got a sample that is not GOOD, and how soon."""
    by_tag: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_tag[sample.tag].append(sample)
    found: dict[str, dict[str, float | None]] = {}
    for kind in VALUES:
        delays: list[float] = []
        struck = 0
        for device in devices:
            if device.name != f"tcp-{kind}":
                continue
            for fault in device.faults:
                for tag in filter(fault.spoils, device.tags):
                    struck += 1
                    end = fault.start_ms + (fault.lasts_ms or 0)
                    times = [
                        s.time_ms for s in by_tag[tag.name] if _is_doubted(s) and fault.start_ms <= s.time_ms < end
                    ]
                    delays += [(times[0] - fault.start_ms) / MINUTE_MS] if times else []
        found[kind] = {
            "struck": struck,
            "share_noticed": round(len(delays) / struck, 3) if struck else None,
            "median_delay_min": statistics.median(delays) if delays else None,
            "longest_delay_min": max(delays) if delays else None,
        }
    return found


def main() -> None:
    """Play, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    devices = build(options.hours, options.seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        samples, reader, faults = asyncio.run(play(devices, options.hours, options.seed, Path(folder)))
    took_s = time.monotonic() - began
    given, samples = len(samples), settled(samples)
    result = {
        "benchmark": "faults",
        "hours": options.hours,
        "seed": options.seed,
        "devices": len(devices),
        "seconds": round(took_s, 1),
        **account(devices, samples, reader, options.hours),
        "revised": given - len(samples),
        "replies_struck": dict(sorted(faults.struck.items())),
        "noticed": noticed(devices, samples),
        "reader_faults": reader.faults,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "pymodbus": version("pymodbus"),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
