"""Networks by name: those that WNTR ships, those of epyt where it is installed, and our own."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from networks.errors import UnknownNetwork

_HERE = Path(__file__).parent
_OWN_FOLDER = _HERE
_OWN = ("umanflow", "Apache-2.0")
_SHIPPED = (
    ("wntr", "library/networks", "WNTR", "Revised BSD (WNTR)"),
    ("epyt", "networks", "epyt", "EUPL-1.2 (epyt)"),
)


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
    crs
        Coordinate reference system, where known.
    """

    name: str
    path: Path
    source: str
    licence: str
    description: str
    crs: str | None = None

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


@cache
def _facts() -> dict[str, dict[str, str]]:
    """What is known of networks by name: description, and crs where there is one."""
    with (_HERE / "catalogue.toml").open("rb") as file:
        return tomllib.load(file)


def _entry(path: Path, name: str, source: str, licence: str) -> Entry:
    facts = _facts().get(path.stem.lower(), {})
    description = facts.get("description", f"{path.stem}: no description yet")
    return Entry(name, path, source, licence, description, facts.get("crs"))


def _own() -> Iterator[Entry]:
    """Each folder of this package that holds an INP of its own name."""
    for path in sorted(_OWN_FOLDER.glob("*/*.inp")):
        if path.stem == path.parent.name:
            yield _entry(path, path.stem, *_OWN)


def _shipped() -> Iterator[Entry]:
    for package, folder, source, licence in _SHIPPED:
        root = _package_folder(package)
        if root is None:
            continue
        for path in sorted((root / folder).rglob("*.inp"), key=lambda p: (p.stem.lower(), str(p))):
            yield _entry(path, path.stem, source, licence)


def _renamed(entry: Entry, seen: dict[str, Entry]) -> Entry | None:
    """The entry under a name of its own where its name is taken; None where it is the very file again."""
    first = seen[entry.name.lower()]
    if first.sha256 == entry.sha256:
        return None
    name = f"{entry.name}@{entry.source}"
    text = f"{entry.description}; {entry.source}'s file, which differs from {first.source}'s"
    return None if name.lower() in seen else Entry(name, entry.path, entry.source, entry.licence, text, entry.crs)


def catalogue() -> list[Entry]:
    """List every network that can be opened by name.

    Returns
    -------
    list of Entry
        Sorted by source, then name. Where two packages ship the same name the first source keeps it and a different
        file of a later one is called `name@source`.
    """
    seen: dict[str, Entry] = {}
    for entry in (*_own(), *_shipped()):
        named = _renamed(entry, seen) if entry.name.lower() in seen else entry
        if named is not None:
            seen[named.name.lower()] = named
    order = [_OWN[0], *(source for _, _, source, _ in _SHIPPED)]
    return sorted(seen.values(), key=lambda entry: (order.index(entry.source), entry.name.lower()))


def entry_of(path: Path) -> Entry | None:
    """The entry of our own whose file this is, or None."""
    return next((entry for entry in _own() if entry.path == path), None)


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
