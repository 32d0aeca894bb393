"""Count what a run of L-Town costs, and try the base run's factor on its leaks: figures behind docs/adr/0007.

    python benchmarks/fast_tried.py [NET]

Prints the size of the factor and EPANET's iterations per step and time per iteration at several accuracies; the time of
each kernel of the fast solver's iteration; and how many steps leaks of 20 mm take from the base run's solution at time
zero until heads move by less than 0.1 mm and flows by less than 0.01 L/s: with a factor of their own at every step
(Newton), and with the base run's factor kept (chord). One JSON line at the end.
"""

from __future__ import annotations

import ctypes
import json
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from hydro.engine import Engine
from hydro.fast import devices, newton, sites
from hydro.fast.factor import factorise_and_solve, solve
from hydro.fast.lanes import WIDTH
from hydro.fast.links import power_law_pipes
from hydro.fast.plan import NEVER, Hole, Plan
from hydro.fast.solver import FLOW_TOLERANCE, HEAD_TOLERANCE, Solver
from hydro.leaks import orifice
from hydro.scenario import DISCHARGE
from networks import find

_DAY, _REPEATS, _GROUPS, _MOST, _FOOT = 86400, 2000, 4, 40, 0.3048
_COEFFICIENT = orifice(np.pi / 4.0 * 0.02**2, DISCHARGE)
_ITERATIONS = 0  # EPANET's code of the statistic


def _epanet(engine: Engine) -> dict[str, list[float]]:
    """Iterations per step and microseconds per iteration by accuracy."""
    own, rows = engine.accuracy, {}
    statistic = engine.project.library.function("getstatistic")
    statistic.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
    handle, value = engine.project._handle, ctypes.c_double()
    for accuracy in (own, 1e-4, 1e-6):
        engine.set_accuracy(accuracy)
        iterations = []
        for _ in engine.steps():
            statistic(handle, _ITERATIONS, ctypes.byref(value))
            iterations.append(value.value)
        began = time.process_time()
        for _ in engine.steps():
            pass
        seconds = time.process_time() - began
        rows[f"{accuracy:g}"] = [round(float(np.mean(iterations)), 2), round(1e6 * seconds / sum(iterations), 1)]
    engine.set_accuracy(own)
    return rows


def _microseconds(kernel: Callable[..., Any], *arguments: Any) -> float:
    """Time of a kernel called from compiled code."""
    names = ", ".join(f"a{k}" for k in range(len(arguments)))
    scope = {"kernel": kernel, "n": _REPEATS}
    exec(f"def loop({names}):\n    for _ in range(n):\n        kernel({names})", scope)  # each kernel has its own arity
    loop = njit(scope["loop"])
    loop(*arguments)
    began = time.process_time()
    loop(*arguments)
    return round(1e6 * (time.process_time() - began) / _REPEATS, 2)


class _Bench:
    """One group of leaks at time zero, without clock."""

    def __init__(self, solver: Solver, plans: list[Plan]) -> None:
        self.plant = solver.plant
        self.sites, _ = solver.lineup.sites(plans)
        self.state, self.leaks = solver._begin(self.sites)
        self.scratch = solver._scratch()
        self.scratch.live[:] = 1.0
        size = self.plant.structure.size
        self.state.demand[:size] = self.plant.clock.demand[0][:, None]
        sizes = [plan.holes[0].coefficient / solver.lineup.leak_unit for plan in plans]
        self.leaks.size[:] = 1.0 / np.array(sizes) ** 2
        head = self.state.head[self.sites.where[0], np.arange(WIDTH)] - self.sites.elevation[0]
        self.leaks.flow[:] = np.sqrt(np.maximum(head, 1.0) / self.leaks.size)

    def fill(self) -> None:
        """Conductance and excess of all links, matrix, right-hand side, leaks."""
        p, s = self.plant, self.state
        power_law_pipes(p.links, s.head, s.flow, s.conductance, s.excess)
        devices.coefficients(p.links, p.devices, p.curves, s.head, s.flow, s.status, s.setting, s.conductance, s.excess)
        self.assemble()
        sites.add(p.links, self.sites, self.leaks, s.head, s.flow, s.conductance, s.excess, s.diagonal, s.right, True)
        self.hold()

    def assemble(self) -> None:
        """The matrix of the conductances at hand."""
        p, s = self.plant, self.state
        newton.assemble(
            p.links.start, p.links.end, p.links.slot, self.sites.factor, s.demand, s.flow, s.conductance, s.excess,
            s.diagonal, s.below, s.right,
        )  # fmt: skip

    def hold(self) -> None:
        """Active valves, and known heads."""
        p, s = self.plant, self.state
        devices.hold(p.links, p.devices, s.head, s.flow, s.status, s.setting, s.diagonal, s.right)
        newton.forget_known(p.structure.size, s.right)

    def factorise(self, diagonal: Any, below: Any, right: Any) -> None:
        """Factorise and solve."""
        x = self.plant.structure
        factorise_and_solve(x.size, x.first, x.rows, x.target, diagonal, below, right)

    def finish(self) -> np.ndarray:
        """Update all; which lanes moved by little."""
        p, s, c = self.plant, self.state, self.scratch
        newton.step(
            p.structure.size, p.links.start, p.links.end, s.right, s.conductance, s.excess, s.head, s.flow, c.live,
            c.head_step, c.flow_step,
        )  # fmt: skip
        sites.update(
            p.links.start, p.links.end, self.sites, self.leaks, s.flow, s.right, c.live, c.head_step, c.flow_step
        )
        devices.finish(
            p.links, p.devices, self.sites, self.leaks.flow, self.leaks.second, s.demand, s.draw, s.flow, s.conductance,
            s.excess, s.right, s.status, s.setting, c.flow_step, c.live,
        )  # fmt: skip
        small: np.ndarray = c.head_step[0] < HEAD_TOLERANCE / _FOOT
        return small & (c.flow_step[0] < FLOW_TOLERANCE / _FOOT**3)


def _steps(bench: _Bench, keeps_factor: bool) -> np.ndarray:
    """Steps that each lane takes, 0 where it does not get there."""
    s, x = bench.state, bench.plant.structure
    bench.fill()
    base, diagonal, below = s.conductance.copy(), s.diagonal.copy(), s.below.copy()
    bench.factorise(diagonal, below, s.right.copy())
    taken = np.zeros(WIDTH, dtype=np.int64)
    for k in range(1, _MOST + 1):
        bench.fill()
        if keeps_factor:
            is_open = s.conductance > 0.0
            s.excess[:] = np.where(is_open, s.excess / np.where(is_open, s.conductance, 1.0) * base, 0.0)
            s.conductance[:] = base
            bench.assemble()
            lanes = np.arange(WIDTH)
            s.right[bench.sites.where[0], lanes] -= bench.leaks.flow[0] - bench.leaks.halves[0, 5]
            bench.hold()
            solve(x.size, x.first, x.rows, diagonal, below, s.right)
        else:
            bench.factorise(s.diagonal, s.below, s.right)
        taken = np.where((taken == 0) & bench.finish(), k, taken)
    return taken


def _kernels(bench: _Bench) -> dict[str, float]:
    p, s = bench.plant, bench.state
    x, links = p.structure, p.links
    found = {
        "head loss": _microseconds(power_law_pipes, links, s.head, s.flow, s.conductance, s.excess),
        "assembly": _microseconds(
            newton.assemble, links.start, links.end, links.slot, bench.sites.factor, s.demand, s.flow, s.conductance,
            s.excess, s.diagonal, s.below, s.right,
        ),
    }  # fmt: skip
    s.diagonal[:], s.below[:] = 1.0, 0.0
    found["factor and solution"] = _microseconds(
        factorise_and_solve, x.size, x.first, x.rows, x.target, s.diagonal, s.below, s.right
    )
    s.diagonal[:] = 1.0
    found["solution alone"] = _microseconds(solve, x.size, x.first, x.rows, s.diagonal, s.below, s.right)
    c = bench.scratch
    found["update"] = _microseconds(
        newton.step, x.size, links.start, links.end, s.right, s.conductance, s.excess, s.head, s.flow, c.live,
        c.head_step, c.flow_step,
    )  # fmt: skip
    return found


def main() -> None:
    """Count, time and try."""
    name = sys.argv[1] if len(sys.argv) > 1 else "L-TOWN"
    with Engine(find(name)[1]) as engine:
        engine.duration = _DAY
        solver, names = Solver(engine, (), ()), engine.topology.nodes
        x = solver.plant.structure
        result: dict[str, Any] = {"network": name, "unknowns": x.size, "links": len(solver.plant.links.start)}
        # a column of c entries costs c divisions, c (c + 1) / 2 multiply-adds in the factor and 2 c in the solution
        entries = np.diff(x.first)
        result |= {
            "below_diagonal": len(x.rows),
            "multiply_adds": int((entries * (entries + 1) // 2 + 2 * entries).sum()),
        }
        result["epanet_iterations_and_us"] = _epanet(engine)
        taken: dict[str, list[int]] = {"newton": [], "chord": []}
        for group in range(_GROUPS):
            chosen = np.random.default_rng(group).choice(engine.junctions, WIDTH, replace=False)
            leaks = [Plan((Hole(_COEFFICIENT, "", names[k], 0, NEVER),)) for k in chosen.tolist()]
            taken["newton"] += _steps(_Bench(solver, leaks), keeps_factor=False).tolist()
            with np.errstate(all="ignore"):  # it comes apart
                taken["chord"] += _steps(_Bench(solver, leaks), keeps_factor=True).tolist()
        result["kernel_us"] = _kernels(_Bench(solver, leaks))
    for what, steps in taken.items():
        there = [k for k in steps if k]
        result[what] = {
            "median": float(np.median(there)),
            "most": max(there),
            "lost": len(steps) - len(there),
            "of": len(steps),
        }
    for what, value in result.items():
        print(f"{what:>26}: {value}")
    print(json.dumps({"benchmark": "fast_tried", "machine": platform.machine(), "lanes": WIDTH, **result}))


if __name__ == "__main__":
    main()
