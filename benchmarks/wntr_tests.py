"""WNTR's own tests with `hydro.Simulator` in the place of `EpanetSimulator`.

The tests belong to WNTR and are not in this repository: give the folder of a copy of WNTR's source of the version
installed here (it holds `wntr/tests` and `examples/networks`). They run twice, once as they are and once with every
`EpanetSimulator` replaced, and a test that passes only as it is counts as a failure of ours.

    python benchmarks/wntr_tests.py ../wntr
    python benchmarks/wntr_tests.py ../wntr test_sim_results.py test_times.py
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

_HERE = Path(__file__).resolve().parent.parent

# Loaded as a pytest plugin before any test module: from then on there is no other simulator to import. What runs is
# counted, as a test that never asks for the simulator proves nothing.
_PLUGIN = """
import os
import wntr
import wntr.morph.skel
import wntr.sim
import wntr.sim.epanet
from hydro import Simulator

if os.environ["SIMULATOR"] == "ours":
    runs = [0]
    original = Simulator.run_sim

    def counted(self, *arguments, **options):
        runs[0] += 1
        return original(self, *arguments, **options)

    Simulator.run_sim = counted
    for module in (wntr.sim, wntr.sim.epanet, wntr.morph.skel):
        module.EpanetSimulator = Simulator

    def pytest_sessionfinish(session):
        with open(os.environ["SIMULATOR_RUNS"], "w") as file:
            file.write(str(runs[0]))
"""


def _outcomes(report: Path) -> dict[str, str]:
    """Outcome of each test: passed, failed or skipped."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        tags = {child.tag for child in case}
        outcome = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
        found[f"{case.get('classname')}.{case.get('name')}"] = outcome
    return found


def _run(folder: Path, scratch: Path, which: str, files: list[str]) -> tuple[dict[str, str], int]:
    """Run the tests; return outcomes and how often our simulator ran."""
    plugin = scratch / "plugin"
    plugin.mkdir(exist_ok=True)
    (plugin / "simulator_plugin.py").write_text(_PLUGIN, "utf-8")
    report, runs = scratch / f"{which}.xml", scratch / f"{which}.runs"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(plugin), str(_HERE)]),
        "SIMULATOR": which,
        "SIMULATOR_RUNS": str(runs),
        "MPLBACKEND": "Agg",
    }
    tests = folder / "wntr" / "tests"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--maxfail=1000", "-p", "simulator_plugin"]
    command += ["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tests), "--import-mode=prepend"]
    command += ["-W", "ignore", f"--junitxml={report}", *(str(tests / name) for name in files)]
    with (scratch / f"{which}.log").open("w") as log:
        subprocess.run(command, env=environment, cwd=scratch, stdout=log, stderr=log, check=False)
    return _outcomes(report), int(runs.read_text()) if runs.exists() else 0


def _users(tests: Path) -> list[str]:
    """Test files that mention the simulator, skeletonization (which uses it) included."""
    words = ("EpanetSimulator", "skeletonize")
    return sorted(
        file.name for file in tests.glob("test_*.py") if any(w in file.read_text("utf-8", "replace") for w in words)
    )


def main() -> None:
    """Run both and print what differs, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of WNTR's source")
    parser.add_argument("files", nargs="*", help="test files; by default those that use the simulator")
    options = parser.parse_args()
    tests = options.source / "wntr" / "tests"
    files = options.files or _users(tests)
    outcomes, runs, seconds = {}, {}, {}
    with tempfile.TemporaryDirectory(prefix="umanflow-") as name:
        scratch = Path(name)
        folder = scratch / "source"  # apart from WNTR's package, which would be imported in place of the installed one
        (folder / "wntr").mkdir(parents=True)
        shutil.copytree(tests, folder / "wntr" / "tests")
        shutil.copytree(options.source / "examples", folder / "examples")
        for which in ("theirs", "ours"):
            start = time.perf_counter()
            outcomes[which], runs[which] = _run(folder, scratch, which, files)
            seconds[which] = round(time.perf_counter() - start, 1)
            print(which, {word: list(outcomes[which].values()).count(word) for word in ("passed", "failed", "skipped")})
            if not outcomes[which]:
                print((scratch / f"{which}.log").read_text()[-3000:])
        theirs, ours = outcomes["theirs"], outcomes["ours"]
        worse = sorted(test for test, word in theirs.items() if word == "passed" and ours.get(test) != "passed")
        better = sorted(test for test, word in ours.items() if word == "passed" and theirs.get(test) != "passed")
        for test in worse:
            print("passes with EpanetSimulator alone:", test)
        for test in better:
            print("passes with Simulator alone:", test)
        if worse:
            print((scratch / "ours.log").read_text()[-20000:])
    import wntr

    summary = {
        "wntr": wntr.__version__,
        "files": len(files),
        "tests": len(theirs),
        "passed_theirs": list(theirs.values()).count("passed"),
        "passed_ours": list(ours.values()).count("passed"),
        "runs_of_ours": runs["ours"],
        "worse": worse,
        "better": better,
        "seconds": seconds,
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
