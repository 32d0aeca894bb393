"""The process in which EPANET 2.0 runs: `python hydro/epanet20child.py LIBRARY`; it imports nothing of ours.

Each line on standard input is a function's name and its arguments (bytes in hexadecimal), each line of output what the
function returned.
"""

import ctypes
import os
import sys


def main() -> None:
    """Call what is asked until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the library prints is no answer
    library = ctypes.cdll.LoadLibrary(sys.argv[1])
    for line in sys.stdin:
        name, *arguments = line.split()
        code = getattr(library, name)(*(bytes.fromhex(argument) for argument in arguments))
        print(code, file=answers, flush=True)


if __name__ == "__main__":
    main()
