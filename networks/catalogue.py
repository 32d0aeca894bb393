"""Networks by name: those that WNTR ships, those of epyt where it is installed, and our own."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from networks.errors import UnknownNetwork

_DESCRIPTIONS = {
    "net1": "EPANET tutorial network: one pump, one tank",
    "net2": "EPANET example: a tank-fed district with fluoride records",
    "net3": "EPANET example: two sources, three tanks, a town of 90 nodes",
    "net6": "a city of 3,300 nodes with 61 pumps and 32 tanks",
    "ky4": "a Kentucky utility: 959 junctions, two pumps, four tanks",
    "ky10": "a Kentucky utility: 920 junctions, 13 pumps, 13 tanks, five PRVs",
    "l-town": "L-Town, the BattLeDIM benchmark: 782 junctions, three zones",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One network of the catalogue.

    Attributes
    ----------
    name
        What `networks.load` accepts, without regard to case.
    path
        The INP file.
    source
        The package or project that the file comes from.
    licence
        Licence of the file's source.
    description
        One line for a person.
    """

    name: str
    path: Path
    source: str
    licence: str
    description: str

    @property
    def size_bytes(self) -> int:
        """Size of the INP file."""
        return self.path.stat().st_size

    @property
    def sha256(self) -> str:
        """Checksum of the INP file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def _package_folder(package: str) -> Path | None:
    """Folder of an installed package, without importing it (WNTR takes more than a second)."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _shipped() -> Iterator[Entry]:
    sources = (
        ("wntr", "library/networks", "WNTR", "Revised BSD (WNTR)"),
        ("epyt", "networks", "epyt", "EUPL-1.2 (epyt)"),
    )
    for package, folder, source, licence in sources:
        root = _package_folder(package)
        if root is None:
            continue
        for path in sorted((root / folder).rglob("*.inp"), key=lambda p: p.stem.lower()):
            text = _DESCRIPTIONS.get(path.stem.lower(), f"{path.parent.name} collection")
            yield Entry(path.stem, path, source, licence, text)


def catalogue() -> list[Entry]:
    """List every network that can be opened by name.

    Returns
    -------
    list of Entry
        Sorted by source, then name; where two packages ship the same name the first source wins.
    """
    seen: dict[str, Entry] = {}
    for entry in _shipped():
        seen.setdefault(entry.name.lower(), entry)
    return list(seen.values())


def find(name_or_path: str | Path) -> tuple[str, Path]:
    """Resolve a catalogue name or a path to an INP file.

    Parameters
    ----------
    name_or_path
        A catalogue name (any case) or a path; an existing file goes before a catalogue name.

    Returns
    -------
    tuple of str and Path
        The network's name and its INP file.

    Raises
    ------
    UnknownNetwork
        If it is neither.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path.stem, path
    names = {entry.name.lower(): entry for entry in catalogue()}
    entry = names.get(str(name_or_path).lower())
    if entry is None:
        near = difflib.get_close_matches(str(name_or_path).lower(), names, n=3)
        raise UnknownNetwork(str(name_or_path), [names[n].name for n in near])
    return entry.name, entry.path
