"""Tag tables: read, checked and written."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from scada.errors import TagError, TagErrors
from scada.tag import QUANTITIES, Tag, TagTable
from scada.tagcheck import Surroundings, check_tag, check_tags
from scada.tagfile import format_tags, parse_tags
from scada.tagtoml import format_toml

__all__ = [
    "QUANTITIES",
    "CheckedTags",
    "Surroundings",
    "Tag",
    "TagTable",
    "check_file",
    "check_tags",
    "read_tags",
    "write_tags",
    "write_whole",
]


@dataclass(frozen=True, slots=True)
class CheckedTags:
    """A tag file and what is wrong with it.

    Attributes
    ----------
    tags : tuple of Tag
        Rows whose cells could all be read.
    findings : tuple of TagError
        By line.
    """

    tags: tuple[Tag, ...]
    findings: tuple[TagError, ...]

    @property
    def errors(self) -> list[TagError]:
        """The findings that keep the table from being used."""
        return [finding for finding in self.findings if finding.severity == "error"]


def check_file(path: str | Path, around: Surroundings | None = None, addressing: str = "wire") -> CheckedTags:
    """Read a tag table and find every mistake in it.

    Parameters
    ----------
    path : path
        A CSV with ``,``, or ``;`` or tabs and decimal comma, or TOML; columns as the attributes of :class:`Tag`.
    around : Surroundings, optional
        Devices and elements that are known.
    addressing : {'wire', 'document', 'modicon'}
        How addresses are written.
    """
    parsed = parse_tags(Path(path), addressing)
    found = [*parsed.errors, *check_tags(parsed.tags, None, str(path), parsed.lines, around)]
    for line, tag in parsed.broken:
        # what a cell could not say holds its default, which is no mistake of its own
        found.extend(TagError(str(path), line, *finding) for finding in check_tag(tag, around))
    return CheckedTags(tuple(parsed.tags), tuple(sorted(found, key=lambda error: error.line)))


def read_tags(path: str | Path, devices: Collection[str] | None = None, addressing: str = "wire") -> TagTable:
    """Read a tag table.

    Parameters
    ----------
    path : path
        As for :func:`check_file`.
    devices : collection of str, optional
        Names that are configured; without it any device is accepted.
    addressing : {'wire', 'document', 'modicon'}
        How addresses are written.

    Returns
    -------
    TagTable

    Raises
    ------
    TagErrors
        With every mistake in the file: line, what, how to mend.
    """
    checked = check_file(path, Surroundings(devices), addressing)
    if checked.errors:
        raise TagErrors(checked.errors)
    return TagTable(checked.tags)


def write_tags(path: str | Path, tags: Iterable[Tag]) -> None:
    """Write a tag table that :func:`read_tags` reads back equal, as TOML or CSV by its ending."""
    target = Path(path)
    write_whole(target, format_toml(tags) if target.suffix.lower() == ".toml" else format_tags(tags))


def write_whole(path: Path, text: str) -> None:
    """Write a text file; the old one stays until the new one is whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
