"""Which tag a column or point is, in which unit, and what a word of quality means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scada.drops.finding import Finding
from scada.drops.profile import Point, Profile
from scada.drops.units import conversion, split_unit
from scada.quality import QUALITY_OF, judge, limits_of
from scada.quantity import known_unit
from scada.sample import Quality
from scada.tag import Tag

__all__ = ["Directory", "TaggedPoint", "quality_of"]

_WORDS = {
    "good": Quality.GOOD, "ok": Quality.GOOD, "valid": Quality.GOOD, "true": Quality.GOOD, "good_data": Quality.GOOD,
    "normal": Quality.GOOD, "": Quality.GOOD, "добре": Quality.GOOD, "норма": Quality.GOOD,
    "uncertain": Quality.UNCERTAIN, "suspect": Quality.UNCERTAIN, "questionable": Quality.UNCERTAIN,
    "estimated": Quality.UNCERTAIN, "сумнівно": Quality.UNCERTAIN,
    "bad": Quality.BAD, "invalid": Quality.BAD, "error": Quality.BAD, "fault": Quality.BAD, "fail": Quality.BAD,
    "false": Quality.BAD, "bad_data": Quality.BAD, "comm fail": Quality.BAD, "погано": Quality.BAD,
    "помилка": Quality.BAD, "stale": Quality.STALE, "bad_stale": Quality.STALE,
}  # fmt: skip


def quality_of(cell: Any, words: Mapping[str, Quality]) -> Quality | None:
    """Return the quality a cell names, by word or OPC code; None where it says nothing known."""
    text = "" if cell is None else str(cell).strip()
    if text in words:
        return words[text]
    if text.casefold() in _WORDS:
        return _WORDS[text.casefold()]
    try:
        code = int(float(text))
    except (ValueError, OverflowError):
        return None
    if not 0 <= code <= 0xFFFF:
        return None
    return (Quality.BAD, Quality.UNCERTAIN, Quality.BAD, Quality.GOOD)[(code >> 6) & 3]  # bits 6 and 7 of OPC's word


@dataclass(frozen=True, slots=True)
class TaggedPoint:
    """A point of the file that is a tag.

    Attributes
    ----------
    tag : Tag
    scale, offset : float
        From the file's number to the tag's unit.
    """

    tag: Tag
    scale: float
    offset: float

    def judged(self, raw: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.uint8]]:
        """Return values in the tag's unit, their quality, and why (index into `scada.quality.REASONS`)."""
        values = raw * self.scale + self.offset
        reason = judge(limits_of([self.tag]), raw, values)
        return values, QUALITY_OF[reason], reason


class Directory:
    """Finds the tag of a column or point, and notes what is wrong with it.

    Parameters
    ----------
    file : str
    profile : Profile
    tags : mapping of str to Tag
    serial : str
        Of the logger; empty where the file has none.
    is_alone : bool
        Whether the file has one column of values: the serial number alone names it.
    """

    def __init__(self, file: str, profile: Profile, tags: Mapping[str, Tag], serial: str, is_alone: bool) -> None:
        self.findings: list[Finding] = []
        self._file, self._profile, self._tags = file, profile, tags
        self._serial, self._is_alone = serial, is_alone
        self._points = {name.casefold(): point for name, point in profile.points.items()}

    def tagged(self, name: str, unit: str = "", line: int = 0) -> TaggedPoint | None:
        """Return the tag of a column or point; None where it has none, which is noted.

        Parameters
        ----------
        name : str
            As in the file, perhaps with its unit in brackets.
        unit : str
            As the file states it elsewhere.
        line : int
        """
        base, in_name = split_unit(name)
        if self._profile.ignores(name) or self._profile.ignores(base):
            return None
        point = self._point(name, base)
        if point is None:
            self._warn(line, f"'{name}' is no tag and is left out", "name its tag under points, or ignore it")
            return None
        tag = self._tags.get(point.tag)
        if tag is None:
            what = f"'{name}' is tag '{point.tag}', which is in no tag table"
            self._warn(line, what, "add it to the table, or mend its name", "error")
            return None
        stated = [known_unit(text) for text in (point.unit, unit, in_name) if text.strip()]
        if point.unit and any(other != stated[0] for other in stated[1:]):
            what = f"'{name}' is in {stated[0]} by its profile and in {stated[-1]} by the file"
            self._warn(line, what, "mend one of them; the profile's is taken")
        try:
            factor = conversion(stated[0] if stated else self._profile.unit, tag)
        except ValueError as error:
            what, _, mend = str(error).partition("; ")
            self._warn(line, f"'{name}': {what}", mend, "error")
            return None
        return TaggedPoint(tag, point.scale * factor, point.offset * factor)

    def _point(self, name: str, base: str) -> Point | None:
        names = [name, base] if name != base else [name]
        keys = [f"{self._serial}/{each}" for each in names] if self._serial else []
        if self._serial and self._is_alone:
            keys.append(self._serial)
        keys += names
        for key in keys:
            if (found := self._points.get(key.casefold())) is not None:
                return found
        return next((Point(key) for key in keys if key in self._tags), None)

    def _warn(self, line: int, what: str, mend: str, severity: str = "warning") -> None:
        self.findings.append(Finding(self._file, line, what, mend, severity))
