"""A network as an INP for others: with its leakage where the reader can compute it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Literal

from networks import Network
from networks.emitters import emitter_bytes, told
from networks.export import inp_bytes, write_inp, write_whole
from networks.inp import Document
from networks.leakage import leakage_of

Form = Literal["emitters", "favad", "none"]


def export_inp(network: Network, file: Path, leakage: Form | None = None) -> None:
    """Write a network as an INP.

    Parameters
    ----------
    leakage
        "emitters" for EPANET 2.2 and WNTR, "favad" for EPANET 2.3's `[LEAKAGE]`, "none" for neither. By default
        emitters where the leakage stands beside the INP, and what the INP holds where it stands there.

    Raises
    ------
    HydraulicError
        If there is no leakage to put into emitters, or the model has emitters already.
    UnreadableNetwork
        If the network's own file has gone.
    """
    own = leakage_of(network.document)
    if leakage is None:
        leakage = "emitters" if network.leakage is not None and own is None else "favad"
    if leakage == "emitters":
        from hydro.emitters import fit_emitters

        emitters, flow_unit = fit_emitters(network)
        write_whole(file, emitter_bytes(network, emitters, flow_unit))
    elif leakage == "none":
        plain = copy.copy(network)
        plain.leakage = None
        write_inp(plain, file)
    else:
        data = inp_bytes(network)
        if own is None and network.leakage is not None:
            document = Document.of(data)
            sentence = "Background leakage is in [LEAKAGE], which takes EPANET 2.3."
            data = told(document.text, sentence).encode(document.encoding)
        write_whole(file, data)
