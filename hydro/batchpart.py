"""A part of a batch: some scenarios, run one after another in one process, and written to one Parquet file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hydro.batchcolumns import Columns, Sensors, parts_of
from hydro.batchfiles import part_file, write_groups
from hydro.course import Course, as_leaks_allow, as_tight_as_can_be, name_number
from hydro.engine import Engine
from hydro.errors import HydraulicError, RunStopped
from hydro.library import LibraryName
from hydro.quality import Quality, QualityRun
from hydro.reached import reached
from hydro.scenario import Scenario
from networks import Network, NetworkError, load
from networks.whole import whole_file

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]
# times, values [step, column], flow of all leaks [step]
_Run = tuple[NDArray[np.int64], Floats, Floats]
_READING_NOISE = 1  # apart from the chance that moves demands


@dataclass(frozen=True, slots=True)
class Part:
    """Work for one process.

    Attributes
    ----------
    folder
        With `model.inp`; the part's file goes there.
    number
        Of the part.
    scenarios, sensors, hours, library, accuracy, fast, quality
        As in `run_batch`.
    """

    folder: Path
    number: int
    scenarios: tuple[Scenario, ...]
    sensors: Sensors
    hours: float | None
    library: LibraryName
    accuracy: float | None = None
    fast: bool = False
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class PartDone:
    """What came of it: how many scenarios, how many of them fast, and why some could not be run."""

    number: int
    scenarios: int
    fast: int
    failed: dict[str, str]


def digest_of(scenarios: tuple[Scenario, ...]) -> str:
    """Fingerprint of scenarios."""
    return hashlib.sha256(repr(scenarios).encode()).hexdigest()


def check_columns(network: Network | WaterNetworkModel, part: Part) -> None:
    """Refuse sensors and water quality that the network does not have, and runs without end, before anything runs.

    Raises
    ------
    UnknownElement, HydraulicError
        For the first of them.
    """
    with Engine(network, part.library) as engine:
        engine.set_hours(part.hours)
        columns = Columns(engine, part.sensors, part.quality)
        steps = engine.duration // max(engine.report_step, 1) + 1
        try:
            np.empty((steps, len(columns.names)))
        except MemoryError as error:
            raise HydraulicError(
                f"{steps} report steps of {len(columns.names)} columns do not fit into memory: take fewer of either"
            ) from error


def run_part(part: Part) -> PartDone:
    """Run a part's scenarios and write its file."""
    work = _Work(part)
    try:
        tables = [work.table(scenario) for scenario in part.scenarios]
    finally:
        work.close()
    done = PartDone(part.number, len(part.scenarios), len(work.solved), work.failed)
    about = json.dumps({"fast": done.fast, "failed": done.failed})
    with whole_file(part_file(part.folder, part.number)) as temporary:
        write_groups(temporary, tables, {"scenarios": digest_of(part.scenarios), "done": about})
    return done


class _Work:
    """A part's engine, opened for it alone, and the results that the fast solver has proved."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._network = load(part.folder / "model.inp")
        self.failed: dict[str, str] = {}
        self._engine: Engine | None = None
        self._columns = Columns(self._open(), part.sensors, part.quality)
        self.solved = self._solve_fast() if part.fast else {}

    def _open(self) -> Engine:
        if self._engine is None:
            self._engine = Engine(self._network, self._part.library)
            self._engine.set_hours(self._part.hours)
        return self._engine

    def close(self) -> None:
        """Free the engine."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _solve_fast(self) -> dict[str, _Run]:
        """Results of those scenarios that the fast solver takes, and proves."""
        from hydro.fast.batch import solve, why_not

        engine, scenarios = self._open(), self._part.scenarios
        if why_not(engine, self._network):
            return {}
        step = max(engine.report_step, 1)
        times = np.arange(engine.duration // step + 1, dtype=np.int64) * step
        found: dict[str, _Run] = {}
        for solved in solve(engine, scenarios, self._columns.nodes, self._columns.links):
            values = np.hstack([solved.pressure, solved.flow])
            _add_noise(scenarios[solved.number], self._columns, values)
            found[scenarios[solved.number].name] = (times, values, solved.leak)
        return found

    def _run_exactly(self, scenario: Scenario) -> _Run:
        """One scenario by EPANET; beside results that hold within a tenth of a millimetre, as tightly as it can."""
        part, engine, columns = self._part, self._open(), self._columns
        if part.accuracy is not None:
            return _run_one(engine, scenario, columns, part.accuracy, part.fast, part.quality)
        if not part.fast:
            return as_leaks_allow(scenario, lambda: self._open().accuracy, lambda a: self._attempt(scenario, a))[0]
        return as_tight_as_can_be(engine, lambda accuracy: _run_one(engine, scenario, columns, accuracy, masks=True))

    def _attempt(self, scenario: Scenario, accuracy: float | None) -> _Run:
        if accuracy is not None:
            self.close()  # what has run takes no leak (2.2) and keeps its doses
        return _run_one(self._open(), scenario, self._columns, accuracy, followed=self._part.quality)

    def table(self, scenario: Scenario) -> Any:
        """One scenario's rows; one row that says why where it could not be run."""
        part = self._part
        if scenario.name in self.solved:
            return _table(scenario.name, self._columns, self.solved[scenario.name], "", "fast")
        try:
            run = self._run_exactly(scenario)
        except (HydraulicError, NetworkError) as error:
            self.failed[scenario.name] = str(error)
            self.close()
            return _table(scenario.name, self._columns, None, str(error), "epanet")
        # 2.2 takes no new junction after a run, and water quality leaves its doses in the model
        if part.library == "2.2" or part.quality is not None:
            self.close()
        return _table(scenario.name, self._columns, run, "", "epanet")


def _run_one(
    engine: Engine,
    scenario: Scenario,
    columns: Columns,
    accuracy: float | None,
    masks: bool = False,
    followed: Quality | None = None,
) -> _Run:
    """One scenario at its report steps: times, values [step, column], flow of all leaks [step], m3/s.

    With `masks`, pressure is NaN where closed links cut a node off from every source, as the fast solver has it.
    """
    step = max(engine.report_step, 1)
    count = engine.duration // step + 1
    values, leaks, row = np.empty((count, len(columns.names))), np.zeros(count), 0
    course, quality = Course(engine, scenario, accuracy=accuracy), None
    try:
        columns.bind(engine)
        course.begin()
        quality = QualityRun(engine, followed) if followed is not None else None
        while True:
            now = engine.solve()
            if quality is not None:
                quality.solve()
            if now == row * step and row < count:
                columns.read(engine, values[row])
                if masks and columns.nodes:
                    seen = [engine.topology.node_index[name] for name in columns.nodes]
                    values[row, : len(seen)][~reached(engine, now)[seen]] = np.nan
                leaks[row] = course.leak_flows().sum() if course.holes else 0.0
                row += 1
            ahead = engine.advance()
            if quality is not None:
                quality.advance()
            if ahead <= 0:
                said = "; ".join(map(str, engine.troubles())) if row < count else ""
                break
            course.prepare()
    finally:
        if quality is not None:
            quality.close()
        course.end()
    if row < count:
        raise RunStopped(max(row - 1, 0) * step, said)
    _add_noise(scenario, columns, values)
    return np.arange(count, dtype=np.int64) * step, values, leaks


def _add_noise(scenario: Scenario, columns: Columns, values: Floats) -> None:
    """What the sensors read in place of what is."""
    noise = scenario.noise
    if not (noise.pressure or noise.level or noise.flow):
        return
    random = np.random.default_rng([scenario.seed, name_number(scenario.name), _READING_NOISE])
    readings = values[:, : columns.n_read]
    chance = random.standard_normal(readings.shape)
    readings += chance * (noise.pressure * columns.is_pressure + noise.level * columns.is_level)
    readings *= 1.0 + chance * (noise.flow * columns.is_flow)


def _table(name: str, columns: Columns, run: _Run | None, error: str, solver: str) -> Any:
    """Rows of one scenario; one row without values where it could not be run."""
    import pyarrow as pa

    times, values, leaks = run if run is not None else (None, None, None)
    n = 1 if times is None else len(times)
    text = pa.dictionary(pa.int32(), pa.string())

    def same(word: str) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype=np.int32)), pa.array([word]))

    fields = [pa.field("scenario", text), pa.field("time_s", pa.int64(), metadata={"unit": "s"})]
    arrays = [same(name), pa.nulls(1, pa.int64()) if times is None else pa.array(times)]
    for place, column in enumerate(columns.names):
        fields.append(pa.field(column, pa.float64(), metadata={"unit": parts_of(column)[1]}))
        arrays.append(pa.nulls(1, pa.float64()) if values is None else pa.array(values[:, place]))
    fields += [
        pa.field("leak[m3/s]", pa.float64(), metadata={"unit": "m3/s"}),
        pa.field("solver", text),
        pa.field("error", pa.string()),
    ]
    arrays += [
        pa.nulls(1, pa.float64()) if leaks is None else pa.array(leaks),
        same(solver),
        pa.array([error]) if error else pa.nulls(n, pa.string()),
    ]
    return pa.table(arrays, schema=pa.schema(fields))
