"""A drop-in for `wntr.sim.EpanetSimulator`: the same tables, sooner, in less memory, and no files left behind."""

from __future__ import annotations

import ctypes
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from wntr.epanet.exceptions import EpanetException
from wntr.epanet.io import BinFile
from wntr.epanet.toolkit import ENepanet
from wntr.network.io import write_inpfile
from wntr.sim.epanet import EpanetSimulator
from wntr.sim.results import SimulationResults

from hydro.epanet20 import Epanet20
from hydro.errors import EpanetError, HydraulicError
from hydro.hydraulicsfile import hydraulics_option, insert_option, names_hydraulics
from hydro.library import OPTION, READING, TIME, LibraryName, load_library
from hydro.project import report_excerpt
from hydro.simhydraulics import Shortcut
from hydro.siminput import write_model
from hydro.simresults import Reading, read_results
from networks import Leakage, Network, load
from networks.export import inp_bytes, with_leakage
from networks.inp.document import Document

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

_VERSIONS = {2.0: "2.0", 2.2: "2.2", 2.3: "2.3"}
_WORTH_IT = 40  # report steps; below, reading every element's properties costs more than it saves
_NAME_LENGTH = 260  # EPANET's room for a file's name
_ONE_AT_A_TIME = threading.Lock()  # EPANET-MSX has one project for the whole process


def _as_bytes(path: Path) -> str:
    """A path that WNTR's binding, which writes it in Latin-1, hands to EPANET as the system's bytes."""
    return os.fsencode(path).decode("latin-1")


class SimulationError(EpanetError, EpanetException):  # type: ignore[misc]
    """EPANET refused a network or gave up on it; WNTR's own error too, so that code which expects that goes on.

    Attributes
    ----------
    code
        EPANET's error code.
    where
        The network, and the first line that EPANET complains about.
    """

    def __init__(self, code: int, text: str, where: str) -> None:
        Exception.__init__(self, f"{text}: {where}")
        self.code = code
        self.where = where


class _Newest(ENepanet):  # type: ignore[misc]
    """WNTR's binding on owa-epanet's library."""

    def __init__(self) -> None:
        super().__init__(version=2.2)
        self.ENlib = ctypes.cdll.LoadLibrary(str(load_library("2.3").path))


_BINDINGS = {"2.0": Epanet20, "2.2": ENepanet, "2.3": _Newest}


@dataclass(frozen=True, slots=True)
class _Files:
    """Files of one run."""

    inp: Path
    report: Path
    results: Path
    hydraulics: Path
    are_kept: bool

    @classmethod
    def under(cls, folder: Path, prefix: str | None) -> _Files:
        """Those under the prefix that the user names, else all in a folder of the run's own."""
        stem = str(folder / "run") if prefix is None else prefix
        inp, report, results = (Path(f"{stem}.{ending}") for ending in ("inp", "rpt", "bin"))
        return cls(inp, report, results, hydraulics=folder / "run.hyd", are_kept=prefix is not None)


class Simulator(EpanetSimulator):  # type: ignore[misc]
    """Run a network through EPANET; in place of `wntr.sim.EpanetSimulator`.

    Parameters
    ----------
    wn
        A `WaterNetworkModel`, a `networks.Network`, an INP path or a catalogue name. A network that has not been
        changed goes to EPANET as the file it is.
    reader
        A `wntr.epanet.io.BinFile` of one's own, which then reads the results in place of this class.
    result_types
        As in `EpanetSimulator`, where it has no effect.
    library
        "2.2" (WNTR's own, the default: every number is `EpanetSimulator`'s) or "2.3" (owa-epanet, the default where
        pipes leak).

    Raises
    ------
    HydraulicError
        If the network leaks along its pipes and another library than 2.3 is asked for.
    """

    def __init__(
        self,
        wn: WaterNetworkModel | Network | Path | str,
        reader: BinFile | None = None,
        result_types: Any = None,
        library: LibraryName | None = None,
    ) -> None:
        self._wn: Any
        self._network = load(wn) if isinstance(wn, (str, Path)) else wn if isinstance(wn, Network) else None
        self._own_reader = BinFile(result_types=result_types)
        if self._network is None:
            super().__init__(wn, self._own_reader if reader is None else reader, result_types)
        else:  # its WNTR model takes seconds to read and is not needed
            self._wn, self.mode, self.prep_time_before_main_loop = None, None, 0.0
            self.reader = self._own_reader if reader is None else reader
        if library not in (None, "2.2", "2.3"):
            raise HydraulicError(f"there is no EPANET library {library!r}; take '2.2' or '2.3'")
        self._asked = library
        self._library(None)

    @property
    def leakage(self) -> Leakage | None:
        """What leaks along pipes."""
        if self._network is not None:
            return self._network.leakage
        leakage: Leakage | None = getattr(self._wn, "leakage", None)
        return leakage

    @property
    def _name(self) -> str:
        return str(self._network.source if self._network is not None else self._wn.name or "the model")

    def _library(self, version: float | str | None) -> str:
        """Which library to run: "2.0", "2.2" or "2.3"."""
        library: str
        if version is None:
            library = self._asked or ("2.2" if self.leakage is None else "2.3")
        else:
            library = _VERSIONS.get(float(version), "")
            if not library:
                raise HydraulicError(f"there is no EPANET version {version}; take 2.0, 2.2 or 2.3")
        if self.leakage is not None and library != "2.3":
            raise HydraulicError(
                f"{self._name}: {len(self.leakage)} pipes have leakage, which EPANET {library} cannot compute; "
                "use library 2.3, or set leakage to None"
            )
        return library

    def run_sim(
        self,
        file_prefix: str | None = None,
        save_hyd: bool = False,
        use_hyd: bool = False,
        hydfile: str | None = None,
        version: float | str | None = None,
        convergence_error: bool = False,
    ) -> SimulationResults:
        """Run and return all tables of nodes and links, SI, at the report times.

        Parameters
        ----------
        file_prefix
            Leave `.inp`, `.rpt` and `.bin` under this name, as `EpanetSimulator` always does; by default no file stays.
        save_hyd
            Keep EPANET's hydraulics in `hydfile`.
        use_hyd
            Take the hydraulics of `hydfile` and compute water quality alone.
        hydfile
            By default the prefix, or "temp" without one, and ".hyd".
        version
            2.0, 2.2 or 2.3; by default the simulator's library.
        convergence_error
            Raise where EPANET gives up before the end, instead of warning and returning what there is, with
            `error_code` set.

        Raises
        ------
        SimulationError
            If EPANET refuses the network; it is a `wntr.epanet.exceptions.EpanetException`.
        RuntimeError
            If the run does not reach its end and `convergence_error` is set.
        HydraulicError
            If pipes leak and the version cannot compute that.
        """
        library = self._library(version)
        kept = Path(hydfile or f"{file_prefix or 'temp'}.hyd")
        with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
            if self._wn is not None and self._wn._msx is not None:
                if library == "2.3":
                    raise HydraulicError(f"{self._name}: EPANET-MSX comes with WNTR and runs on its EPANET, not on 2.3")
                prefix = file_prefix or str(Path(folder) / "run")
                hydfile = str(kept) if save_hyd or use_hyd else hydfile
                with _ONE_AT_A_TIME:
                    return super().run_sim(prefix, save_hyd, use_hyd, hydfile, float(library), convergence_error)
            files = _Files.under(Path(folder), file_prefix)
            encoding = self._write(files, library)
            with self._epanet(files, library, encoding) as epanet:
                is_theirs = files.are_kept or self._has_reader or library == "2.0"  # which crashes if it changes
                statistic = 0 if is_theirs else self._take_statistic(epanet)
                reading = Reading(
                    convergence_error, self._has_roughness_in_mm(epanet), self._network is not None, statistic
                )
                if use_hyd:
                    epanet.ENusehydfile(_as_bytes(kept))
                else:
                    epanet.ENsolveH()
                if save_hyd:
                    epanet.ENsavehydfile(_as_bytes(kept))
                shortcut = None if use_hyd else self._shortcut(epanet, files, library, encoding)
                if shortcut is None:
                    epanet.ENsolveQ()
                if files.are_kept:
                    epanet.ENreport()
            if self._has_reader:
                return self.reader.read(str(files.results), convergence_error, reading.darcy_weisbach)
            if shortcut is not None:
                results = shortcut.read(reading, epanet.Warnflag)
            else:
                results = read_results(files.results, encoding, reading)
        # as `BinFile` gives it: the bytes of EPANET's field
        name = f"{file_prefix or 'temp'}.inp".encode()[: _NAME_LENGTH - 1].ljust(_NAME_LENGTH, b"\0")
        results.network_name = np.frombuffer(name, dtype=np.uint8)
        return results

    def _write(self, files: _Files, library: str) -> str:
        """Write the INP; return the encoding of the names in it."""
        if self._network is None:
            version = 2.0 if library == "2.0" else 2.2
            if files.are_kept:
                units = self._wn.options.hydraulic.inpfile_units
                write_inpfile(self._wn, str(files.inp), units=units, version=version)
            else:
                write_model(self._wn, files.inp, files.hydraulics, version)
            if self.leakage is not None:
                files.inp.write_bytes(with_leakage(files.inp.read_bytes(), self.leakage))
            return "utf-8"
        network = self._network
        data = inp_bytes(network)
        if network.leakage is None and b"[LEAK" in data.upper():  # 2.2 takes the section for an error
            data = with_leakage(data, None)
        document = Document.of(data)
        if not files.are_kept and not names_hydraulics(data):
            data = insert_option(data, hydraulics_option(files.hydraulics))
        files.inp.write_bytes(data)
        return document.encoding

    @contextmanager
    def _epanet(self, files: _Files, library: str, encoding: str) -> Iterator[ENepanet]:
        """EPANET with the network open; closed whatever happens, so that no file stays open.

        Raises
        ------
        SimulationError
            For any error code of EPANET's, here or inside.
        """
        epanet = _BINDINGS[library]()
        self.enData = epanet
        try:
            with READING:
                epanet.ENopen(*(_as_bytes(path) for path in (files.inp, files.report, files.results)))
            yield epanet
        except EpanetException as error:
            code = epanet.errcode
            epanet.ENclose()  # the report is on disk only then
            excerpt = report_excerpt(files.report, encoding) if code in (200, 201) else ""
            raise SimulationError(code, str(error), self._name + (f": {excerpt}" if excerpt else "")) from error
        except BaseException:
            epanet.ENclose()
            raise
        epanet.ENclose()

    def _has_roughness_in_mm(self, epanet: ENepanet) -> bool:
        """Whether the head-loss law is Darcy-Weisbach's."""
        if self._wn is not None:
            return bool(self._wn.options.hydraulic.headloss == "D-W")
        if epanet._project is None:  # 2.0, which does not tell
            assert self._network is not None
            return self._network.document.option("HEADL")[:1] == ("D-W",)
        form = ctypes.c_double()
        epanet.ENlib.EN_getoption(epanet._project, OPTION["headloss_form"], ctypes.byref(form))
        return int(form.value) == 1

    @property
    def _has_reader(self) -> bool:
        """Whether the user reads the results."""
        return self.reader is not self._own_reader

    @staticmethod
    def _take_statistic(epanet: ENepanet) -> int:
        """Have EPANET give the series; return the statistic that is then to be made of it."""
        statistic = int(epanet.ENgettimeparam(TIME["statistic"]))
        if statistic:
            epanet.ENsettimeparam(TIME["statistic"], 0)
        return statistic

    def _shortcut(self, epanet: ENepanet, files: _Files, library: str, encoding: str) -> Shortcut | None:
        """A way around `EN_solveQ`, where that would only copy hydraulics and take longer than the way around."""
        if files.are_kept or self._has_reader or library == "2.0" or not files.hydraulics.exists():
            return None
        quality, node = ctypes.c_int(), ctypes.c_int()
        epanet.ENlib.EN_getqualtype(epanet._project, ctypes.byref(quality), ctypes.byref(node))
        duration, step, start = (
            epanet.ENgettimeparam(TIME[name]) for name in ("duration", "report_step", "report_start")
        )
        if quality.value or start > 0 or duration < _WORTH_IT * step:
            return None
        shortcut = Shortcut(files.hydraulics, files.results, encoding)
        return shortcut if shortcut.prepare(epanet, library == "2.3") else None
