"""What an import found, and what it could not take."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from scada.errors import TagError
from scada.tag import Tag

__all__ = ["DeviceFound", "ImportOptions", "Imported"]

_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the other program's table does not say.

    Attributes
    ----------
    order : str or None
        Byte and word order of values of several words; without it such rows are refused where the table has none.
    interval_s : float or None
        How often tags are read where the table does not say, s.
    device : str or None
        Device of rows that name none.
    is_zero_based : bool
        Whether Ignition's addresses count from 0 (a setting of its device connection); from 1 by default.
    """

    order: str | None = None
    interval_s: float | None = None
    device: str | None = None
    is_zero_based: bool = False


@dataclass(frozen=True, slots=True)
class DeviceFound:
    """A device that the table names; empty where it does not say."""

    name: str
    url: str = ""
    unit: int | None = None


@dataclass(slots=True)
class Imported:
    """The result of an import.

    Attributes
    ----------
    file : str
    tags : list of Tag
    lines : list of int
        Where each stood.
    findings : list of TagError
        Errors are rows that are not among the tags; warnings, what was taken for granted or lost.
    devices : dict of str to DeviceFound
    """

    file: str
    tags: list[Tag] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    findings: list[TagError] = field(default_factory=list)
    devices: dict[str, DeviceFound] = field(default_factory=dict)

    def refuse(self, line: int, what: str, mend: str) -> None:
        """Note a row that cannot be taken."""
        self.findings.append(TagError(self.file, line, what, mend))

    def warn(self, line: int, what: str, mend: str) -> None:
        """Note something taken for granted, or lost."""
        self.findings.append(TagError(self.file, line, what, mend, "warning"))

    def add(self, line: int, tag: Tag) -> None:
        """Take a tag."""
        self.tags.append(tag)
        self.lines.append(line)


def plain_name(text: str) -> str:
    """Return a name without blanks and commas, which lists of names could not hold."""
    return _BLANKS.sub("_", text.strip()).replace(",", "_")
