"""What can go wrong between a network and its hydraulics.

::

    HydraulicError
    ├── EpanetError      EPANET refused: its code, its words, where
    ├── LibraryMissing   an EPANET library that is not installed
    └── RecordError      measurements that cannot be read
"""

from __future__ import annotations


class HydraulicError(Exception):
    """Hydraulics could not be computed."""


class EpanetError(HydraulicError):
    """EPANET refused.

    Attributes
    ----------
    code
        EPANET's error code, 101 and above.
    where
        File, element or step that it is about.
    """

    def __init__(self, code: int, text: str, where: str) -> None:
        super().__init__(f"{where}: EPANET says: {text}")
        self.code = code
        self.where = where


class LibraryMissing(HydraulicError):
    """An EPANET library that is not installed."""

    def __init__(self, library: str, package: str) -> None:
        super().__init__(f"EPANET {library} was not found; install it with: pip install {package}")


class RecordError(HydraulicError):
    """Measurements that cannot be read: what, where, how to mend."""
