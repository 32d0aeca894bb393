"""Tag tables: read, checked and written."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from scada.errors import TagError, TagErrors
from scada.tag import QUANTITIES, Tag, TagTable
from scada.tagcheck import check_tag, check_tags
from scada.tagfile import format_tags, parse_tags

__all__ = ["QUANTITIES", "Tag", "TagTable", "check_tags", "read_tags", "write_tags"]


def read_tags(path: str | Path, devices: Collection[str] | None = None, addressing: str = "wire") -> TagTable:
    """Read a tag table.

    Parameters
    ----------
    path : path
        A CSV with ``,``, or ``;`` and decimal comma; columns as the attributes of :class:`Tag`.
    devices : collection of str, optional
        Names that are configured; without it any device is accepted.
    addressing : {'wire', 'modicon'}
        How addresses are written.

    Returns
    -------
    TagTable

    Raises
    ------
    TagErrors
        With every mistake in the file: line, what, how to mend.
    """
    parsed = parse_tags(Path(path), addressing)
    errors = [*parsed.errors, *check_tags(parsed.tags, devices, str(path), parsed.lines)]
    for line, tag in parsed.broken:
        errors.extend(TagError(str(path), line, what, mend) for what, mend in check_tag(tag, devices))
    if errors:
        raise TagErrors(sorted(errors, key=lambda error: error.line))
    return TagTable(tuple(parsed.tags))


def write_tags(path: str | Path, tags: Iterable[Tag]) -> None:
    """Write a tag table that :func:`read_tags` reads back equal; the old file stays until the new one is whole."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(format_tags(tags), encoding="utf-8", newline="")
    partial.replace(target)
