"""The bar on stderr: rate and time left on a terminal, nothing in a pipe."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hydro.scenario import Scenario
from hydro.scenariofile import write_scenarios


def on_a_terminal(*arguments: str) -> str:
    """What a command writes to a terminal, without its colours and motions."""
    near, far = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    command = [sys.executable, "-m", "umanflow", *arguments]
    with subprocess.Popen(command, stderr=far, stdout=subprocess.DEVNULL, env=environment) as child:
        os.close(far)
        seen = b""
        while True:
            try:
                piece = os.read(near, 65536)
            except OSError:  # the terminal is gone with the last that wrote to it
                break
            if not piece:
                break
            seen += piece
    os.close(near)
    assert child.returncode == 0, seen
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    path = tmp_path / "s.csv"
    write_scenarios([Scenario(f"s{k}") for k in range(70)], path)
    return path


def test_a_batch_shows_how_many_how_fast_and_how_long(calm: Path, tmp_path: Path) -> None:
    """From none over the parts of 32 to all of them, with a rate as soon as there is one."""
    command = ["batch", "Net3", "--scenarios", str(calm), "--jobs", "1", "-o", str(tmp_path / "b.parquet")]
    seen = on_a_terminal(*command)
    assert re.search(r"scenarios .*70/70 +[0-9.e+]+/s +[0-9:]+ left +[-0-9:]+", seen), seen
    counts = [int(count) for count in re.findall(r"(\d+)/70", seen)]
    assert counts == sorted(counts)
    piped = subprocess.run([sys.executable, "-m", "umanflow", *command], capture_output=True, text=True, check=True)
    assert piped.stderr == ""


def test_a_run_shows_its_share_its_rate_and_the_time_left(tmp_path: Path) -> None:
    seen = on_a_terminal("simulate", "Net3", "-o", str(tmp_path / "r.parquet"))
    assert re.search(r"simulate .*100 % +[0-9.e+]+ %/s +left +[-0-9:]+", seen), seen
