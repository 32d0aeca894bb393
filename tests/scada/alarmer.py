"""A process that evaluates alarms until it is killed, and tells of every entry once it is kept.

    python alarmer.py URL WAITING SEED

Each line is an entry's number, alarm and state, or two strokes where it is about a position.
"""

import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from scada.alarms import Alarm, Command
from scada.alarms.service import AlarmService
from scada.historian import open_historian
from scada.sample import Sample


def main() -> None:
    url, waiting, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    store = open_historian(url, spool_bytes=0)
    alarms = [Alarm(f"t{k}", "H", limit=5.0) for k in range(8)]
    service = AlarmService(alarms, store.alarms, waiting)
    while True:
        now_ms = time.time_ns() // 1_000_000
        service.take([Sample(f"t{k}", now_ms, now_ms, rng.choice([1.0, 9.0])) for k in range(8)])
        name = f"t{rng.randrange(8)}/H"
        command = Command(name, rng.choice(["acknowledge", "shelve", "unshelve"]), "Олена", "why", 60.0)
        service.engine.command(replace(command, time_ms=now_ms))
        for entry in service.tick():
            sys.stdout.write(f"{entry.number} {entry.alarm or '-'} {entry.after or '-'}\n")
        sys.stdout.flush()
        time.sleep(0.02)


if __name__ == "__main__":
    main()
