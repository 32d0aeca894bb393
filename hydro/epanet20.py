"""EPANET 2.0 in a process of its own.

On 64-bit systems its pool of water-quality segments hands out memory behind the end of a block (valgrind: `addseg`
writes past the block that `AllocInit` took), so that a process in which it ran may die at any time later. It also has
one project for the whole process; here each run has its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from wntr.epanet.toolkit import ENepanet

from hydro.errors import HydraulicError


class _Remote:
    """EPANET's functions, called in the other process; arguments are bytes, what they return is an error code."""

    def __init__(self, library: str) -> None:
        child = Path(__file__).with_name("epanet20child.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(child), library],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="ascii",
        )  # fmt: skip

    def __getattr__(self, name: str) -> Callable[..., int]:
        def call(*arguments: bytes) -> int:
            stdin, stdout = self._process.stdin, self._process.stdout
            assert stdin is not None
            assert stdout is not None
            try:
                stdin.write(" ".join([name, *(argument.hex() for argument in arguments)]) + "\n")
                stdin.flush()
                return int(stdout.readline())
            except (BrokenPipeError, ValueError):
                raise HydraulicError(
                    f"EPANET 2.0 ended with signal or code {self._process.wait()} in {name}; run the network on 2.2"
                ) from None

        return call

    def end(self) -> None:
        """End the process; what EPANET keeps in memory goes with it."""
        self._process.kill()
        self._process.communicate()


class Epanet20(ENepanet):  # type: ignore[misc]
    """WNTR's binding on an EPANET 2.0 in another process; of its methods those that take paths or nothing."""

    def __init__(self) -> None:
        super().__init__(version=2.0)
        self.ENlib: Any = _Remote(str(vars(self)["ENlib"]._name))

    def ENclose(self) -> None:
        """Close the project and end the process."""
        with suppress(HydraulicError):  # that it died has been said
            super().ENclose()
        self.ENlib.end()
