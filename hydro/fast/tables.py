"""What the kernels read and write: named tuples of arrays, nodes and links in the solver's own order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydro.fast.model import Controls, Curves, Tanks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Structure(NamedTuple):
    """Of the matrix: `size` unknown heads in the order of elimination, then the known ones up to `n_nodes`."""

    size: int
    n_nodes: int
    first: Ints
    rows: Ints
    target: Ints


class Links(NamedTuple):
    """Links, plain pipes first.

    Attributes
    ----------
    n_plain
        Pipes that are always open: all eight lanes take them at once.
    n_smooth
        Of these, the first ones, which have no minor loss.
    start, end
        int64 [n], rows of their ends.
    slot
        int64 [n], where -conductance stands below the diagonal; the last slot takes what belongs nowhere.
    kind, resistance, minor
        By link; EPANET's type, friction on the flow's power (Darcy-Weisbach: without the factor), minor loss on its
        square.
    exponent
        Of the flow in the friction formula.
    rough, viscous
        Darcy-Weisbach's roughness over diameter, viscosity times diameter.
    conductance
        float64 [n], 1 / (exponent x resistance).
    power
        `powers.power_table` of 1 - exponent; Darcy-Weisbach's of -0.9.
    logarithm
        `powers.logarithm_table`.
    law
        0 Hazen-Williams, 1 Darcy-Weisbach, 2 Chezy-Manning.
    """

    n_plain: int
    n_smooth: int
    start: Ints
    end: Ints
    slot: Ints
    kind: Ints
    resistance: Floats
    minor: Floats
    exponent: float
    rough: Floats
    viscous: Floats
    conductance: Floats
    power: Floats
    logarithm: Floats
    law: int


class Devices(NamedTuple):
    """Links that are not plain pipes, from `Links.n_plain` on: one row per link there.

    Attributes
    ----------
    status, setting
        Initial.
    pump
        float64 [n, 6]: `pumps.Pump` without its curve.
    curve
        int64 [n], of a pump or valve, else -1.
    diameter
        float64 [n], ft.
    elevation
        float64 [n, 2] of both ends, ft.
    tank
        int64 [n, 2], number of the tank at both ends, else -1.
    beside_first, beside, beside_sign
        Links around the node whose head an active PRV or PSV holds: sign +1 where they lead away from it.
    outlet_first, outlet
        Outlets at that node.
    flow_unit, head_unit
        The curves' units per ft3/s and ft.
    """

    status: Ints
    setting: Floats
    pump: Floats
    curve: Ints
    diameter: Floats
    elevation: Floats
    tank: Ints
    beside_first: Ints
    beside: Ints
    beside_sign: Floats
    outlet_first: Ints
    outlet: Ints
    flow_unit: float
    head_unit: float


class Draws(NamedTuple):
    """Outlets whose flow follows pressure, in eight lanes; see `model.Outlets`."""

    row: Ints
    kind: Ints
    exponent: Floats
    base: Floats
    barrier: Ints
    table: Floats
    required: float


class Clock(NamedTuple):
    """Times, s, and what follows them."""

    duration: int
    hydraulic_step: int
    report_step: int
    pattern_step: int
    pattern_start: int
    clock_start: int
    demand: Floats
    source: Ints
    source_head: Floats
    speed: Floats


class Guide(NamedTuple):
    """A run of the network as it is: where the iteration begins, and how it goes on.

    Attributes
    ----------
    times
        int64 [n], s, ascending.
    flow, head
        float64 [n, n_links] and [n, n_nodes], in the solver's order.
    """

    times: Ints
    flow: Floats
    head: Floats


class Sites(NamedTuple):
    """What is different in each lane: leaks and closed pipes.

    Attributes
    ----------
    n_sites
        int64 [WIDTH].
    kind
        int64 [n, WIDTH]: 0 a leak at a junction, 1 a leak in the middle of a pipe, 2 a closed pipe.
    where
        int64 [n, WIDTH]: row of the junction or number of the link.
    elevation
        float64 [n, WIDTH], ft, of the leak.
    area, growth
        float64 [n, WIDTH]: head-loss coefficients of the pipe's own leakage in its middle; 0 without.
    events
        int64 [n_events, WIDTH]: times at which something here changes, ascending, then a time that never comes.
    opening
        float64 [n_openings, 4] rows of all lanes: site, beginning, end, coefficient (ft3/s per ft^0.5).
    opening_first
        int64 [WIDTH + 1].
    factor
        float64 [1, WIDTH] on all demands.
    """

    n_sites: Ints
    kind: Ints
    where: Ints
    elevation: Floats
    area: Floats
    growth: Floats
    events: Ints
    opening: Floats
    opening_first: Ints
    factor: Floats


class State(NamedTuple):
    """Everything that changes, float64 [n, WIDTH] unless said otherwise.

    Attributes
    ----------
    head, flow
        By node and link.
    conductance, excess
        By link: dq/dh, and the flow by which head loss and heads disagree.
    diagonal, below, right
        The matrix and its right-hand side, then the step.
    demand
        By node, of the moment.
    draw, draw_conductance, draw_excess, draw_coefficient
        By outlet.
    status, setting
        By device; status int64.
    volume
        By tank.
    time
        int64 [WIDTH], s, of the moment that each lane comes to.
    """

    head: Floats
    flow: Floats
    conductance: Floats
    excess: Floats
    diagonal: Floats
    below: Floats
    right: Floats
    demand: Floats
    draw: Floats
    draw_conductance: Floats
    draw_excess: Floats
    draw_coefficient: Floats
    status: Ints
    setting: Floats
    volume: Floats
    time: Ints


class Leaks(NamedTuple):
    """What changes at the sites, float64 [n, WIDTH] unless said otherwise.

    Attributes
    ----------
    flow
        Of the leak.
    second
        Flow in the second half of its pipe; the first half's is the link's own.
    head
        At a leak in a pipe.
    own
        float64 [n, 2, WIDTH], the pipe's own leakage there.
    size
        Head-loss coefficient of the moment, 0 where shut; 1 for a pipe that is closed.
    halves
        float64 [n, 11, WIDTH]: what a step leaves for its end.
    """

    flow: Floats
    second: Floats
    head: Floats
    own: Floats
    size: Floats
    halves: Floats


class Plant(NamedTuple):
    """A network without scenarios."""

    structure: Structure
    links: Links
    devices: Devices
    draws: Draws
    tanks: Tanks
    controls: Controls
    curves: Curves
    clock: Clock


class Scratch(NamedTuple):
    """What a run of eight lanes needs for the time being.

    Attributes
    ----------
    live, head_step, flow_step
        float64 [1, WIDTH], of `newton.iterate`; `live` is 1 where a lane takes part.
    due, busy, chosen, changed
        int64 [WIDTH]: lanes that begin or end a moment, lanes between the two, lanes whose statuses are looked at,
        lanes where one changed.
    iteration, period, guide
        int64 [WIDTH]: iterations at this moment; row of the demands that a lane holds; the moment of the guide that it
        comes from. -1 where there is none.
    inflow
        float64 [n_tanks, WIDTH], ft3/s.
    unsure
        int64 [WIDTH], 1 where a switch hung on less than the solution is good for.
    """

    live: Floats
    head_step: Floats
    flow_step: Floats
    due: Ints
    busy: Ints
    chosen: Ints
    changed: Ints
    iteration: Ints
    period: Ints
    guide: Ints
    inflow: Floats
    unsure: Ints


class Reach(NamedTuple):
    """Nodes that are not cut off.

    Attributes
    ----------
    reached
        int64 [n_nodes, WIDTH].
    signature
        int64 [WIDTH], of the statuses that this is of; 0 where it was not looked for.
    parent
        int64 [n_nodes + 1], for the time being.
    """

    reached: Ints
    signature: Ints
    parent: Ints


class Sensors(NamedTuple):
    """What is reported: nodes' rows and elevations, links; and whether emitters flow back."""

    node: Ints
    elevation: Floats
    link: Ints
    may_turn: bool


class Output(NamedTuple):
    """Results of eight lanes in ft and ft3/s.

    Attributes
    ----------
    pressure, flow
        float64 [WIDTH, n_steps, n_sensors].
    leak
        float64 [WIDTH, n_steps], what runs out of all leaks.
    alive
        int64 [WIDTH]: 1 to run a lane and, afterwards, where it was balanced at every moment.
    """

    pressure: Floats
    flow: Floats
    leak: Floats
    alive: Ints
