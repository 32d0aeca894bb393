"""How fast is a block of registers turned into numbers? Against a loop over tags and against pymodbus.

A plant's mixture of types and orders is packed into blocks of 125 registers. The same blocks are decoded by
`BlockDecoder` (planned once), by the scalar codec tag by tag with `struct`, and by pymodbus' `convert_from_registers`
tag by tag, which knows the word order but not the byte order and therefore is given ABCD and CDAB alone, in a mixture
of its own that the other two decode too. Rounds are interleaved; medians are shown.

    python benchmarks/codec.py [--blocks N] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from pymodbus.client.mixin import ModbusClientMixin

from scada.blockdecoder import BlockDecoder
from scada.codec import decode
from scada.tag import Tag

_SEED = 20260105
_REGISTERS = 125
_KINDS = ("float32", "float32", "float32", "uint16", "int16", "uint16", "uint32", "int32", "bit", "float64", "uint64")
_PYMODBUS = {
    "int16": ModbusClientMixin.DATATYPE.INT16, "uint16": ModbusClientMixin.DATATYPE.UINT16,
    "int32": ModbusClientMixin.DATATYPE.INT32, "uint32": ModbusClientMixin.DATATYPE.UINT32,
    "int64": ModbusClientMixin.DATATYPE.INT64, "uint64": ModbusClientMixin.DATATYPE.UINT64,
    "float32": ModbusClientMixin.DATATYPE.FLOAT32, "float64": ModbusClientMixin.DATATYPE.FLOAT64,
}  # fmt: skip

Block = NDArray[np.uint16]


def tags_of(rng: np.random.Generator, orders: Sequence[str], kinds: Sequence[str]) -> list[Tag]:
    """A block's tags, side by side until the registers are used up."""
    tags: list[Tag] = []
    address = 0
    while True:
        kind = kinds[rng.integers(len(kinds))]
        tag = Tag(
            f"t{len(tags)}", "d", "input", address, kind, orders[rng.integers(len(orders))],
            int(rng.integers(16)) if kind == "bit" else 0, float(rng.choice([1.0, 0.1, 0.01])),
        )  # fmt: skip
        if address + tag.registers > _REGISTERS:
            return tags
        tags.append(tag)
        address += tag.registers


def scalar(tags: Sequence[Tag], block: Block) -> list[float]:
    """Decode tag by tag with struct."""
    words = block.tolist()
    return [
        float(decode(words[tag.address : tag.address + tag.registers], tag.type, tag.order, tag.bit)) * tag.scale
        + tag.offset
        for tag in tags
    ]


def pymodbus(tags: Sequence[Tag], block: Block) -> list[float]:
    """Decode tag by tag with pymodbus."""
    words = block.tolist()
    convert = ModbusClientMixin.convert_from_registers
    values = []
    for tag in tags:
        order = "big" if tag.order == "ABCD" else "little"
        part = words[tag.address : tag.address + tag.registers]
        values.append(float(convert(part, _PYMODBUS[tag.type], word_order=order)) * tag.scale + tag.offset)
    return values


def timed(ways: dict[str, Callable[[Block], object]], blocks: Sequence[Block], rounds: int) -> dict[str, float]:
    """Median seconds for all blocks, the ways taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            for block in blocks:
                way(block)
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def main() -> None:
    """Print the figures and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    rng = np.random.default_rng(_SEED)
    blocks = [rng.integers(0, 65536, _REGISTERS, dtype=np.uint16) for _ in range(options.blocks)]
    mixtures = {
        "all orders": tags_of(rng, ("ABCD", "CDAB", "BADC", "DCBA"), _KINDS),
        "pymodbus' orders": tags_of(rng, ("ABCD", "CDAB"), [kind for kind in _KINDS if kind != "bit"]),
    }
    result: dict[str, object] = {"benchmark": "codec", "seed": _SEED, "blocks": options.blocks}
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, "
          f"pymodbus {version('pymodbus')}; blocks of {_REGISTERS} registers")  # fmt: skip
    for mixture, tags in mixtures.items():
        decoder = BlockDecoder(tags, 0)
        ways: dict[str, Callable[[Block], object]] = {
            "block": decoder.decode,
            "per tag": lambda block, tags=tags: scalar(tags, block),  # type: ignore[misc]
        }
        if mixture != "all orders":
            ways["pymodbus"] = lambda block, tags=tags: pymodbus(tags, block)  # type: ignore[misc]
        for block in blocks:  # the same numbers, bit for bit, or the comparison means nothing
            for way in ways.values():
                np.testing.assert_array_equal(np.array(way(block)), decoder.decode(block))
        median = timed(ways, blocks, options.rounds)
        figures = {
            name: {
                "registers_per_s": round(_REGISTERS * len(blocks) / seconds),
                "tags_per_s": round(len(tags) * len(blocks) / seconds),
                "times_slower": round(seconds / median["block"], 1),
            }
            for name, seconds in median.items()
        }
        for name, figure in figures.items():
            rates = f"{figure['registers_per_s']:>12,} registers/s {figure['tags_per_s']:>11,} tags/s"
            print(f"{mixture:17} {name:9} {rates}  x{figure['times_slower']}")
        result[mixture] = {"tags": len(tags), **figures}
    machine = {"machine": platform.machine(), "python": platform.python_version(), "numpy": np.__version__}
    print(json.dumps({**result, **machine, "pymodbus": version("pymodbus")}))


if __name__ == "__main__":
    main()
