"""What the poller loads and what it must not."""

import subprocess
import sys


def test_reading_and_storing_load_no_pandas() -> None:
    code = (
        "import sys, scada.reader, scada.historian.sqlite, scada.plc.device, scada.plc.stations, scada.tags\n"
        "print(sorted({'pandas', 'networks', 'hydro', 'models', 'umanflow'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
