"""`pip install .` into a fresh environment gives a working command outside the checkout."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_installed_command_runs_elsewhere(tmp_path):
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(scripts / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), str(ROOT)], check=True, timeout=900)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    out = tmp_path / "out.csv"
    run = [str(scripts / "umanflow"), "simulate", "Net1", "--hours", "2", "-o", str(out)]
    result = subprocess.run(run, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert out.read_text().startswith('"time_s"')
    word = "from umanflow.report.wording import Wording; print(ascii(Wording('uk').say('Pipe')))"
    packed = "from umanflow.report.html import _script, _template; print(len(_script()) > 1000, _template().name)"
    for code, said in ((word, ascii("Ділянка")), (packed, "True report.html.j2")):
        result = subprocess.run(
            [str(scripts / "python"), "-c", code], cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=120
        )
        assert result.stdout.strip() == said, result.stderr
    where = "import networks, umanflow.demo.city as c; print(networks.__file__); print(c.read_city().network.crs)"
    result = subprocess.run(
        [str(scripts / "python"), "-c", where], cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=120
    )
    assert str(environment) in result.stdout
    assert "EPSG:32636" in result.stdout
