"""Files and tables of readings into the historian, once each."""

from __future__ import annotations

import csv
import hashlib
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scada.drops.file import read_file
from scada.drops.finding import Finding
from scada.drops.profile import Profile
from scada.drops.readings import Readings, batches
from scada.drops.state import State, TakenFile
from scada.errors import DropError
from scada.historian import Historian
from scada.tag import Tag
from scada.tags import write_whole

__all__ = ["Outcome", "Taker", "rejects_text", "write_rejects"]

Verdict = Literal["taken", "partly", "known", "failed", "checked"]
_ROWS = 20_000  # in one transaction: the reader's own must not wait for longer than a moment


@dataclass(slots=True)
class Outcome:
    """What became of a file or of a query's answer.

    Attributes
    ----------
    file : str
    profile : str
    verdict : str
        ``taken`` whole; ``partly``, with rows that were not; ``known`` and passed over; ``failed``, nothing could be
        taken; ``checked`` only.
    rows, footers, rejected : int
        As of :class:`~scada.drops.readings.Readings`, of all its tables.
    samples, stored, revised, repeated : int
        Read; and what they were to the historian: new, another value than before, or known.
    first_ms, last_ms : int or None
        Times of its oldest and newest sample, UTC ms.
    findings : list of Finding
    memory : TakenFile or None
        What is to be remembered of a file (:meth:`Taker.remember`) when all else that belongs to it is done.
    """

    file: str
    profile: str
    verdict: Verdict = "taken"
    rows: int = 0
    footers: int = 0
    rejected: int = 0
    samples: int = 0
    stored: int = 0
    revised: int = 0
    repeated: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    findings: list[Finding] = field(default_factory=list)
    memory: TakenFile | None = None

    @property
    def errors(self) -> list[Finding]:
        """What was not taken."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def count(self, readings: Readings) -> None:
        """Add a table."""
        self.rows += readings.rows
        self.footers += readings.footers
        self.rejected += readings.rejected
        self.samples += len(readings)
        self.findings += readings.findings
        if len(readings):
            first, last = int(readings.time_ms[0]), int(readings.time_ms[-1])
            self.first_ms = first if self.first_ms is None else min(first, self.first_ms)
            self.last_ms = last if self.last_ms is None else max(last, self.last_ms)


class Taker:
    """Takes readings into a historian.

    Parameters
    ----------
    tags : mapping of str to Tag
        What there is to measure.
    historian : Historian or None
        None only checks: nothing is stored, nothing is remembered.
    state : State or None
        What was taken already; without one everything is taken, which does no harm.
    """

    def __init__(self, tags: Mapping[str, Tag], historian: Historian | None, state: State | None) -> None:
        self.tags = tags
        self._historian, self.state = historian, state

    def take_file(self, path: Path, profile: Profile, arrival_ms: int | None = None, is_again: bool = False) -> Outcome:
        """Take a file.

        Parameters
        ----------
        path : Path
        profile : Profile
        arrival_ms : int, optional
            When it came, UTC ms; as the profile says where not given.
        is_again : bool
            Take it though it is known.

        Raises
        ------
        HistorianError
            The historian or the state cannot be used; the file may be taken later, what of it is stored already does no
            harm.
        """
        outcome = Outcome(str(path), profile.name)
        try:
            data = path.read_bytes()
            came_ms = path.stat().st_mtime_ns // 1_000_000 if profile.arrival == "file" else _now_ms()
        except OSError as error:
            return _failed(outcome, DropError(str(path), 0, f"cannot be read: {error.strerror}", "check its rights"))
        arrival_ms = came_ms if arrival_ms is None else arrival_ms
        fingerprint = f"{hashlib.sha256(data).hexdigest()}-{profile.key()}"
        if not is_again and self._is_known(fingerprint):
            outcome.verdict = "known"
            return outcome
        last: DropError | None = None
        witness: tuple[int, str] = 0, ""
        try:
            for found in read_file(path, data, profile, self.tags, arrival_ms):
                if isinstance(found, DropError):
                    last = found
                    outcome.findings.append(Finding(found.file, found.line, found.what, found.mend))
                    continue
                outcome.count(found)
                self.store(found, outcome)
                if len(found):
                    witness = max(witness, (int(found.time_ms[-1]), found.tags[int(found.tag[-1])].name))
        except DropError as error:
            return _failed(outcome, error)
        if not outcome.samples and (last is not None or outcome.errors):
            outcome.verdict = "failed"
        else:
            outcome.verdict = "partly" if outcome.errors else "taken"
            outcome.memory = TakenFile(
                fingerprint, str(path), arrival_ms, _now_ms(), outcome.samples, witness[1], witness[0]
            )
        if self._historian is None:
            outcome.verdict = "checked" if outcome.verdict != "failed" else "failed"
        return outcome

    def remember(self, outcome: Outcome) -> None:
        """Pass the file over when it comes again; to be called when its rejects are written.

        Raises
        ------
        HistorianError
            The state cannot be written.
        """
        if self.state is not None and self._historian is not None and outcome.memory is not None:
            self.state.note(outcome.memory)

    def store(self, readings: Readings, outcome: Outcome) -> None:
        """Bring readings to the historian."""
        if self._historian is None:
            return
        for batch in batches(readings, _ROWS, _now_ms()):
            written = self._historian.store(batch)
            outcome.stored += written.stored
            outcome.revised += written.revised
            outcome.repeated += written.repeated

    def has_sample(self, tag: str, time_ms: int) -> bool:
        """Tell whether the historian has a sample of a tag at a time."""
        return self._historian is not None and len(self._historian.range([tag], time_ms, time_ms + 1)) > 0

    def _is_known(self, fingerprint: str) -> bool:
        """Whether a file was taken, and into this historian: that may be another one by now."""
        known = self.state.find(fingerprint) if self.state is not None else None
        return known is not None and (not known.tag or self.has_sample(known.tag, known.time_ms))


def _failed(outcome: Outcome, error: DropError) -> Outcome:
    outcome.verdict = "failed"
    outcome.findings.append(Finding(error.file, error.line, error.what, error.mend))
    return outcome


def rejects_text(findings: Sequence[Finding]) -> str:
    """Rows that were not taken as CSV: line, what, mend, row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("file", "line", "what", "mend", "row"))
    for finding in findings:
        writer.writerow((finding.file, finding.line or "", finding.what, finding.mend, finding.text))
    return out.getvalue()


def write_rejects(folder: Path, name: str, outcome: Outcome) -> Path | None:
    """Write what was not taken to a folder, whole or not at all; return the file, None where there is nothing to tell.

    Raises
    ------
    OSError
    """
    target = folder / f"{name}.rejects.csv"
    if not outcome.errors:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(target, rejects_text(outcome.errors))
    return target


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
