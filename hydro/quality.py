"""Water quality beside the hydraulics, step by step, by EPANET's own transport (EPANET 2.2 manual, chapter 12.2)."""

from __future__ import annotations

from ctypes import byref, c_int, c_long, create_string_buffer
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import HydraulicError

Floats = NDArray[np.float64]

_NONE, _CHEMICAL, _AGE, _TRACE = range(4)
_CONCENTRATION = 0  # EPANET's source type: what enters has this concentration
_RESERVOIR = 1
_UNITS = {"age": "h", "trace": "%", "chlorine": "mg/L"}
_WORD = 256  # more than EPANET writes


@dataclass(frozen=True, slots=True)
class Quality:
    """What is to be followed through the network.

    Attributes
    ----------
    kind
        "age", "trace", "chlorine", or "model": what the INP asks for, with its reactions.
    node
        Source that is traced.
    dose
        Chlorine in what the reservoirs give, mg/L.
    bulk, wall
        First-order decay in the water, 1/d, and at pipe walls, m/d; both at most 0.
    """

    kind: str
    node: str = ""
    dose: float = 0.5
    bulk: float = -0.5
    wall: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what EPANET does not follow."""
        if self.kind not in ("age", "trace", "chlorine", "model"):
            raise HydraulicError(f"quality '{self.kind}': ask for age, chlorine, trace:NODE or model")
        if self.kind == "trace" and not self.node:
            raise HydraulicError("quality trace: name the source, such as trace:R1")
        if self.dose < 0.0 or self.bulk > 0.0 or self.wall > 0.0:
            raise HydraulicError("chlorine: its dose is not below zero, its decay not above zero (1/d and m/d)")

    @classmethod
    def parse(cls, text: str, dose: float = 0.5, bulk: float = -0.5, wall: float = 0.0) -> Quality:
        """Read `age`, `chlorine`, `trace:NODE` or `model`."""
        kind, _, node = text.partition(":")
        return cls(kind, node, dose, bulk, wall)


def followed(engine: Engine, quality: Quality) -> tuple[str, str]:
    """What is followed ("age", "trace", "chlorine" or "chemical") and its unit.

    Raises
    ------
    UnknownElement, HydraulicError
        If the traced node is none of the network's, or the model asks for no quality.
    """
    if quality.kind == "trace":
        engine.topology.node(quality.node)
    if quality.kind != "model":
        return quality.kind, _UNITS[quality.kind]
    code, unit, _ = _own(engine)
    if code == _NONE:
        raise HydraulicError(f"{engine.project.where}: the model asks for no water quality; name one")
    name = ("", "chemical", "age", "trace")[code]
    return name, unit if code == _CHEMICAL else _UNITS[name]


def asked_quality(engine: Engine) -> str:
    """What the model itself asks for: "none", "chemical", "age" or "trace"."""
    return ("none", "chemical", "age", "trace")[_own(engine)[0]]


def _own(engine: Engine) -> tuple[int, str, int]:
    """Kind of quality that the model asks for, unit of its chemical, and its traced node (0-based, else -1)."""
    kind, trace = c_int(), c_int()
    name, unit = create_string_buffer(_WORD), create_string_buffer(_WORD)
    engine.project.call("getqualinfo", byref(kind), name, unit, byref(trace))
    return kind.value, unit.value.decode(engine.project.encoding), trace.value - 1


class QualityRun:
    """Quality that goes along with one run of an engine.

    Parameters
    ----------
    engine
        Its run has just been started.
    quality
        What to follow.

    Attributes
    ----------
    name, unit
        Of what is followed: "age" in h, "trace" in %, "chlorine" in mg/L, or the model's "chemical" in its unit.

    Raises
    ------
    HydraulicError
        If the model asks for no quality, or the traced node is none of its.
    """

    def __init__(self, engine: Engine, quality: Quality) -> None:
        self._engine, self._project = engine, engine.project
        self.name, self.unit = followed(engine, quality)
        if quality.kind == "trace":
            self._ask(_TRACE, quality.node)
        elif quality.kind == "age":
            self._ask(_AGE, "")
        elif quality.kind == "chlorine":
            self._ask(_CHEMICAL, "")
            self._dose(quality)
        self._project.call("openQ")
        self._project.call("initQ", 0)

    def _ask(self, code: int, node: str) -> None:
        """Ask for a kind of quality; what the nodes begin with is the model's only where it asks for the same."""
        own, _, trace = _own(self._engine)
        if own != code or (code == _TRACE and self._engine.topology.nodes[trace] != node):
            nodes = np.arange(len(self._engine.topology.nodes))
            self._engine.set_values("node", nodes, "initial_quality", np.zeros(len(nodes)))
        encoded = node.encode(self._project.encoding)
        self._project.call("setqualtype", code, b"Chlorine", b"mg/L", encoded, where="quality")

    def _dose(self, quality: Quality) -> None:
        """Give every reservoir the dose, and every pipe and tank first-order decay, whatever the model's reactions."""
        engine = self._engine
        for option, value in (("bulk_order", 1), ("wall_order", 1), ("tank_order", 1), ("limiting_quality", 0)):
            self._project.set_option(option, value)
        for tank in engine.tanks.tolist():
            engine.set_value("node", tank, "tank_bulk_decay", quality.bulk)
        for node in np.flatnonzero(engine.node_types == _RESERVOIR).tolist():
            engine.set_value("node", node, "initial_quality", quality.dose)
            engine.set_value("node", node, "source_type", _CONCENTRATION)
            engine.set_value("node", node, "source_quality", quality.dose)
        for pipe in engine.topology.pipes.tolist():
            engine.set_value("link", pipe, "bulk_decay", quality.bulk)
            engine.set_value("link", pipe, "wall_decay", quality.wall / engine.length_unit)

    def solve(self) -> None:
        """Take in the moment that the engine has just solved."""
        self._project.call("runQ", byref(c_long()))

    def advance(self) -> None:
        """Let the water travel to the engine's next moment."""
        self._project.call("nextQ", byref(c_long()))

    def at_nodes(self, out: Floats) -> None:
        """Quality at every node, float64 [n_nodes]."""
        self._engine.read("node", "quality", out)

    def in_links(self, out: Floats) -> None:
        """Mean quality in every link, float64 [n_links]."""
        self._engine.read("link", "quality", out)

    def close(self) -> None:
        """End it."""
        self._project.call("closeQ")
