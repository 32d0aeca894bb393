"""One open EPANET project: the C interface in terms of Python values, still in the INP's own units."""

from __future__ import annotations

import os
import tempfile
from ctypes import byref, c_double, c_int, c_long, create_string_buffer
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hydro.bulk import getter, setter
from hydro.errors import HydraulicError
from hydro.hydraulicsfile import hydraulics_option, insert_option, names_hydraulics
from hydro.library import COUNT, LINK, NODE, OPTION, READING, TIME, LibraryName, load_library

Floats = NDArray[np.float64]

_COMPILING = 500_000  # values read one by one in the time that compiling a loop takes

_LAST_WARNING = 100
_TRACE = 3  # EPANET's code of a water quality that is the share of one source


def report_excerpt(path: Path, encoding: str) -> str:
    """First error that EPANET wrote into its report, on one line: it names the section and the line."""
    try:
        lines = path.read_text(encoding=encoding, errors="replace").splitlines()
    except OSError:
        return ""
    for k, line in enumerate(lines):
        if "Error 2" in line:
            following = [t.strip() for t in lines[k + 1 : k + 2] if t.strip()]
            return " ".join(" ".join([line, *following]).split())
    return ""


class Project:
    """An INP opened in one EPANET library; frees everything on `close` or at the end of a `with`.

    One project belongs to one thread at a time. Indices are 0-based here and 1-based in EPANET.

    Parameters
    ----------
    inp
        The file; bytes and line ends as EPANET reads them.
    library
        "2.3" (owa-epanet) or "2.2" (WNTR's).
    encoding
        Of the names in the file: EPANET hands them back as bytes.
    where
        What errors call the file, where `inp` is a copy of another.
    report
        Where EPANET's own report is to stay; by default it goes with the project's temporary files.

    Raises
    ------
    EpanetError
        If EPANET refuses the file; the text holds the first line it complains about.
    """

    def __init__(
        self,
        inp: Path,
        library: LibraryName = "2.3",
        encoding: str = "utf-8",
        where: str | None = None,
        report: Path | None = None,
    ) -> None:
        self.library = load_library(library)
        self.encoding = encoding
        self.where = where or str(inp)
        self._handle = self.library.create()
        self._hydraulics_open = self._has_run = False
        self._traced: bytes | None = None
        # a small network's step takes no longer than a few calls of Python: these two are looked up once
        self._run_h, self._next_h = (self.library.function(name) for name in ("runH", "nextH"))
        self._clock = c_long()
        self._clock_pointer = byref(self._clock)
        self._read_singly = 0
        self._scratch = tempfile.TemporaryDirectory(prefix="umanflow-")
        report = report or Path(self._scratch.name) / "report.txt"
        results = Path(self._scratch.name) / "results.bin"
        data = inp.read_bytes()
        if not names_hydraulics(data):  # EPANET would keep them in the working directory
            data = insert_option(data, hydraulics_option(Path(self._scratch.name) / "hydraulics.bin"))
            inp = Path(self._scratch.name) / "model.inp"
            inp.write_bytes(data)
        paths = (os.fsencode(inp), os.fsencode(report), os.fsencode(results))
        with READING:
            code = self.library.function("open")(self._handle, *paths)
        if code > 100:
            self._free()  # EPANET's report is on disk only then
            excerpt = "" if code not in (200, 201) else report_excerpt(report, encoding)
            self._scratch.cleanup()
            self.library.check(code, f"{self.where}{': ' + excerpt if excerpt else ''}")

    def __enter__(self) -> Self:
        """Use in a `with` statement."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the project."""
        self.close()

    def close(self) -> None:
        """Free the project and its temporary files; a second call does nothing."""
        if self._handle is None:
            return
        self._call_quietly("closeH" if self._hydraulics_open else None)
        self._free()
        self._scratch.cleanup()

    def _free(self) -> None:
        """Close and delete the project, once: a second time EPANET frees the same memory again."""
        self._call_quietly("close")
        self.library.delete(self._handle)
        self._handle = None  # type: ignore[assignment]

    def _call_quietly(self, name: str | None) -> None:
        if name is not None:
            self.library.function(name)(self._handle)

    def call(self, name: str, *arguments: object, where: str = "") -> int:
        """Call `EN_name` and raise on an error code; return the warning code."""
        if self._handle is None:
            self._check_open()
        code = self.library.function(name)(self._handle, *arguments)
        return self.library.check(code, f"{self.where}{': ' + where if where else ''}") if code else 0

    def _check_open(self) -> None:
        if self._handle is None:  # EPANET would follow the null pointer
            raise HydraulicError(f"{self.where}: the engine is closed")

    def _int(self, name: str, *arguments: int) -> int:
        value = c_int()
        self.call(name, *arguments, byref(value))
        return value.value

    def _double(self, name: str, *arguments: int, where: str = "") -> float:
        value = c_double()
        self.call(name, *arguments, byref(value), where=where)
        return value.value

    # what is in the file -----------------------------------------------------------------------------------------

    def count(self, what: str) -> int:
        """Number of nodes, tanks, links, patterns, curves, controls or rules."""
        return self._int("getcount", COUNT[what])

    def ids(self, kind: str) -> tuple[str, ...]:
        """Names of all nodes, links, patterns, curves or rules, in order."""
        function = {"rule": "getruleID"}.get(kind, f"get{kind}id")
        text = create_string_buffer(64)
        names = []
        for k in range(self.count(f"{kind}s")):
            self.call(function, k + 1, text)
            names.append(text.value.decode(self.encoding, "replace"))
        return tuple(names)

    def name_of(self, kind: str, index: int) -> str:
        """Name of a node or link, or its number where there is no such element."""
        text = create_string_buffer(64)
        code = self.library.function(f"get{kind}id")(self._handle, index + 1, text)
        return text.value.decode(self.encoding, "replace") if code == 0 else str(index)

    def types(self, kind: str) -> NDArray[np.int64]:
        """EPANET's type code of all nodes (0 junction, 1 reservoir, 2 tank) or links (0 CV, 1 pipe, 2 pump, 3…)."""
        function = "getnodetype" if kind == "node" else "getlinktype"
        return np.array([self._int(function, k + 1) for k in range(self.count(f"{kind}s"))], dtype=np.int64)

    def link_nodes(self) -> NDArray[np.int64]:
        """int64 [n_links, 2], the nodes at both ends of each link."""
        ends = np.empty((self.count("links"), 2), dtype=np.int64)
        a, b = c_int(), c_int()
        for k in range(len(ends)):
            self.call("getlinknodes", k + 1, byref(a), byref(b))
            ends[k] = a.value - 1, b.value - 1
        return ends

    def coordinates(self) -> Floats:
        """float64 [n_nodes, 2]; NaN where the INP has none."""
        xy = np.full((self.count("nodes"), 2), np.nan)
        x, y = c_double(), c_double()
        function = self.library.function("getcoord")
        for k in range(len(xy)):
            if function(self._handle, k + 1, byref(x), byref(y)) == 0 and x.value > -1e19:
                xy[k] = x.value, y.value
        return xy

    def pump_type(self, link: int) -> int:
        """EPANET's kind of a pump, known once a run has begun: constant power, power function, custom curve, none."""
        return self._int("getpumptype", link + 1)

    def demands(self, node: int) -> list[tuple[float, int]]:
        """Base demand and pattern (0 = the default pattern) of each demand category of a junction."""
        return [
            (self._double("getbasedemand", node + 1, k), self._int("getdemandpattern", node + 1, k))
            for k in range(1, self._int("getnumdemands", node + 1) + 1)
        ]

    def set_base_demand(self, node: int, category: int, value: float) -> None:
        """Change one demand category (0-based) of a junction."""
        self.call("setbasedemand", node + 1, category + 1, value)

    def add_demand(self, node: int, pattern: str) -> int:
        """Give a junction a further demand category, still 0, with a pattern; return the category (0-based)."""
        self.call("adddemand", node + 1, 0.0, pattern.encode(self.encoding), b"")
        return self._int("getnumdemands", node + 1) - 1

    def add_pattern(self, name: str) -> None:
        """Add a pattern of one multiplier, 1."""
        self.call("addpattern", name.encode(self.encoding))

    def pattern(self, number: int) -> Floats:
        """Multipliers of a pattern (EPANET's 1-based number); all ones for 0."""
        if number == 0:
            return np.ones(1)
        length = self._int("getpatternlen", number)
        return np.array([self._double("getpatternvalue", number, k + 1) for k in range(length)])

    def option(self, name: str) -> float:
        """Value of a hydraulic option."""
        return self._double("getoption", OPTION[name])

    def set_option(self, name: str, value: float) -> None:
        """Change a hydraulic option."""
        self.call("setoption", OPTION[name], value)

    def time(self, name: str) -> int:
        """Value of a time parameter, s."""
        self.call("gettimeparam", TIME[name], self._clock_pointer)
        return self._clock.value

    def set_time(self, name: str, seconds: int) -> None:
        """Change a time parameter, s."""
        self.call("settimeparam", TIME[name], seconds)

    def flow_units(self) -> int:
        """EPANET's code of the flow unit."""
        return self._int("getflowunits")

    # values -------------------------------------------------------------------------------------------------------

    def read(self, kind: str, name: str, out: Floats) -> None:
        """Read one property of all nodes or links into an array; in one call where the library can."""
        code = (NODE if kind == "node" else LINK)[name]
        if self.library.has_bulk:
            # the address as numpy's `ctypes` would give it, without making that object
            self.call(f"get{kind}values", code, out.__array_interface__["data"][0])
            return
        self._check_open()
        if self._read_singly > _COMPILING:
            error = getter(self.library.name, kind)(self._handle.value, code, out.ctypes.data, out)
            self.library.check(error, self.where)
            return
        self._read_singly += len(out)
        function = self.library.function(f"get{kind}value")
        value = c_double()
        pointer = byref(value)
        for k in range(len(out)):
            self.library.check(function(self._handle, k + 1, code, pointer), self.where)
            out[k] = value.value

    def get(self, kind: str, index: int, name: str) -> float:
        """One property of one node or link."""
        code = (NODE if kind == "node" else LINK)[name]
        value = c_double()
        self._check_open()
        error = self.library.function(f"get{kind}value")(self._handle, index + 1, code, byref(value))
        if error:
            self.library.check(error, f"{self.where}: {name} of {kind} {self.name_of(kind, index)}")
        return value.value

    def set(self, kind: str, index: int, name: str, value: float) -> None:
        """Change one property of one node or link."""
        code = (NODE if kind == "node" else LINK)[name]
        self._check_open()
        error = self.library.function(f"set{kind}value")(self._handle, index + 1, code, value)
        if error:
            self.library.check(error, f"{self.where}: {name} of {kind} {self.name_of(kind, index)}")

    def write(self, kind: str, indices: NDArray[np.int64], name: str, values: Floats) -> None:
        """Change one property of many nodes or links."""
        code = (NODE if kind == "node" else LINK)[name]
        self._check_open()
        error = setter(self.library.name, kind)(self._handle.value, indices + 1, code, values)
        self.library.check(error, f"{self.where}: {name} of {kind}s")

    # hydraulics ---------------------------------------------------------------------------------------------------

    def start(self, flag: int) -> None:
        """Begin a hydraulic run (`EN_openH` once, `EN_initH`)."""
        if not self._hydraulics_open:
            self.call("openH")
            self._hydraulics_open = self._has_run = True
        self.call("initH", flag)

    def solve(self) -> tuple[int, int]:
        """Solve the current moment; return its time, s, and EPANET's warning code."""
        if self._handle is None:
            self._check_open()
        code = self._run_h(self._handle, self._clock_pointer)
        return self._clock.value, code if code <= _LAST_WARNING else self.library.check(code, self.where)

    def advance(self) -> int:
        """Go to the next event; return the step, s (0 at the end)."""
        if self._handle is None:
            self._check_open()
        code = self._next_h(self._handle, self._clock_pointer)
        if code:
            self.library.check(code, self.where)
        return self._clock.value

    def stop(self) -> None:
        """End the hydraulic run."""
        if self._hydraulics_open:
            self.call("closeH")
            self._hydraulics_open = False

    # structure; only while no run is open -------------------------------------------------------------------------

    def add_junction(self, name: str) -> int:
        """Add a junction after the last one; return its index. Tanks and reservoirs move up by one.

        Raises
        ------
        HydraulicError
            If this is EPANET 2.2 and a run has been: it would free neighbours that the new junction never had, and die.
        """
        if self._has_run and not self.library.has_bulk:
            raise HydraulicError(f"{self.where}: EPANET 2.2 takes no new junction after a run; open the network anew")
        number = c_int()
        self.call("addnode", name.encode(self.encoding), 0, byref(number), where=f"node {name}")
        return number.value - 1

    def add_pipe(self, name: str, start: str, end: str) -> int:
        """Add a pipe between two nodes after the last link; return its index."""
        number = c_int()
        names = (text.encode(self.encoding) for text in (name, start, end))
        identifier, first, last = names
        self.call("addlink", identifier, 1, first, last, byref(number), where=f"pipe {name}")
        return number.value - 1

    def set_ends(self, link: int, start: int, end: int) -> None:
        """Move a link to other nodes."""
        self.call("setlinknodes", link + 1, start + 1, end + 1)

    def set_place(self, node: int, x: float, y: float) -> None:
        """Give a node coordinates."""
        self.call("setcoord", node + 1, x, y)

    def remove(self, kind: str, index: int) -> None:
        """Delete a node with its links, or a link."""
        self.call(f"delete{kind}", index + 1, 0, where=f"{kind} {index}")

    def drop_trace(self) -> None:
        """Forget for now which source is traced: EPANET keeps its number, which a new junction moves."""
        kind, node = c_int(), c_int()
        self.call("getqualtype", byref(kind), byref(node))
        if kind.value == _TRACE:
            self._traced = self.name_of("node", node.value - 1).encode(self.encoding)
            self.call("setqualtype", 0, b"", b"", b"")

    def trace_again(self) -> None:
        """Trace the source that `drop_trace` has put aside."""
        if self._traced is not None:
            self.call("setqualtype", _TRACE, b"", b"", self._traced)
            self._traced = None

    # EPANET's own words -------------------------------------------------------------------------------------------

    def written(self) -> str:
        """What EPANET has written into its report so far."""
        path = Path(self._scratch.name) / "copy.txt"
        self.call("copyreport", os.fsencode(path))
        text = path.read_text(encoding=self.encoding, errors="replace")
        path.unlink()
        return text
