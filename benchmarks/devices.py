"""Devices for the benchmarks of the reader: a server in C, so that what answers is not the limit, and their tags."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scada.device import DeviceSettings
from scada.tag import Tag

SILENT, REFUSING = -1, -2  # delays that are none
TAGS_EACH = 100
_FLOATS, _FIRST_FLOAT = 15, 3  # as device.c has them


def missing() -> str:
    """What this machine lacks to run the devices; empty where it lacks nothing."""
    if not sys.platform.startswith("linux"):
        return "the devices of this benchmark need Linux (epoll)"
    return "" if shutil.which("cc") else "the devices of this benchmark need a C compiler: apt-get install gcc"


def compiled(folder: Path) -> Path:
    """Compile the devices."""
    program = folder / "device"
    subprocess.run(["cc", "-O2", "-o", program, Path(__file__).with_name("device.c")], check=True)
    return program


@contextmanager
def serving(*groups: tuple[int, int, int]) -> Iterator[tuple[list[int], int]]:
    """Run devices for the length of a block.

    Parameters
    ----------
    *groups : (count, delay in us, spread in us)

    Yields
    ------
    list of int
        Ports, in order.
    int
        The devices' process.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [str(compiled(Path(folder))), *(":".join(map(str, group)) for group in groups)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield [int(port) for port in process.stdout.readline().split()], process.pid
        finally:
            process.communicate(timeout=10)


def settings(ports: list[int], **more: object) -> list[DeviceSettings]:
    """One device on each port."""
    return [DeviceSettings(f"d{k}", f"tcp://127.0.0.1:{port}", **more) for k, port in enumerate(ports)]  # type: ignore[arg-type]


def tags_of(device: str, interval_s: float = 1.0) -> list[Tag]:
    """A hundred tags of a station, in one block of 109 registers: floats, counters, scaled words, bits."""
    floats = [
        Tag(f"{device}.analog{k}", device, "input", _FIRST_FLOAT + 2 * k, "float32", "CDAB",
            quantity="pressure" if k % 2 else "flow", min=-10.0, max=2000.0, interval_s=interval_s)
        for k in range(_FLOATS)
    ]  # fmt: skip
    first = _FIRST_FLOAT + 2 * _FLOATS
    words = [
        Tag(f"{device}.word{k}", device, "input", first + k, "uint16", scale=0.1, max=6000.0,
            bad_values=(65535.0,), interval_s=interval_s)
        for k in range(TAGS_EACH - _FLOATS - 2 - 8)
    ]  # fmt: skip
    bits = [
        Tag(f"{device}.bit{k}", device, "input", first + len(words), "bit", bit=k, interval_s=interval_s)
        for k in range(8)
    ]
    return [
        Tag(f"{device}.number", device, "input", 0, "uint16", interval_s=interval_s),
        Tag(f"{device}.asked", device, "input", 1, "uint32", quantity="volume", wrap=2.0**32, interval_s=interval_s),
        *floats,
        *words,
        *bits,
    ]
