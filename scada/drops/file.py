"""A file of readings: its tables, each read by a profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from scada.drops.finding import Finding
from scada.drops.opening import contents, decode
from scada.drops.profile import Profile
from scada.drops.reading import read_readings
from scada.drops.readings import Readings
from scada.drops.table import Table, read_table
from scada.errors import DropError
from scada.tag import Tag

__all__ = ["read_file"]


def read_file(
    path: Path, data: bytes, profile: Profile, tags: Mapping[str, Tag], arrival_ms: int
) -> Iterator[Readings | DropError]:
    """Yield the readings of each table in a file, or why a table cannot be taken.

    Parameters
    ----------
    path : Path
        Names the file; its ending tells what it is.
    data : bytes
        Its content.
    profile : Profile
    tags : mapping of str to Tag
    arrival_ms : int
        When it came, UTC ms.

    Raises
    ------
    DropError
        The file cannot be opened at all.
    """
    for name, table_data in contents(path, data):
        file = str(path.parent / name) if "/" in name else str(path)
        try:
            table, findings = _table(file, table_data, profile)
            readings = read_readings(table, profile, tags, arrival_ms, name)
        except DropError as error:
            yield error
            continue
        readings.findings[:0] = findings
        yield readings


def _table(file: str, data: bytes, profile: Profile) -> tuple[Table, list[Finding]]:
    if data[:4] == b"PK\x03\x04":
        from scada.drops.workbook import read_workbook

        return read_workbook(file, data, profile), []
    text, encoding = decode(file, data, profile.encoding)
    findings = []
    if encoding == "windows-1251" and not profile.encoding:
        what = "is not UTF-8 and is taken as Windows-1251"
        findings.append(Finding(file, 0, what, 'state encoding = "windows-1251"', "warning"))
    return read_table(file, text, profile), findings
