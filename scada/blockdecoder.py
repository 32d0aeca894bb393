"""A whole reply to engineering values at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scada.codec import NUMBER_FORMATS
from scada.errors import CodecError
from scada.tag import Tag

__all__ = ["BlockDecoder", "word_offsets"]


def word_offsets(kind: str, order: str) -> tuple[int, ...]:
    """Return which word of a value, as it lies on the wire, comes first, second... in this machine's memory."""
    _, count = NUMBER_FORMATS[kind]
    offsets = range(count)
    # the wire has the most significant word first unless the order reverses it; little-endian memory has it last
    is_reversed = order in {"CDAB", "DCBA"}
    return tuple(reversed(offsets)) if is_reversed != (sys.byteorder == "little") else tuple(offsets)


class BlockDecoder:
    """Decodes one block of registers into all its tags.

    Parameters
    ----------
    tags : sequence of Tag
        What the block holds; text tags give NaN.
    start : int
        Address of the block's first register.

    Notes
    -----
    The work at read time is one gather and one view for each pair of type and order; there is no loop over tags.
    64-bit integers beyond 2^53 round to the nearest float64.
    """

    def __init__(self, tags: Sequence[Tag], start: int) -> None:
        self.names = tuple(tag.name for tag in tags)
        self._scale = np.array([tag.scale for tag in tags], dtype=np.float64)
        self._offset = np.array([tag.offset for tag in tags], dtype=np.float64)
        self._is_scaled = bool(np.any(self._scale != 1.0) or np.any(self._offset != 0.0))
        members: dict[tuple[str, bool, str], list[int]] = {}
        for position, tag in enumerate(tags):
            if tag.address < start:
                raise CodecError(f"tag {tag.name} at {tag.address} lies before the block at {start}")
            is_swapped = tag.order in {"BADC", "DCBA"}
            if tag.type in NUMBER_FORMATS:
                words_order = tag.order if tag.registers > 1 else "ABCD"
                members.setdefault((tag.type, is_swapped, words_order), []).append(position)
            elif not tag.is_text:
                members.setdefault((tag.type, is_swapped, ""), []).append(position)
        self._numbers: list[tuple[NDArray[np.intp], NDArray[np.intp], np.dtype[np.generic], bool]] = []
        self._bits: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint16]]] = []
        for (kind, is_swapped, order), positions in members.items():
            where = np.array(positions, dtype=np.intp)
            first = np.array([tags[position].address - start for position in positions], dtype=np.intp)
            if kind in NUMBER_FORMATS:
                gather = first[:, None] + np.array(word_offsets(kind, order), dtype=np.intp)
                self._numbers.append((where, gather, np.dtype(kind), is_swapped))
            else:
                masks = [_mask(tags[position], is_swapped) for position in positions]
                self._bits.append((where, first, np.array(masks, dtype=np.uint16)))

    def raw(self, block: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Return the raw values.

        Parameters
        ----------
        block : uint16 [n_registers]
            Registers, or bits of a coil table as 0 and 1.

        Returns
        -------
        float64 [n_tags]
            In the order of the tags given; NaN for text.
        """
        values = np.full(len(self.names), np.nan)
        with np.errstate(invalid="ignore"):  # a signalling NaN would warn when it is widened
            for where, gather, dtype, is_swapped in self._numbers:
                words = block[gather]
                if is_swapped:
                    words = words.byteswap()
                values[where] = words.view(dtype).reshape(-1)
        for where, first, mask in self._bits:
            values[where] = (block[first] & mask) != 0
        return values

    def engineering(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return raw x scale + offset, float64 [n_tags], each in its tag's unit."""
        if not self._is_scaled:
            return raw
        with np.errstate(over="ignore", invalid="ignore"):  # nonsense from the wire is judged, not warned about
            return raw * self._scale + self._offset

    def decode(self, block: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Return the engineering values of a block, float64 [n_tags]; see :meth:`raw`."""
        return self.engineering(self.raw(block))


def _mask(tag: Tag, is_swapped: bool) -> int:
    """Return which bits of the register make the tag true: any for bool, one for bit."""
    if tag.type == "bool":
        return 0xFFFF
    return 1 << (tag.bit ^ 8 if is_swapped else tag.bit)
