"""What a simulated PLC is wired to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Process"]


class Process(Protocol):
    """The plant behind the registers, such as the hydraulic twin."""

    def advance(self, t_ms: int, commands: Mapping[str, float]) -> Mapping[str, float]:
        """Bring the plant to a time and say what its instruments show.

        Parameters
        ----------
        t_ms : int
            UTC ms; never before that of the last call.
        commands : mapping of str to float
            Engineering values of the tags that were written to since the last call, by tag name.

        Returns
        -------
        mapping of str to float
            Engineering values by tag name, in each tag's unit; NaN for an instrument that fails.
        """
        ...
