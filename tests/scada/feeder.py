"""A process that appends samples until it is killed, and tells on its standard output which it had appended when.

    python feeder.py URL BATCH_S FIRST SPOOL

Sample number k has tag ``s{k % 50}``, time START_MS + k and value k. Each line is the number of the last sample that
was appended and the machine's monotonic clock then, in ns. Slices are small, so that they are made and merged all the
time.
"""

import sys
import time

from scada.historian import WriterSettings, housekeeping, open_historian, sqlite_slices
from scada.sample import Sample

START_MS = 1_790_000_000_000
AT_ONCE = 20


def main() -> None:
    url, batch_s, first, spool = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    sqlite_slices.HOT_ROWS, sqlite_slices._STEP_ROWS, sqlite_slices._MERGED_ROWS = 1000, 300, 300
    sqlite_slices._FAN = 3
    housekeeping._MAINTAIN_EVERY_S = 0.0
    store = open_historian(url, WriterSettings(batch_s=batch_s), spool=spool)
    number = first
    while True:
        some = range(number, number + AT_ONCE)
        store.append([Sample(f"s{k % 50}", START_MS + k, START_MS + k, float(k)) for k in some])
        number += AT_ONCE
        sys.stdout.write(f"{number - 1} {time.monotonic_ns()}\n")
        sys.stdout.flush()
        time.sleep(0.002)


if __name__ == "__main__":
    main()
