"""The two EPANET libraries behind one C interface.

EPANET 2.3 comes with the package owa-epanet, EPANET 2.2 with WNTR. Both export the thread-safe `EN_…` functions of
the EPANET toolkit (epanet2_2.h), so one binding serves both. 2.3 adds bulk getters and pipe leakage.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any, Literal

from hydro.codes import ERRORS
from hydro.errors import EpanetError, LibraryMissing

LibraryName = Literal["2.3", "2.2"]

# property and option codes of epanet2_enums.h
NODE = {
    "elevation": 0,
    "base_demand": 1,
    "pattern": 2,
    "emitter": 3,
    "initial_quality": 4,
    "source_quality": 5,
    "source_pattern": 6,
    "source_type": 7,
    "tank_level": 8,
    "demand": 9,
    "head": 10,
    "pressure": 11,
    "quality": 12,
    "tank_diameter": 17,
    "volume_curve": 19,
    "min_level": 20,
    "max_level": 21,
    "min_volume": 18,
    "initial_volume": 14,
    "max_volume": 25,
    "tank_bulk_decay": 23,
    "overflow": 26,
    "leakage": 30,
}
LINK = {
    "diameter": 0,
    "length": 1,
    "roughness": 2,
    "minor_loss": 3,
    "init_status": 4,
    "init_setting": 5,
    "bulk_decay": 6,
    "wall_decay": 7,
    "flow": 8,
    "velocity": 9,
    "headloss": 10,
    "status": 11,
    "setting": 12,
    "energy": 13,  # kW, computed
    "quality": 14,
    "pattern": 15,
    # EPANET's own status of any link: 0 pump beyond its head, 1 shut for the moment by a tank, 2 closed, 3 open,
    # 4 active, 5 pump beyond its flow, 6 FCV and 7 PRV or PSV that cannot hold its setting
    "state": 16,  # EN_PUMP_STATE, which answers with the raw status of every link
    "power": 18,
    "head_curve": 19,
    "energy_price": 21,
    "price_pattern": 22,
    "headloss_curve": 24,
    "opening_curve": 25,
    "leak_area": 26,
    "leak_expansion": 27,
    "leakage": 28,
}
TIME = {
    "duration": 0,
    "hydraulic_step": 1,
    "pattern_step": 3,
    "pattern_start": 4,
    "report_step": 5,
    "report_start": 6,
    "rule_step": 7,
    "statistic": 8,
    "start_time": 10,
    "now": 11,
}
OPTION = {"accuracy": 1, "emitter_exponent": 3, "demand_multiplier": 4, "default_pattern": 23, "headloss_form": 7,
          "pressure_unit": 25, "specific_gravity": 12, "viscosity": 13, "trials": 0,
          "emitter_backflow": 24, "bulk_order": 19, "wall_order": 20, "tank_order": 21,
          "limiting_quality": 22, "energy_price": 9, "price_pattern": 10}  # fmt: skip
COUNT = {"nodes": 0, "tanks": 1, "links": 2, "patterns": 3, "curves": 4, "controls": 5, "rules": 6}
# EPANET splits lines with strtok, which keeps its place for the whole process: files read by two threads at once, even
# by two libraries, cut each other's lines
READING = threading.Lock()
_REFUSED = 200  # the file as a whole; what is wrong in it has a code of its own
INIT_FLOWS = 10  # EN_INITFLOW: results never depend on what ran before

_INT = ctypes.c_int
_LONG = ctypes.c_long
_DOUBLE = ctypes.c_double
_TEXT = ctypes.c_char_p
_PROJECT = ctypes.c_void_p

_SIGNATURES: dict[str, list[Any]] = {
    "open": [_TEXT, _TEXT, _TEXT],
    "close": [],
    "openH": [],
    "initH": [_INT],
    "runH": [ctypes.POINTER(_LONG)],
    "nextH": [ctypes.POINTER(_LONG)],
    "closeH": [],
    "setreport": [_TEXT],
    "getcount": [_INT, ctypes.POINTER(_INT)],
    "getflowunits": [ctypes.POINTER(_INT)],
    "getoption": [_INT, ctypes.POINTER(_DOUBLE)],
    "setoption": [_INT, _DOUBLE],
    "gettimeparam": [_INT, ctypes.POINTER(_LONG)],
    "settimeparam": [_INT, _LONG],
    "setdemandmodel": [_INT, _DOUBLE, _DOUBLE, _DOUBLE],
    "getdemandmodel": [ctypes.POINTER(_INT)] + [ctypes.POINTER(_DOUBLE)] * 3,
    "getnodeid": [_INT, _TEXT],
    "getnodetype": [_INT, ctypes.POINTER(_INT)],
    "getnodevalue": [_INT, _INT, ctypes.POINTER(_DOUBLE)],
    "setnodevalue": [_INT, _INT, _DOUBLE],
    "getcoord": [_INT, ctypes.POINTER(_DOUBLE), ctypes.POINTER(_DOUBLE)],
    "getnumdemands": [_INT, ctypes.POINTER(_INT)],
    "getbasedemand": [_INT, _INT, ctypes.POINTER(_DOUBLE)],
    "setbasedemand": [_INT, _INT, _DOUBLE],
    "adddemand": [_INT, _DOUBLE, _TEXT, _TEXT],
    "getdemandpattern": [_INT, _INT, ctypes.POINTER(_INT)],
    "setdemandpattern": [_INT, _INT, _INT],
    "getlinkid": [_INT, _TEXT],
    "getlinktype": [_INT, ctypes.POINTER(_INT)],
    "getlinknodes": [_INT, ctypes.POINTER(_INT), ctypes.POINTER(_INT)],
    "getlinkvalue": [_INT, _INT, ctypes.POINTER(_DOUBLE)],
    "setlinkvalue": [_INT, _INT, _DOUBLE],
    "getpatternlen": [_INT, ctypes.POINTER(_INT)],
    "getpatternvalue": [_INT, _INT, ctypes.POINTER(_DOUBLE)],
    "setpatternvalue": [_INT, _INT, _DOUBLE],
    "getpatternid": [_INT, _TEXT],
    "getcurveid": [_INT, _TEXT],
    "getcurvelen": [_INT, ctypes.POINTER(_INT)],
    "getcurvetype": [_INT, ctypes.POINTER(_INT)],
    "getcurvevalue": [_INT, _INT, ctypes.POINTER(_DOUBLE), ctypes.POINTER(_DOUBLE)],
    "getpumptype": [_INT, ctypes.POINTER(_INT)],
    "getcontrol": [_INT]
    + [ctypes.POINTER(_INT)] * 2
    + [ctypes.POINTER(_DOUBLE), ctypes.POINTER(_INT), ctypes.POINTER(_DOUBLE)],
    "getruleID": [_INT, _TEXT],
    "getrule": [_INT] + [ctypes.POINTER(_INT)] * 3 + [ctypes.POINTER(_DOUBLE)],
    "addcontrol": [_INT, _INT, _DOUBLE, _INT, _DOUBLE, ctypes.POINTER(_INT)],
    "deletecontrol": [_INT],
    "deleterule": [_INT],
    "addnode": [_TEXT, _INT, ctypes.POINTER(_INT)],
    "addlink": [_TEXT, _INT, _TEXT, _TEXT, ctypes.POINTER(_INT)],
    "setlinknodes": [_INT, _INT, _INT],
    "setcoord": [_INT, _DOUBLE, _DOUBLE],
    "deletenode": [_INT, _INT],
    "deletelink": [_INT, _INT],
    "copyreport": [_TEXT],
    "setcontrol": [_INT] * 3 + [_DOUBLE, _INT, _DOUBLE],
    "addpattern": [_TEXT],
    "setqualtype": [_INT, _TEXT, _TEXT, _TEXT],
    "openQ": [],
    "initQ": [_INT],
    "runQ": [ctypes.POINTER(_LONG)],
    "nextQ": [ctypes.POINTER(_LONG)],
    "closeQ": [],
    "getqualinfo": [ctypes.POINTER(_INT), _TEXT, _TEXT, ctypes.POINTER(_INT)],
    "getqualtype": [ctypes.POINTER(_INT), ctypes.POINTER(_INT)],
}
# what 2.3 added
_BULK: dict[str, list[Any]] = {
    "setcontrolenabled": [_INT, _INT],
    "getnodevalues": [_INT, ctypes.c_void_p],
    "getlinkvalues": [_INT, ctypes.c_void_p],
}


def _folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _path_of(name: LibraryName) -> Path:
    """Find the shared object without importing the package that carries it (WNTR takes more than a second)."""
    ending = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    if name == "2.3":
        root, package = _folder("epanet"), "owa-epanet"
        found = [] if root is None else sorted(p for p in root.glob(f"*epanet2{ending}"))
    else:
        root, package = _folder("wntr"), "wntr"
        machine = "arm" if platform.machine().lower().startswith(("arm", "aarch")) else "x64"
        system = {"win32": "windows", "darwin": "darwin"}.get(sys.platform, "linux")
        found = [] if root is None else sorted((root / f"epanet/libepanet/{system}-{machine}").glob(f"*22{ending}"))
        if not found and root is not None:  # WNTR names its only ARM library without the version
            found = sorted((root / f"epanet/libepanet/{system}-{machine}").glob(f"libepanet2{ending}"))
    if not found:
        raise LibraryMissing(name, package)
    return found[0]


class Library:
    """One loaded EPANET library.

    Parameters
    ----------
    name
        "2.3" (owa-epanet) or "2.2" (WNTR's).

    Attributes
    ----------
    path
        The shared object.

    Raises
    ------
    LibraryMissing
        If the package that carries it is not installed.
    """

    def __init__(self, name: LibraryName) -> None:
        self.name = name
        self.path = _path_of(name)
        self._dll = ctypes.CDLL(str(self.path))
        self._functions: dict[str, Any] = {}
        self.has_bulk = hasattr(self._dll, "EN_getnodevalues")
        for function, arguments in (_SIGNATURES | (_BULK if self.has_bulk else {})).items():
            getattr(self._dll, f"EN_{function}").argtypes = [_PROJECT, *arguments]
        self._dll.EN_createproject.argtypes = [ctypes.POINTER(_PROJECT)]
        self._dll.EN_deleteproject.argtypes = [_PROJECT]
        self._dll.EN_geterror.argtypes = [_INT, _TEXT, _INT]

    def function(self, name: str) -> Any:
        """The C function `EN_name`; it returns EPANET's code."""
        found = self._functions.get(name)
        if found is None:
            found = self._functions[name] = getattr(self._dll, f"EN_{name}")
        return found

    def create(self) -> ctypes.c_void_p:
        """Make a project; one project serves one thread at a time."""
        project = _PROJECT()
        self._dll.EN_createproject(ctypes.byref(project))
        return project

    def delete(self, project: ctypes.c_void_p) -> None:
        """Free a project."""
        self._dll.EN_deleteproject(project)

    def describe(self, code: int) -> str:
        """EPANET's words for an error or warning code."""
        text = ctypes.create_string_buffer(256)
        self._dll.EN_geterror(code, text, 255)
        return text.value.decode("utf-8", "replace").strip() or f"error {code}"

    def check(self, code: int, where: str) -> int:
        """Pass warnings (1-6) through and raise errors.

        Raises
        ------
        EpanetError
            For a code above 100.
        """
        if code > 100:
            cause, mend = ERRORS.get(code, ("", "")) if code != _REFUSED else ("", "")
            raise EpanetError(code, self.describe(code), where, f"{cause}: {mend}" if cause else "")
        return code


@cache
def load_library(name: LibraryName) -> Library:
    """Load an EPANET library once."""
    return Library(name)
