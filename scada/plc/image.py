"""The registers of simulated PLCs as one array."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scada.blockdecoder import word_offsets
from scada.codec import NUMBER_FORMATS, decode
from scada.errors import ScadaError
from scada.plc.commands import is_command
from scada.tag import Tag

__all__ = ["RegisterImage", "Run"]

_READABLE_GAP = 64
_ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 2, 3


@dataclass(frozen=True, slots=True)
class Run:
    """Addresses of one table of one unit that can be read in one go.

    Attributes
    ----------
    start : int
        First address.
    count : int
        Addresses.
    at : int
        Where the first one lies in the image.
    """

    start: int
    count: int
    at: int


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Tags of one type and order: indices of the values, of the words [n, words], and what becomes of NaN."""

    values: NDArray[np.intp]
    words: NDArray[np.intp]
    dtype: np.dtype[np.generic]
    is_swapped: bool
    low: float
    high: float
    unknown: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Bits:
    """Bit tags sorted by register: value index, bit weight, start of each register's tags, and the registers."""

    values: NDArray[np.intp]
    weights: NDArray[np.uint16]
    starts: NDArray[np.intp]
    words: NDArray[np.intp]
    cleared: NDArray[np.uint16]


class RegisterImage:
    """Encodes engineering values of many units into registers without a loop over tags.

    Parameters
    ----------
    units : mapping of int to sequence of Tag
        Tags of each Modbus unit id. Addresses between two tags not more than 64 apart read as zero; beyond, they are
        illegal.

    Attributes
    ----------
    words : uint16 [n]
        All registers, and all bits of coil tables as 0 and 1.
    runs : dict of (int, str) to tuple of Run
        The readable addresses of each unit and table, ascending.
    commands : dict of str to float
        Engineering values of the tags that were written to over the wire; whoever takes them clears them.

    Notes
    -----
    As in a PLC, integers saturate; totalisers (tags with a wrap) start from zero again. NaN becomes the tag's first bad
    value, or 0 where it has none.
    """

    def __init__(self, units: Mapping[int, Sequence[Tag]]) -> None:
        self.runs: dict[tuple[int, str], tuple[Run, ...]] = {}
        self.commands: dict[str, float] = {}
        self._writable: dict[tuple[int, str], list[Tag]] = {
            (unit, tag.table): [] for unit, tags in units.items() for tag in tags
        }
        for unit, tags in units.items():
            for tag in filter(is_command, tags):
                self._writable[unit, tag.table].append(tag)
        self._units = frozenset(units)
        placed: list[tuple[Tag, int]] = []
        size = 0
        for unit, tags in units.items():
            for table in sorted({tag.table for tag in tags}):
                members = sorted((tag for tag in tags if tag.table == table), key=lambda tag: tag.address)
                runs = _runs(members, size)
                size = runs[-1].at + runs[-1].count
                self.runs[unit, table] = runs
                placed.extend((tag, _position(tag.address, runs)) for tag in members)
        self.words: NDArray[np.uint16] = np.zeros(size, dtype=np.uint16)
        self._names = tuple(tag.name for tag, _ in placed)
        self._index = {name: number for number, name in enumerate(self._names)}
        if len(self._index) != len(placed):
            raise ScadaError("two tags of one simulated PLC have the same name; rename one")
        self._scale = np.array([tag.scale for tag, _ in placed])
        self._offset = np.array([tag.offset for tag, _ in placed])
        self._wrap = np.array([tag.wrap or np.inf for tag, _ in placed])
        self._values = self._offset.copy()  # raw zero
        self._numbers = _number_groups(placed)
        self._bits = _bit_group(placed)
        self._flags = _flag_group(placed)
        self._places = {tag.name: (at, tag.registers) for tag, at in placed}
        self._swapped: frozenset[str] = frozenset()

    def write(self, values: Mapping[str, float]) -> None:
        """Encode engineering values by tag name; names of other PLCs are passed over, tags not named keep theirs."""
        current = self._values
        if len(values) <= len(self._names):
            for name, value in values.items():
                number = self._index.get(name)
                if number is not None:
                    current[number] = value
        else:
            for number, name in enumerate(self._names):
                if name in values:
                    current[number] = values[name]
        self._encode()

    def has_unit(self, unit: int) -> bool:
        """Tell whether there is such a unit."""
        return unit in self._units

    def read(self, unit: int, table: str, start: int, count: int) -> NDArray[np.uint16] | None:
        """Return `count` registers (or bits as 0 and 1) from address `start` on; None where any is illegal."""
        for run in self.runs.get((unit, table), ()):
            if run.start <= start and start + count <= run.start + run.count:
                at = run.at + start - run.start
                return self.words[at : at + count]
        return None

    def swap_words(self, names: frozenset[str]) -> None:
        """Show the words of these tags in reverse from the next writing on, and of all others as they should be."""
        self._swapped = names

    def command(self, unit: int, table: str, start: int, words: Sequence[int]) -> int:
        """Take what was written over the wire, all of it or nothing.

        Returns
        -------
        int
            0, or the Modbus exception: 2 where an address takes no command, or a value is written by half; 3 where a
            value is beyond the limits of its tag.
        """
        end = start + len(words)
        inside = [
            tag
            for tag in self._writable.get((unit, table), ())
            if start <= tag.address and tag.address + tag.registers <= end
        ]
        taken = {address for tag in inside for address in range(tag.address, tag.address + tag.registers)}
        if len(taken) != len(words):
            return _ILLEGAL_ADDRESS
        values: dict[str, float] = {}
        for tag in inside:
            part = words[tag.address - start : tag.address - start + tag.registers]
            values[tag.name] = float(decode(part, tag.type, tag.order, tag.bit)) * tag.scale + tag.offset
            if not tag.min <= values[tag.name] <= tag.max:  # NaN too
                return _ILLEGAL_VALUE
        self.commands.update(values)
        self.write(values)
        return 0

    def _encode(self) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            raw = (self._values - self._offset) / self._scale
            raw = np.where(raw >= self._wrap, np.floor(raw) % self._wrap, raw)
            for group in self._numbers:
                part = raw[group.values]
                if math.isfinite(group.low):
                    part = np.clip(np.rint(part), group.low, group.high)
                    part = np.where(np.isnan(part), group.unknown, part)
                words = part.astype(group.dtype).view(np.uint16).reshape(group.words.shape)
                self.words[group.words] = words.byteswap() if group.is_swapped else words
        is_set = np.nan_to_num(raw) != 0
        where, at = self._flags
        self.words[at] = is_set[where]
        bits = self._bits
        if bits is not None:
            patterns = np.add.reduceat(bits.weights * is_set[bits.values], bits.starts, dtype=np.uint16)
            self.words[bits.words] = self.words[bits.words] & ~bits.cleared | patterns
        for name in self._swapped:
            first, count = self._places[name]
            self.words[first : first + count] = self.words[first : first + count][::-1].copy()


def _runs(tags: Sequence[Tag], at: int) -> tuple[Run, ...]:
    runs: list[Run] = []
    for tag in tags:
        end = tag.address + tag.registers
        last = runs[-1] if runs else None
        if last and tag.address - (last.start + last.count) <= _READABLE_GAP:
            runs[-1] = Run(last.start, max(last.count, end - last.start), last.at)
        else:
            runs.append(Run(tag.address, tag.registers, last.at + last.count if last else at))
    return tuple(runs)


def _position(address: int, runs: Sequence[Run]) -> int:
    run = next(run for run in runs if run.start <= address < run.start + run.count)
    return run.at + address - run.start


def _number_groups(placed: Sequence[tuple[Tag, int]]) -> list[_Numbers]:
    members: dict[tuple[str, str], list[int]] = {}
    for number, (tag, _) in enumerate(placed):
        if tag.type in NUMBER_FORMATS:
            members.setdefault((tag.type, tag.order), []).append(number)
    groups: list[_Numbers] = []
    for (kind, order), numbers in members.items():
        dtype = np.dtype(kind)
        low, high = -math.inf, math.inf
        if dtype.kind in "iu":
            limits = np.iinfo(kind)
            # 2^63 - 1 is no float64: the next below it is
            low, high = float(limits.min), float(limits.max)
            high = high if int(high) <= limits.max else math.nextafter(high, 0.0)
        first = np.array([placed[number][1] for number in numbers], dtype=np.intp)
        unknown = [_unknown(placed[number][0], low, high) for number in numbers]
        groups.append(
            _Numbers(
                np.array(numbers, dtype=np.intp),
                first[:, None] + np.array(word_offsets(kind, order), dtype=np.intp),
                dtype,
                order in {"BADC", "DCBA"},
                low,
                high,
                np.array(unknown),
            )
        )
    return groups


def _unknown(tag: Tag, low: float, high: float) -> float:
    return next((min(max(bad, low), high) for bad in tag.bad_values if math.isfinite(bad)), 0.0)


def _flag_group(placed: Sequence[tuple[Tag, int]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    flags = [(number, at) for number, (tag, at) in enumerate(placed) if tag.type == "bool"]
    return np.array([number for number, _ in flags], dtype=np.intp), np.array([at for _, at in flags], dtype=np.intp)


def _bit_group(placed: Sequence[tuple[Tag, int]]) -> _Bits | None:
    bits = sorted((at, number, tag) for number, (tag, at) in enumerate(placed) if tag.type == "bit")
    if not bits:
        return None
    weights = np.array([1 << (tag.bit ^ 8 if tag.order in {"BADC", "DCBA"} else tag.bit) for _, _, tag in bits])
    words, starts = np.unique([at for at, _, _ in bits], return_index=True)
    cleared = np.add.reduceat(weights, starts)
    values = np.array([number for _, number, _ in bits], dtype=np.intp)
    return _Bits(values, weights.astype(np.uint16), starts, words.astype(np.intp), cleared.astype(np.uint16))
