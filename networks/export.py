"""A network as an INP file: for EPANET, and for whoever it is handed to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from networks.inp.document import Document
from networks.inp.epanet import for_epanet
from networks.inp.facts import Facts
from networks.leakage import Leakage, leakage_of
from networks.network import Network
from networks.whole import whole_file

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

_FOOT = 0.3048


def model_bytes(model: WaterNetworkModel) -> bytes:
    """INP of a WNTR model, without the rounding of WNTR's own writer."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from networks.inpwriter import model_bytes as write

        return write(model)


def inp_bytes(network: Network) -> bytes:
    """A network as an INP that EPANET reads.

    The file itself where the model has not been changed: nothing can be lost then. `[LEAKAGE]` follows
    `network.leakage`.

    Raises
    ------
    UnreadableNetwork
        If the file has gone.
    """
    if network.is_changed:
        return with_leakage(model_bytes(network.model), network.leakage)
    data = network.source.read_bytes()
    other, _ = for_epanet(data, network.document)
    data = data if other is None else other
    same = _equal(leakage_of(network.document), network.leakage)
    return data if same else with_leakage(data, network.leakage)


def _equal(one: Leakage | None, other: Leakage | None) -> bool:
    if one is None or other is None:
        return one is other
    return (
        one.pipes == other.pipes
        and np.array_equal(one.area_mm2, other.area_mm2)
        and np.array_equal(one.expansion_mm2, other.expansion_mm2)
    )


def with_leakage(data: bytes, leakage: Leakage | None) -> bytes:
    """The INP with another `[LEAKAGE]`."""
    document = Document.of(data)
    kept = [line.text for line in document.lines if line.section not in ("LEAKAGE", "END")]
    if leakage is not None:
        foot = 1.0 if Facts(document).is_metric else _FOOT
        kept.append("[LEAKAGE]")
        rows = zip(leakage.pipes, leakage.area_mm2 * foot, leakage.expansion_mm2 * foot, strict=True)
        kept += [f" {pipe} {area:.12g} {expansion:.12g}" for pipe, area, expansion in rows]
    return "\n".join([*kept, "[END]", ""]).encode(document.encoding)


def write_inp(network: Network, file: Path) -> None:
    """Write a network as an INP file, whole or not at all.

    Raises
    ------
    UnreadableNetwork
        If the network's own file has gone.
    """
    write_whole(file, inp_bytes(network))


def write_whole(file: Path, data: bytes) -> None:
    """Write a file under another name and then give it its own: a reader never sees half of it."""
    with whole_file(file) as temporary:
        temporary.write_bytes(data)
