"""Leakage as emitters, for programs that know no FAVAD: EPANET 2.2, WNTR.

EPANET has one emitter exponent for a whole model: q = C h^n. `hydro.emitters` fits the coefficients.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from networks.export import inp_bytes
from networks.inp.document import Document, is_word
from networks.inp.facts import FEET_OF_PRESSURE, Facts
from networks.leakage import NOT_IN_FILE
from networks.network import Network

Floats = NDArray[np.float64]
_FOOT = 0.3048
_OWN = ("EMITTERS", "END")


@dataclass(frozen=True, eq=False)
class Emitters:
    """What leaks at nodes: q = coefficient x pressure^exponent.

    Attributes
    ----------
    nodes
        Junctions, [n].
    coefficient
        float64 [n], m3/s per m^exponent.
    exponent
        Of the whole model.
    """

    nodes: tuple[str, ...]
    coefficient: Floats
    exponent: float


def emitter_bytes(network: Network, emitters: Emitters, flow_unit: float) -> bytes:
    """The network as an INP whose leakage is in `[EMITTERS]`, and whose title says so.

    Parameters
    ----------
    flow_unit
        The INP's unit of flow, m3/s.

    Raises
    ------
    UnreadableNetwork
        If the network's own file has gone.
    """
    plain = copy.copy(network)  # the model with it, where it has been changed
    plain.leakage = None
    document = Document.of(inp_bytes(plain))
    # a coefficient counts pressure in m or psi, whatever the file's unit of pressure
    unit = 1.0 if Facts(document).is_metric else FEET_OF_PRESSURE["PSI"] * _FOOT
    coefficients = emitters.coefficient / flow_unit * unit**emitters.exponent
    kept = [
        line.text
        for line in document.lines
        if line.section not in _OWN and not (line.section == "OPTIONS" and _is_exponent(line.words))
    ]
    kept += ["[OPTIONS]", f"Emitter Exponent\t{emitters.exponent:g}", "", "[EMITTERS]"]
    kept += [f"{node}\t{value:.8g}" for node, value in zip(emitters.nodes, coefficients.tolist(), strict=True)]
    text = "\n".join([*kept, "", "[END]", ""])
    said = f"Leakage is in emitters of exponent {emitters.exponent:g}."
    return told(text, said).encode(document.encoding)


def _is_exponent(words: tuple[str, ...]) -> bool:
    return len(words) > 1 and is_word(words[0], "EMIT") and is_word(words[1], "EXPO")


def told(text: str, sentence: str) -> str:
    """An INP whose title says where the leakage is; EPANET keeps three lines of a title."""
    if NOT_IN_FILE in text:
        return text.replace(NOT_IN_FILE, sentence, 1)
    document = Document(text, "utf-8")
    lines = text.split("\n")
    title = [line.number for line in document.lines if line.section == "TITLE"]
    if not title:
        return f"[TITLE]\n{sentence}\n\n{text}"
    return "\n".join([*lines[: title[0]], sentence, *lines[title[0] :]])
