"""Text in registers: names, serial numbers, firmware, a message on a display.

A sample's value is a number. That of a text tag is the CRC-32 of its bytes, so that a change is seen by whatever looks
at numbers; the text itself is the sample's reason, after ``text: ``. It is stored, exported and shown with it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scada.codec import text_length
from scada.sample import Quality, Reason, Sample
from scada.tag import Tag

__all__ = ["TEXT", "TextReader", "read_text_bytes", "text_of"]

TEXT = "text: "


def text_of(sample: Sample) -> str | None:
    """Return the text that a sample carries, or None."""
    return sample.reason[len(TEXT) :] if sample.reason.startswith(TEXT) else None


def read_text_bytes(data: bytes) -> tuple[str, bool]:
    """Return what a text's bytes say, and whether all of it can be read.

    It ends at the first zero byte; blanks around it are padding. Bytes that are no UTF-8 are taken as Latin-1; control
    characters become U+FFFD.
    """
    data = data.partition(b"\0")[0]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = text.strip()
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return shown, "\ufffd" not in shown


class TextReader:
    """Reads the text tags of one block.

    Parameters
    ----------
    texts : sequence of (int, Tag)
        Position among the block's tags, and tag.
    start : int
        Address of the block's first register.
    """

    def __init__(self, texts: Sequence[tuple[int, Tag]], start: int) -> None:
        self._texts = [
            (position, tag.address - start, tag.registers, text_length(tag.type), tag.order in {"BADC", "DCBA"})
            for position, tag in texts
        ]

    @classmethod
    def of(cls, tags: Sequence[Tag], start: int) -> TextReader | None:
        """Return a reader of the texts among `tags`, or None."""
        texts = [(position, tag) for position, tag in enumerate(tags) if tag.is_text]
        return cls(texts, start) if texts else None

    def put(self, samples: list[Sample], words: NDArray[np.uint16]) -> None:
        """Replace the samples of text tags, which have no number, by those of their text."""
        for position, first, count, length, is_swapped in self._texts:
            data = words[first : first + count].astype("<u2" if is_swapped else ">u2").tobytes()[:length]
            samples[position] = _sample(samples[position], data)


def _sample(empty: Sample, data: bytes) -> Sample:
    if data.strip(b"\xff") == b"":  # an erased memory, not a text
        return replace(empty, reason=Reason.SENTINEL.value)
    text, is_whole = read_text_bytes(data)
    quality = Quality.GOOD if is_whole else Quality.UNCERTAIN
    return replace(empty, value=float(zlib.crc32(data.partition(b"\0")[0])), quality=quality, reason=TEXT + text)
