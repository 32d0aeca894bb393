"""Whatever stands for a network, opened in EPANET."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hydro.errors import HydraulicError
from hydro.library import LibraryName
from hydro.project import Project
from networks import Network, load
from networks.export import inp_bytes, model_bytes
from networks.inp.document import is_word
from networks.inp.epanet import for_epanet
from networks.inp.facts import FEET_OF_PRESSURE

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

# what stands for a network; in quotes, so that an INP path needs no WNTR
Source: TypeAlias = "Network | WaterNetworkModel | Path | str"

_FOOT = 0.3048
_PRESSURES = ("PSI", "KPA", "METERS", "BAR", "FEET")  # in the order of EPANET 2.3's codes


def as_network(network: Network | WaterNetworkModel | Path | str) -> Network | WaterNetworkModel:
    """Open a path or a name; pass a network or a model through."""
    return load(network) if isinstance(network, (str, Path)) else network


def open_project(network: Network | WaterNetworkModel, library: LibraryName, report: Path | None = None) -> Project:
    """Open a network in EPANET, from its file where that will do.

    Raises
    ------
    HydraulicError
        If the network leaks along its pipes and the library is 2.2, which cannot compute that.
    EpanetError
        If EPANET refuses the file.
    """
    with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
        path = Path(folder) / "model.inp"
        if not isinstance(network, Network):
            path.write_bytes(model_bytes(network))
            return Project(path, library, where=str(network.name or "the model"), report=report)
        if network.leakage is not None and library == "2.2":
            raise HydraulicError(
                f"{network.source}: {len(network.leakage)} pipes have leakage, which EPANET 2.2 cannot compute; "
                "use library 2.3, or set network.leakage to None"
            )
        if network.is_changed:
            path.write_bytes(model_bytes(network.model))
            return Project(path, library, where=str(network.source), report=report)
        data, encoding = for_epanet(network.source.read_bytes(), network.document)
        if library == "2.2" and "[LEAK" in network.document.text.upper():
            data = inp_bytes(network)  # without the section, which 2.2 takes for an error
        if data is None:
            return Project(network.source, library, encoding, report=report)
        path.write_bytes(data)
        return Project(path, library, encoding, where=str(network.source), report=report)


def pressure_unit(project: Project, metric: bool, network: object) -> float:
    """Metres of water in the project's unit of pressure.

    EPANET 2.3 takes any unit and says which. 2.2 says nothing: it knows psi with US flows, and kPa where the file asks
    for it, else metres, with metric ones.
    """
    if project.library.has_bulk:
        unit = _PRESSURES[int(project.option("pressure_unit"))]
    elif not metric:
        unit = "PSI"
    else:
        is_file = isinstance(network, Network) and not network.is_changed and "KPA" in network.document.text.upper()
        asked = network.document.option("PRES") if isinstance(network, Network) and is_file else ()
        unit = "KPA" if len(asked) == 1 and is_word(asked[0], "KPA") else "METERS"
    return FEET_OF_PRESSURE[unit] * _FOOT
