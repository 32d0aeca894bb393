"""The network: what an INP holds and what it cannot."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from networks.catalogue import entry_of, find
from networks.errors import UnreadableNetwork
from networks.inp import Document, Rewritten, rewrite
from networks.leakage import Leakage, leakage_of
from networks.tables import read_leakage, read_table

if TYPE_CHECKING:
    import pandas as pd
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
    leakage
        What leaks along pipes (EPANET 2.3), from the INP or from elsewhere; WNTR's model holds none.
    folder
        Where the tables beside the INP are (`networks.tables`), or None.
    """

    name: str
    source: Path
    crs: str | None = None
    leakage: Leakage | None = None
    folder: Path | None = None

    @cached_property
    def document(self) -> Document:
        """The INP as text, whatever its encoding.

        Raises
        ------
        UnreadableNetwork
            If the file has gone.
        """
        return Document.of(self._bytes())

    def _bytes(self) -> bytes:
        try:
            return self.source.read_bytes()
        except OSError as error:
            raise UnreadableNetwork(self.source, error.strerror or str(error)) from error

    @cached_property
    def _rewritten(self) -> Rewritten:
        try:
            return rewrite(self.document)
        except (ValueError, LookupError) as error:
            raise UnreadableNetwork(self.source, f"this is no INP that EPANET reads: {_one_line(error)}") from error

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what the INP holds and `model` cannot.

        Raises
        ------
        UnreadableNetwork
            If the file is no INP.
        """
        return self._rewritten.notes

    @cached_property
    def model(self) -> WaterNetworkModel:
        """The `wntr.network.WaterNetworkModel`, SI, read at first use.

        Raises
        ------
        UnreadableNetwork
            If WNTR refuses the file.
        """
        model = _read_model(self._rewritten.text, self.source)
        if model.num_links == 0:
            raise UnreadableNetwork(self.source, "this file holds no link: it is cut off, or no INP")
        self.__dict__["_model_as_read"] = _fingerprint(model)
        model.leakage = self.leakage  # WNTR has no place for it; `hydro.Simulator` takes it from here
        return model

    @cached_property
    def pipes(self) -> pd.DataFrame | None:
        """Pipes with kind, material, year, number of breaks, DMA and street; None where there is no such table."""
        return read_table(self.folder, "pipes")

    @cached_property
    def nodes(self) -> pd.DataFrame | None:
        """Junctions with DMA, street, connections and storeys, or None."""
        return read_table(self.folder, "nodes")

    @cached_property
    def breaks(self) -> pd.DataFrame | None:
        """Breaks: pipe and month, or None."""
        return read_table(self.folder, "breaks")

    @cached_property
    def valves(self) -> pd.DataFrame | None:
        """Isolation and boundary valves: pipe, the node they stand at, kind; or None."""
        return read_table(self.folder, "valves")

    @cached_property
    def hydrants(self) -> pd.DataFrame | None:
        """Hydrants by node, or None."""
        return read_table(self.folder, "hydrants")

    @cached_property
    def dmas(self) -> pd.DataFrame | None:
        """Blocks with zone, inlet, PRV and critical node, or None."""
        return read_table(self.folder, "dmas")

    @cached_property
    def sensors(self) -> pd.DataFrame | None:
        """Instruments: quantity, element, block, and how their readings arrive; or None."""
        return read_table(self.folder, "sensors")

    @property
    def is_synthetic(self) -> bool:
        """Whether the INP's title says SYNTHETIC: a city of nobody's, which must never pass for a real one."""
        return any("SYNTHETIC" in line.text for line in self.document.section("TITLE"))

    @property
    def is_modelled(self) -> bool:
        """Whether `model` has been read, and may have been changed, since the file was opened."""
        return "model" in self.__dict__

    @property
    def is_changed(self) -> bool:
        """Whether `model` is no longer what the file holds."""
        return self.is_modelled and _fingerprint(self.model) != self.__dict__.get("_model_as_read")

    @property
    def sha256(self) -> str:
        """Checksum of the INP file."""
        return hashlib.sha256(self.source.read_bytes()).hexdigest()


def _tables_of(path: Path, tables: str | Path | None) -> Path | None:
    """Folder of an INP's tables, or None.

    Raises
    ------
    UnreadableNetwork
        If the folder that was named does not exist.
    """
    folder = path.with_suffix(".tables") if tables is None else Path(tables)
    if folder.is_dir():
        return folder
    if tables is not None:
        raise UnreadableNetwork(folder, "no such folder; name that of nodes.csv, pipes.csv and the other tables")
    return None


def _fingerprint(model: WaterNetworkModel) -> str:
    text = json.dumps(model.to_dict(), default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_model(text: str, source: Path) -> WaterNetworkModel:
    import wntr.epanet.exceptions
    import wntr.network

    with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
        path = Path(folder) / "model.inp"
        path.write_text(text, "utf-8", newline="\n")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = wntr.network.WaterNetworkModel(str(path))
        # WNTR's reader trips over broken files in many ways, most of them not its own exceptions
        except (wntr.epanet.exceptions.EpanetException, ValueError, LookupError, RuntimeError) as error:
            raise UnreadableNetwork(source, f"WNTR cannot read this INP: {_innermost(error)}") from error
        except (OSError, AttributeError, TypeError, AssertionError) as error:
            raise UnreadableNetwork(source, f"WNTR cannot read this INP: {_innermost(error)}") from error
    model.name = str(source)
    return model


def _innermost(error: Exception) -> str:
    """Words of the cause that says most: WNTR's outer errors say no more than that the file is wrong."""
    import wntr.epanet.exceptions

    causes: list[BaseException] = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    spoken = [cause for cause in causes if isinstance(cause, wntr.epanet.exceptions.EpanetException)]
    return _one_line((spoken or causes)[-1])


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def load(name_or_path: str | Path, crs: str | None = None, tables: str | Path | None = None) -> Network:
    """Open a network by catalogue name or INP path.

    Parameters
    ----------
    name_or_path
        A name of `networks.catalogue()`, without regard to case, or a path.
    crs
        Coordinate reference system of the INP's coordinates, where known; a network of ours states its own.
    tables
        Folder of the tables that an INP has no place for (`networks.tables.COLUMNS`); by default `NAME.tables` beside
        NAME.inp, where there is such a folder, and a network of ours its own.

    Raises
    ------
    UnknownNetwork
        If it is neither a name nor a file.
    UnreadableNetwork
        If the file cannot be opened, or its `[LEAKAGE]` is no such section.
    """
    name, path = find(name_or_path)
    entry = entry_of(path)
    folder = _tables_of(path, tables) if entry is None or tables is not None else path.parent
    if crs is None and entry is not None:
        crs = entry.crs
    network = Network(name=name, source=path, crs=crs, leakage=read_leakage(folder), folder=folder)
    # everything else is read when it is needed: most commands hand the file to EPANET as it is
    if "[LEAK" in network.document.text.upper():
        try:
            network.leakage = leakage_of(network.document)
        except ValueError as error:
            raise UnreadableNetwork(path, str(error)) from error
    return network
