"""What can be wrong with a network.

::

    NetworkError
    ├── UnknownNetwork      no catalogue entry and no file of that name
    ├── UnreadableNetwork   a file that EPANET or WNTR refuses
    ├── UnknownElement      a node or link that the network does not have
    └── GisError            layers that make no network, or a network that cannot be written as asked
"""

from __future__ import annotations

from pathlib import Path


class NetworkError(Exception):
    """A network, or a part of one, is not what the caller thought."""


class UnknownNetwork(NetworkError):
    """No catalogue entry and no file of that name."""

    def __init__(self, name: str, near: list[str]) -> None:
        hint = f"; did you mean {', '.join(near)}?" if near else "; `umanflow networks list` shows the names"
        super().__init__(f"no network or INP file '{name}'{hint}")
        self.name = name


class UnreadableNetwork(NetworkError):
    """A file that EPANET or WNTR refuses."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason


class UnknownElement(NetworkError):
    """A node or link that the network does not have."""

    def __init__(self, kind: str, element: str, where: str) -> None:
        super().__init__(f"{where} has no {kind} '{element}'")
        self.kind = kind
        self.element = element


class GisError(NetworkError):
    """Layers that make no network, or a network that cannot be written as asked."""
