"""`umanflow plc` and `poll` in two processes over every way to reach a device, with faults that come while they run."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trustme

from scada.plc.stations import pump_station
from scada.tags import write_tags
from tests.umanflow.test_cli import free_port, umanflow
from umanflow.config import read_config
from umanflow.errors import ConfigError

HEAD = """
network = "Net1"
[historian]
url = "sqlite:///h.db"
[tags]
file = "tags.csv"
[plc]
step_s = 60
tls_certificate = "plc.pem"
tls_key = "plc.key"
tls_ca = "ca.pem"
faults = "faults.toml"
"""
TLS = 'tls_ca = "ca.pem"\ntls_certificate = "reader.pem"\ntls_key = "reader.key"\n'


def write_plant(folder: Path) -> Path:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, identity in (("plc", "127.0.0.1"), ("reader", "reader.example")):
        issued = authority.issue_cert(identity)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    urls = {
        "tcp": f"tcp://127.0.0.1:{free_port()}",
        "tls": f"tls://127.0.0.1:{free_port()}",
        "gateway": f"rtu+tcp://127.0.0.1:{free_port()}",
        "line": f"rtu://{folder / 'tty'}?baud=115200&parity=N&stopbits=1",
    }
    text, tags = HEAD, []
    for name, url in urls.items():
        text += f'[[devices]]\nname = "{name}"\nurl = "{url}"\n' + (TLS if name == "tls" else "")
        elements = {"flow": "9", "discharge_pressure": "10", "pump1_running": "9", "pump1_command": "9"}
        tags += pump_station(name, elements, pumps=1, interval_s=1.0)
    write_tags(folder / "tags.csv", tags)
    (folder / "faults.toml").write_text('[[faults]]\nkind = "exception"\ndevice = "gateway"\ncode = 6\n')
    (folder / "umanflow.toml").write_text(text)
    return folder / "umanflow.toml"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_plc_and_poll_over_every_way(tmp_path):
    config = write_plant(tmp_path)
    plc = subprocess.Popen([sys.executable, "-m", "umanflow", "plc", "--config", str(config), "--duration", "60"])
    try:
        deadline = time.monotonic() + 40
        while not (tmp_path / "tty").is_symlink():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(0.5)
        result = umanflow("poll", "--config", str(config), "--duration", "2.5", "--status", "--json")
        assert result.returncode == 0, result.stderr
        status = {row["device"]: row for row in json.loads(result.stdout)}
        for name in ("tcp", "tls", "line"):
            assert status[name]["good"] > 0, status[name]
        assert status["gateway"]["good"] == 0
        assert "Modbus exception 6" in status["gateway"]["last error"]
        (tmp_path / "faults.toml").write_text("")  # on demand: the fault is gone
        time.sleep(1.5)
        result = umanflow("poll", "--config", str(config), "--duration", "2", "--status", "--json")
        status = {row["device"]: row for row in json.loads(result.stdout)}
        assert status["gateway"]["good"] > 0
    finally:
        plc.terminate()
        assert plc.wait(timeout=20) == 0
    assert not (tmp_path / "tty").is_symlink()


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ('url = "tcp://plc"\ntls_ca = "ca.pem"', "is no tls://"),
        ('url = "rtu:///dev/ttyUSB0?parity=X"', "none of N, E, O"),
        ('url = "rtu:///dev/ttyUSB0"\nunit = 0', "write 1..247"),
        ('url = "tls://"', "not host and port"),
    ],
)
def test_mistakes_about_a_way_are_told_in_one_line(tmp_path, device, words):
    file = tmp_path / "umanflow.toml"
    file.write_text(f'network = "Net1"\n[[devices]]\nname = "a"\n{device}\n')
    with pytest.raises(ConfigError, match=words) as caught:
        read_config(file)
    assert "\n" not in str(caught.value)


def test_tls_files_are_relative_to_the_configuration(tmp_path):
    config = read_config(write_plant(tmp_path))
    device = next(device for device in config.devices if device.name == "tls")
    assert device.settings(config.folder).tls.certificate == str(tmp_path / "reader.pem")
    assert config.plc.tls_files(config.folder).ca == str(tmp_path / "ca.pem")
