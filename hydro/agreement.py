"""Whether what is handed on is what EPANET reads: facts, and a day of results."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.reading import Reading, Value, read_epanet, read_model
from networks import Network, NetworkError, load
from networks.export import model_bytes, write_whole

Floats = NDArray[np.float64]
_DAY = 86400
_RELATIVE = 1e-6
_ABSOLUTE = 1e-9
HEAD_TOLERANCE = 0.01  # m
FLOW_TOLERANCE = 1e-3  # of the largest flow


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not the same on both sides.

    Attributes
    ----------
    fact
        What it is about: "roughness", "control", "heads over a day".
    element
        Name of the element; empty for the whole network.
    text
        What each side has.
    """

    fact: str
    element: str
    text: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.fact}{' of ' + self.element if self.element else ''}: {self.text}"


@dataclass(frozen=True, slots=True)
class Day:
    """A day of results at the report steps.

    Attributes
    ----------
    heads
        float64 [n_steps, n_nodes], m.
    flows
        float64 [n_steps, n_links], m3/s.
    error
        What ended the run before the day was over, or an empty text.
    """

    nodes: tuple[str, ...]
    links: tuple[str, ...]
    heads: Floats
    flows: Floats
    error: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a comparison found.

    Attributes
    ----------
    refused
        Why there is nothing to compare: EPANET itself does not read the file. Empty otherwise.
    facts
        Differences between EPANET's reading and the model.
    written
        Differences between EPANET's reading of the file and of the model written out again.
    head_error, flow_error
        Largest difference over a day, m and m3/s; NaN where there was no run.
    notes
        What the network itself says that its model cannot hold.
    """

    refused: str
    facts: tuple[Difference, ...] = ()
    written: tuple[Difference, ...] = ()
    head_error: float = math.nan
    flow_error: float = math.nan
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not (self.refused or self.facts or self.written)


def compare(network: Network | Path | str) -> Agreement:
    """Compare what EPANET reads of a file with the model, and with the model written out again.

    Never raises for a file that EPANET refuses: that is an answer.
    """
    try:
        network = load(network) if isinstance(network, (str, Path)) else network
        with Engine(replace(network)) as engine:
            original, before = read_epanet(engine), _day(engine)
    except (HydraulicError, NetworkError) as error:
        return Agreement(refused=str(error))
    try:
        model, notes = network.model, network.notes
    except NetworkError as error:
        return Agreement(refused="", facts=(Difference("model", "", str(error)),))
    facts = tuple(differences(original, read_model(model), "EPANET", "model"))
    with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
        path = Path(folder) / "again.inp"
        write_whole(path, model_bytes(model))
        try:
            again = load(path)
            again.leakage = network.leakage
            with Engine(again) as engine:
                written = list(differences(original, read_epanet(engine), "file", "written again"))
                after = _day(engine)
        except (HydraulicError, NetworkError) as error:
            return Agreement("", facts, (Difference("written again", "", str(error)),), notes=notes)
    head, flow, ending = _compare_days(before, after)
    return Agreement("", facts, (*written, *ending), head, flow, notes)


def differences(one: Reading, other: Reading, this: str, that: str) -> Iterator[Difference]:
    """Everything in which two readings are not the same, by fact and element."""
    for fact in dict.fromkeys((*one.tables, *other.tables)):
        left, right = one.tables.get(fact, {}), other.tables.get(fact, {})
        for element in dict.fromkeys((*left, *right)):
            if element not in left or element not in right:
                yield Difference(fact, element, f"only in {this if element in left else that}")
            elif not _same(left[element], right[element]):
                yield Difference(fact, element, f"{this} {_text(left[element])}, {that} {_text(right[element])}")


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
    return one == other


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        shown = ", ".join(_text(v) for v in value[:6])
        return f"({shown}{', …' if len(value) > 6 else ''})"
    return f"{value:.9g}" if isinstance(value, (int, float)) else repr(value)


def _day(engine: Engine) -> Day:
    engine.duration = _DAY
    step = max(engine.report_step, 1)
    heads, flows, error = [], [], ""
    try:
        for now in engine.steps():
            if now % step == 0:
                heads.append(engine.read("node", "head"))
                flows.append(engine.read("link", "flow"))
    except HydraulicError as stop:
        error = str(stop).rpartition("EPANET says: ")[2]
    topology = engine.topology
    return Day(
        topology.nodes,
        topology.links,
        np.array(heads).reshape(-1, len(topology.nodes)),
        np.array(flows).reshape(-1, len(topology.links)),
        error,
    )


def _compare_days(one: Day, other: Day) -> tuple[float, float, list[Difference]]:
    """Largest difference of heads, m, and flows, m3/s, and what to say of it."""
    if one.error != other.error or one.heads.shape != other.heads.shape or set(one.nodes) != set(other.nodes):
        text = (
            f"{len(one.heads)} steps ({one.error or 'to the end'}), {len(other.heads)} ({other.error or 'to the end'})"
        )
        return math.nan, math.nan, [Difference("run of a day", "", text)]
    if one.heads.size == 0:
        return math.nan, math.nan, []
    nodes = [other.nodes.index(name) for name in one.nodes] if one.nodes != other.nodes else slice(None)
    links = [other.links.index(name) for name in one.links] if one.links != other.links else slice(None)
    head, flow = np.abs(one.heads - other.heads[:, nodes]), np.abs(one.flows - other.flows[:, links])
    found = []
    if head.max() > HEAD_TOLERANCE:
        step, node = np.unravel_index(int(head.argmax()), head.shape)
        found.append(Difference("head over a day", one.nodes[node], f"{head.max():.3g} m apart at step {step}"))
    if flow.max(initial=0.0) > max(FLOW_TOLERANCE * float(np.abs(one.flows).max()), 1e-6):
        step, link = np.unravel_index(int(flow.argmax()), flow.shape)
        found.append(Difference("flow over a day", one.links[link], f"{flow.max():.3g} m3/s apart at step {step}"))
    return float(head.max()), float(flow.max(initial=0.0)), found
