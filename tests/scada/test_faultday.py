"""Two hours of every fault, in the benchmark's plant: what is due is there once, and nothing good is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

from scada.plc.faults import KINDS

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "faults.py"


def test_every_sample_is_accounted_for_and_no_good_value_is_wrong() -> None:
    command = [sys.executable, str(SCRIPT), "--hours", "2", "--seed", "7"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=True, cwd=SCRIPT.parents[1], env=_environment()
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["due"] == found["accounted"] == found["good"] + found["bad"] + found["missing"]
    assert found["twice"] == found["slots_missed"] == found["reader_faults"] == 0
    assert found["wrong_values_from_wire_faults"] == 0
    assert found["good"] > 0.5 * found["due"]
    wire = {"slow", "silent", "drop", "wrong-unit", "exception", "garbage", "half"}
    assert set(found["replies_struck"]) == wire <= set(KINDS)
    assert {"refused", "timeout", "parked", "garbled", "disconnected", "heartbeat", "nan"} <= set(found["reasons"])
    assert found["noticed"]["frozen-all"]["share_noticed"] == 1.0
    assert found["noticed"]["frozen-all"]["longest_delay_min"] <= 4
    assert found["noticed"]["nan"]["share_noticed"] == 1.0
    assert found["noticed"]["word-swap"]["share_noticed"] > 0.5


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPT.parents[1]), os.environ.get("PYTHONPATH", "")])}
