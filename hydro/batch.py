"""Many scenarios of one network, exactly, on all cores or on a Dask cluster, in a memory that does not grow.

Scenarios are taken a part at a time. A worker opens the network anew for its part, so that a part's numbers depend on
nothing that ran before, and writes one Parquet file under another name before it gets its own. What is there when a
batch is started again is not computed again; the whole file appears when every part is there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydro.batchcolumns import EVERYTHING, Sensors, usual_sensors
from hydro.batchfiles import merge, part_file
from hydro.batchpart import Part, check_columns, digest_of, run_part
from hydro.errors import HydraulicError, ScenarioError
from hydro.export import check_path
from hydro.library import LibraryName
from hydro.opening import as_network
from hydro.quality import Quality
from hydro.scenario import Scenario, Surge
from networks import Network
from networks.export import inp_bytes, model_bytes
from networks.whole import whole_file

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

_PART = 32
_TALK = 4  # of a batch's failures, how many an error quotes


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch gave.

    Attributes
    ----------
    path
        The file.
    n_scenarios
        All of them, those of earlier starts included.
    n_new
        Those that this start has computed.
    n_fast
        Those that the fast solver has proved; EPANET ran the others.
    failed
        Name of each scenario that EPANET could not run, and why.
    """

    path: Path
    n_scenarios: int
    n_new: int
    n_fast: int
    failed: dict[str, str]


def run_batch(
    network: Network | WaterNetworkModel | Path | str,
    scenarios: Iterable[Scenario],
    output: Path | str = "batch.parquet",
    sensors: Sensors | None = None,
    hours: float | None = None,
    library: LibraryName = "2.3",
    accuracy: float | None = None,
    fast: bool = False,
    jobs: int = -1,
    dask: str | None = None,
    part_size: int = _PART,
    progress: Callable[[int], None] | None = None,
    quality: Quality | None = None,
) -> BatchResult:
    """Run scenarios and write one file.

    Parameters
    ----------
    network
        What `Engine` accepts.
    scenarios
        Taken one after another: may be a generator of any length. Their names must differ.
    output
        A .parquet or .csv: one row for each scenario and report step, with `scenario`, `time_s`, a column
        `quantity[unit]:element` for each sensor, `leak[m3/s]` (all leaks of the scenario together), `solver` (fast
        or epanet) and `error`, why a scenario could not be run. Or a .nc (`hydro.batchfiles.merge`). Parts stand in
        OUTPUT.parts until it is whole.
    sensors
        What to keep; by default the network's own sensors, and where it lists none those of
        `hydro.batchcolumns.usual_sensors`. `hydro.batch.EVERYTHING` keeps all nodes and links.
    hours
        Length of each run; by default the model's own.
    accuracy
        EPANET's criterion of convergence; see `hydro.course.Course`.
    fast
        Let our own solver run sixteen scenarios at a time where it can prove that heads are within 1 mm of EPANET's
        (`hydro.fast`, ADR 7): orifices at junctions and in the middle of pipes, closed pipes, a factor on all demand;
        in networks without rules and pumps of constant power. EPANET runs the rest, at an accuracy of 1e-6 where it
        gets through with that. Compiling takes half a minute, once; heads of nodes that closed links cut off are NaN.
    jobs
        Processes; -1 for all cores.
    dask
        Address of a Dask scheduler in place of processes of this machine; its workers must see `output`'s folder.
    part_size
        Scenarios in one part.
    progress
        Called with the number of scenarios done so far, those of earlier starts included.
    quality
        Water quality to follow in every run, and to keep at the sensors; None for hydraulics alone.

    Raises
    ------
    HydraulicError
        If the network is not known, a sensor is none of its elements, or the parts are of another batch.
    ScenarioError
        If two scenarios have one name.
    """
    output = Path(output)
    check_path(output)
    if fast and (library != "2.3" or quality is not None or (sensors is not None and sensors.all)):
        raise HydraulicError(
            "the fast solver goes with EPANET 2.3, without water quality, and keeps sensors, not everything; leave one "
            "out"
        )
    opened = as_network(network)
    kept = sensors or usual_sensors(opened, library)
    folder = output.with_name(output.name + ".parts")
    plan = Part(folder, 0, (), kept, hours, library, accuracy, fast, quality)
    check_columns(opened, plan)
    _prepare(opened, plan, part_size)
    counts = _Counts(progress)
    todo = (part for part in _parts(scenarios, opened, plan, folder, counts) if not _is_there(part, counts))
    try:
        for done in _run(todo, jobs, dask):
            counts.take(done.scenarios, done.fast, done.failed, is_new=True)
        if not counts.parts:
            raise ScenarioError("there is no scenario to run")
    except BaseException:
        if not any(folder.glob("part-*.parquet")):
            shutil.rmtree(folder, ignore_errors=True)  # nothing to go on from
        raise
    merge(folder, counts.parts, counts.done, output)
    shutil.rmtree(folder, ignore_errors=True)
    return BatchResult(output, counts.done, counts.new, counts.fast, counts.failed)


class _Counts:
    """How far the batch is."""

    def __init__(self, progress: Callable[[int], None] | None) -> None:
        self.parts = self.done = self.new = self.fast = 0
        self.failed: dict[str, str] = {}
        self._progress = progress

    def take(self, scenarios: int, fast: int, failed: dict[str, str], is_new: bool) -> None:
        self.done += scenarios
        self.fast += fast
        self.new += scenarios if is_new else 0
        self.failed |= failed
        if self._progress is not None:
            self._progress(self.done)


# before ---------------------------------------------------------------------------------------------------------------


def _prepare(network: Network | WaterNetworkModel, plan: Part, part_size: int) -> None:
    """Make the folder of parts with the network in it, or check that it is this batch's."""
    data = inp_bytes(network) if isinstance(network, Network) else model_bytes(network)
    about = {
        "inp": hashlib.sha256(data).hexdigest(), "nodes": plan.sensors.nodes, "links": plan.sensors.links,
        "all": plan.sensors.all, "hours": plan.hours, "library": plan.library, "accuracy": plan.accuracy,
        "fast": plan.fast, "quality": plan.quality and asdict(plan.quality), "part_size": part_size, "format": 2,
    }  # fmt: skip
    about = json.loads(json.dumps(about))
    folder = plan.folder
    record = folder / "batch.json"
    folder.mkdir(exist_ok=True)
    begun = any(folder.glob("part-*.parquet"))
    if record.is_file() and begun:
        there = json.loads(record.read_text("utf-8"))
        if there != about:
            differ = ", ".join(sorted(key for key in about if there.get(key) != about[key]))
            raise HydraulicError(
                f"{folder}: holds the parts of another batch ({differ} differ); remove it or choose another output"
            )
    else:
        with whole_file(folder / "model.inp") as temporary:
            temporary.write_bytes(data)
        with whole_file(record) as temporary:
            temporary.write_text(json.dumps(about, indent=1), "utf-8")
    for stale in folder.glob(".part-*"):
        stale.unlink(missing_ok=True)  # of a start that was killed


def _parts(scenarios: Iterable[Scenario], network: object, plan: Part, folder: Path, counts: _Counts) -> Iterator[Part]:
    """Cut the scenarios into parts, refusing names that come twice."""
    size = json.loads((folder / "batch.json").read_text("utf-8"))["part_size"]
    stream, seen = iter(scenarios), set[bytes]()
    while chunk := tuple(islice(stream, size)):
        for scenario in chunk:
            key = hashlib.blake2b(scenario.name.encode(), digest_size=8).digest()
            if key in seen:
                raise ScenarioError(f"two scenarios are called '{scenario.name}'; give each its own name")
            seen.add(key)
        resolved = tuple(_with_junctions(scenario, network) for scenario in chunk)
        yield replace(plan, number=counts.parts, scenarios=resolved)
        counts.parts += 1


def _with_junctions(scenario: Scenario, network: object) -> Scenario:
    """Blocks in place of their names: a worker has the INP only."""
    if not any(isinstance(event, Surge) and any(":" in name for name in event.junctions) for event in scenario.events):
        return scenario
    from hydro.targets import junctions_of_block

    events = []
    for event in scenario.events:
        if isinstance(event, Surge):
            names = [j for name in event.junctions for j in junctions_of_block(name, network)]
            event = replace(event, junctions=tuple(names))
        events.append(event)
    return replace(scenario, events=tuple(events))


def _is_there(part: Part, counts: _Counts) -> bool:
    """Whether an earlier start has computed a part; its scenarios must be these."""
    import pyarrow.parquet

    file = part_file(part.folder, part.number)
    if not file.is_file():
        return False
    known = pyarrow.parquet.read_schema(file).metadata or {}
    if known.get(b"scenarios") != digest_of(part.scenarios).encode():
        raise HydraulicError(
            f"{part.folder}: part {part.number} is of other scenarios; remove the folder or choose another output"
        )
    done = json.loads(known[b"done"])
    counts.take(len(part.scenarios), done["fast"], done["failed"], is_new=False)
    return True


# while ----------------------------------------------------------------------------------------------------------------


def _run(parts: Iterator[Part], jobs: int, dask: str | None) -> Iterator[Any]:
    if dask is None and jobs == 1:
        yield from map(run_part, parts)
        return
    from joblib import Parallel, delayed

    with _cluster(dask):
        parallel = Parallel(n_jobs=jobs if dask is None else -1, return_as="generator_unordered", batch_size=1)
        yield from parallel(delayed(run_part)(part) for part in parts)


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Let joblib work on a Dask cluster, where one is named."""
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise HydraulicError("a Dask cluster needs more packages: pip install 'umanflow[dask]'") from error
    from joblib import parallel_config

    try:
        client = Client(address, timeout=5)  # type: ignore[no-untyped-call, unused-ignore]
    except (OSError, ValueError, TimeoutError) as error:
        raise HydraulicError(f"{address}: no Dask scheduler answers there; start one, or leave --dask out") from error
    with client, parallel_config(backend="dask"):
        yield


__all__ = ["EVERYTHING", "BatchResult", "Sensors", "run_batch"]
