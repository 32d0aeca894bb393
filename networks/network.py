"""The network: what an INP holds and what it cannot."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from networks.catalogue import find
from networks.errors import UnreadableNetwork

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel


@dataclass
class Network:
    """A water network: the WNTR model and what belongs to it but has no place in an INP.

    Attributes
    ----------
    name
        Catalogue name or file stem.
    source
        The INP file.
    crs
        Coordinate reference system of the coordinates ("EPSG:32636"), or None where unknown:
        then nothing is written as longitude and latitude.
    """

    name: str
    source: Path
    crs: str | None = None

    @cached_property
    def model(self) -> WaterNetworkModel:
        """The `wntr.network.WaterNetworkModel`, SI, read at first use.

        Raises
        ------
        UnreadableNetwork
            If WNTR refuses the file.
        """
        import wntr.epanet.exceptions
        import wntr.network

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return wntr.network.WaterNetworkModel(str(self.source))
        # WNTR's reader trips over broken files in many ways, most of them not its own exceptions
        except (wntr.epanet.exceptions.EpanetException, ValueError, LookupError, RuntimeError) as error:
            raise UnreadableNetwork(self.source, f"WNTR cannot read this INP: {_one_line(error)}") from error
        except (OSError, AttributeError, TypeError, AssertionError) as error:
            raise UnreadableNetwork(self.source, f"WNTR cannot read this INP: {_one_line(error)}") from error

    @property
    def is_modelled(self) -> bool:
        """Whether `model` has been read, and may have been changed, since the file was opened."""
        return "model" in self.__dict__

    @property
    def sha256(self) -> str:
        """Checksum of the INP file."""
        return hashlib.sha256(self.source.read_bytes()).hexdigest()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def load(name_or_path: str | Path, crs: str | None = None) -> Network:
    """Open a network by catalogue name or INP path.

    Parameters
    ----------
    name_or_path
        A name of `networks.catalogue()`, without regard to case, or a path.
    crs
        Coordinate reference system of the INP's coordinates, where known.

    Raises
    ------
    UnknownNetwork
        If it is neither a name nor a file.
    """
    name, path = find(name_or_path)
    return Network(name=name, source=path, crs=crs)
