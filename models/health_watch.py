"""Faults that the residuals show: one instrument that goes its own way, or a valve that somebody closed.

A leak moves several sensors, in the proportions of its response; an instrument that drifts or was knocked moves one, a
meter that drives the model moves its district's balance against the pressures, a closed valve the pressures without the
balance. All are scanned as leaks are, by the same likelihood ratio over the same window, and the best explanation wins.
What is told is taken out from then on: the channel is left out until it is steady, then has a new zero.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.record import Record
from models.frame import Frame
from models.health import DRIFT, METER, OFFSET, VALVE, Fault
from models.health_case import Case, line_of
from models.health_scan import LASTS, Closure, FaultScan, Suspect, is_ahead
from models.ledger import Entry
from models.noise import Noise, muted
from models.revise import Reviser

Floats = NDArray[np.float64]

_GAIN = 25.0
_VALVE_GAIN = 60.0
_LATELY = 40  # blocks after its alarm in which a leak may turn out to have been a fault
_SILENT = 0.3  # of the window missing: the channel's rest says little either
_STEADY, _RECENT, _TREND = 6, 8, 14  # blocks
_SIGMAS = 4.0
_WIDEST = 1e4  # standard deviations of a block
_WIDE = 0.3  # share of a fault's effect that may be misjudged
_WAIT = 4.0  # blocks


class InstrumentWatch:
    """Watches the instruments of one detector.

    Parameters
    ----------
    reviser
        Of the ledger whose residuals are looked at.

    Attributes
    ----------
    faults
        In the order in which they were told.
    scan
        What scans a window for faults.
    """

    def __init__(self, reviser: Reviser) -> None:
        self.reviser, self.ledger, self.watch = reviser, reviser.ledger, reviser.watch
        self.faults: list[Fault] = []
        self.cases: list[Case] = []
        self._all: list[Case] = []
        self._own: Noise | None = None
        self._mended_to: pd.Timestamp | None = None
        self.scan = FaultScan(reviser)

    # a detector's step --------------------------------------------------------------------------------------------

    def screened(self, frame: Frame) -> Frame:
        """A frame without what is known to be wrong with it."""
        values = frame.values.copy()
        block = round(self.ledger.window.number(frame.start))
        for case in self.cases:
            k = case.cause.channel
            if k is not None:
                case.raw[block] = float(values[k])
                values[k] = np.nan if case.is_left_out else values[k] - case.size
            else:
                values -= case.cause.effect(case.size)
        return replace(frame, values=values)

    def examine(self, frame: Frame) -> None:
        """After a frame was taken: look after known faults, tell a new one."""
        if self._own is None:
            self._own = self.watch.noise
        self.scan.learn()
        for case in list(self.cases):
            self._look_after(case, frame)
        self._mute()
        if len(self.ledger.window) >= 3:
            found = self._fault_behind_an_entry(frame) or self._new_fault(frame)
            if found is not None:
                self._mute()

    def may_be_a_fault(self, residual: Floats, gain: float) -> bool:
        """Whether a fault would explain better what a new leak explains with some gain, so far as it can be told.

        The first blocks of a change are waited for; a leak that is sure is not held back by one that is no surer.
        """
        young = len(residual) - _WAIT
        suspect = self._suspect(residual)
        if suspect is not None and self.scan.may_be_misjudged(suspect.cause, suspect.size):
            suspect = None
        if suspect is not None and suspect.gain > gain - suspect.bonus:
            is_sure = gain - suspect.bonus >= self.reviser.rules.sure_gain
            if not is_sure or (suspect.onset > young and is_ahead(suspect.gain, gain - suspect.bonus)):
                return True
        valve = self._closure(residual, 0.0)
        if valve is None or self.scan.may_be_misjudged(valve.cause, valve.size):
            return False
        return valve.gain > gain and valve.onset > young

    def trusted(self, frames: list[Frame]) -> list[Frame]:
        """Frames without the faults as they are known now: sensors left out while they were off, effects taken off."""
        found = []
        for frame in frames:
            values = frame.values.copy()
            for case in self._all:
                begun = self.ledger.window.time(case.onset) < frame.end
                is_mended = case.is_mended and self._mended_to is not None and frame.start <= self._mended_to
                if begun and not is_mended and (case.fault.until is None or frame.start < case.fault.until):
                    k = case.cause.channel
                    if k is None:
                        values -= case.cause.effect(case.size)
                    else:
                        is_right = self.ledger.window.number(frame.start) >= case.steady
                        values[k] = values[k] - case.size if is_right else np.nan
            found.append(replace(frame, values=values))
        return found

    @property
    def noise(self) -> Noise:
        """Noise as it was learnt: what was deaf for a time is missing in trusted frames."""
        return self.watch.noise if self._own is None else self._own

    def lift(self) -> None:
        """Give the noise back as it was learnt, before it is learnt anew."""
        if self._own is not None:
            self.watch.noise = self._own
        self._own = None
        self.scan.forget()

    def mended(self, record: Record) -> Record:
        """A record without the faults told of it: zeros put right, what cannot be is missing."""
        tables = {q: getattr(record, q).copy() for q in ("pressure", "flow")}
        for fault in self.faults:
            table = tables.get(fault.quantity)
            if table is None or fault.element not in table or fault.kind not in (OFFSET, DRIFT):
                continue
            stop = fault.until or record.end + pd.Timedelta("1s")
            # the day in which it began or ended is partly right: it is left out
            edge = [(fault.since - self.watch.settings.block, fault.since + self.watch.settings.block)]
            edge += [(stop - self.watch.settings.block, stop)] if fault.until is not None else []
            rows = (table.index >= fault.since) & (table.index < stop)
            table.loc[rows, fault.element] -= fault.size if fault.kind == OFFSET else np.nan
            for low, high in edge:
                table.loc[(table.index >= low) & (table.index < high), fault.element] = np.nan
        self._mended_to = record.end
        for case in self._all:
            case.is_mended = case.cause.channel is not None and case.fault.kind in (OFFSET, DRIFT)
        return replace(record, **tables)

    # telling a new one --------------------------------------------------------------------------------------------

    def _suspect(self, residual: Floats) -> Suspect | None:
        return self.scan.suspect(residual, {id(c.cause) for c in self.cases if c.is_left_out})

    def _closure(self, residual: Floats, least_age: float = LASTS) -> Closure | None:
        closed = {c.cause.element for c in self.cases if c.cause.kind == VALVE}
        return self.scan.closure(residual, closed, least_age)

    def _new_fault(self, frame: Frame) -> Case | None:
        residual = self.ledger.residual
        suspect, valve = self._suspect(residual), self._closure(residual)
        instrument = suspect.gain if suspect is not None else 0.0
        closure = valve.gain if valve is not None else 0.0
        if max(instrument, closure) < _GAIN:
            return None
        leak = self.scan.leaks_gain(residual)
        if suspect is not None and instrument >= _GAIN and suspect.has_lasted(len(residual)):
            other = max(leak - suspect.bonus, closure)
            is_leaks = self.scan.is_an_entrys(suspect) or self.scan.may_be_misjudged(suspect.cause, suspect.size)
            if is_ahead(instrument, other) and not is_leaks:
                return self._open(suspect, frame, leak)
        if valve is not None and closure >= _VALVE_GAIN and is_ahead(closure, max(leak, instrument)):
            if self.scan.may_be_misjudged(valve.cause, valve.size):
                return None
            return self._open_valve(valve, frame, max(leak, instrument))
        return None

    def _fault_behind_an_entry(self, frame: Frame) -> Case | None:
        """A leak told lately that a fault would explain better: it is withdrawn, the fault told."""
        window = self.ledger.window
        for entry in self.ledger.entries:
            if not entry.is_open or window.last - entry.raised > _LATELY or entry.growth.onset < window.first:
                continue
            residual = self.ledger.residual + np.outer(entry.flow(window.blocks), entry.unit)
            own = float(self.scan.scanner(len(residual)).scan(residual, entry.unit[None, :]).gain[0])
            suspect, valve = self._suspect(residual), self._closure(residual)
            if suspect is not None and (
                not suspect.has_lasted(len(residual)) or self.scan.may_be_misjudged(suspect.cause, suspect.size, entry)
            ):
                suspect = None
            if valve is not None and self.scan.may_be_misjudged(valve.cause, valve.size, entry):
                valve = None
            instrument = suspect.gain if suspect is not None else 0.0
            closure = valve.gain if valve is not None and valve.gain >= _VALVE_GAIN else 0.0
            best = max(instrument, closure)
            if best < _GAIN or not is_ahead(best, own):
                continue
            leak = float(self.reviser.scan(residual, self.watch.responses, entry)[0].gain.max())
            if not is_ahead(best, leak):
                continue
            self._withdraw(entry)
            if valve is not None and closure > instrument:
                return self._open_valve(valve, frame, leak)
            if suspect is not None:
                return self._open(suspect, frame, leak)
        return None

    def _withdraw(self, entry: Entry) -> None:
        before = entry.growth
        entry.withdraw(self.ledger.window.last)
        self.ledger.update(entry, before)

    # opening a case -----------------------------------------------------------------------------------------------

    def _open(self, suspect: Suspect, frame: Frame, leak: float) -> Case:
        window, cause, size = self.ledger.window, suspect.cause, suspect.size
        onset = suspect.onset + window.first
        known = next((c for c in self.cases if c.cause.element == cause.element and c.cause is cause), None)
        text = f"half chi-square {suspect.gain:.0f}, of the best leak {leak:.0f}"
        kind = cause.kind if cause.kind != OFFSET or not suspect.is_growing else DRIFT
        fault = Fault(cause.element, cause.quantity, kind, window.time(onset), frame.end, size, cause.unit, text)
        is_growing = suspect.is_growing and onset < window.last - 3.0
        case = Case(cause, fault, onset, is_growing=is_growing)
        if known is not None:
            self.cases.remove(known)
            known.fault.until = fault.since
            case.raw = dict(known.raw)
            fault.size += known.size
        if cause.channel is None:
            self._resize(case, size)
        self.faults.append(fault)
        self.cases.append(case)
        self._all.append(case)
        if cause.channel is not None:
            self._leave_out(case)
        return case

    def _resize(self, case: Case, more: float) -> None:
        """Take more of a meter's or level's fault off, and tell a meter's as a factor of what flows."""
        self._take_off(case, case.onset, case.cause.effect(case.size + more) - case.cause.effect(case.size))
        case.size += more
        case.fault.size = case.size
        mean = self.watch.mean_flow(case.cause.element) if case.cause.kind == METER else 0.0
        if mean > 0.0:
            case.fault.size, case.fault.unit = 1.0 / max(1.0 - case.size / mean, 1e-3), "of what flows"

    def _leave_out(self, case: Case) -> None:
        """Take the channel out of the window from the onset on."""
        window, k = self.ledger.window, case.cause.channel
        assert k is not None
        for row, block in enumerate(window.blocks.astype(int).tolist()):
            if block < int(np.floor(case.onset)):
                continue
            frame = window.frames[row]
            case.raw.setdefault(block, float(frame.values[k]))
            values = frame.values.copy()
            values[k] = np.nan
            window.put(row, replace(frame, values=values), self.ledger.effect[row], self.watch.noise)
            if block > case.onset:
                case.off[block] = case.raw[block] - float(window.values[row, k])

    # looking after it ---------------------------------------------------------------------------------------------

    def _look_after(self, case: Case, frame: Frame) -> None:
        window, k = self.ledger.window, case.cause.channel
        if k is None:
            self._look_after_many(case)
            return
        if not case.is_left_out:
            return
        if np.isfinite(case.raw.get(window.last, np.nan)):
            case.off[window.last] = case.raw[window.last] - float(window.values[-1, k])
        blocks = np.array(sorted(b for b, value in case.off.items() if np.isfinite(value)), dtype=float)
        if len(blocks) < _STEADY:
            return
        off = np.array([case.off[int(b)] for b in blocks])
        usual = self._usual(k)
        recent = off[-_STEADY:]
        if abs(np.median(recent)) < _SIGMAS * usual:
            case.fault.until = window.time(blocks[-_STEADY])
            self._put_right(case, blocks, 0.0)
            self.cases.remove(case)
            return
        slope, rest = line_of(blocks[-_RECENT:], off[-_RECENT:])
        run = abs(slope) * (min(len(blocks), _RECENT) - 1)
        if run > max(_SIGMAS * usual, 3.0 * rest, 0.1 * abs(np.median(recent))):
            slope, _ = line_of(blocks[-_TREND:], off[-_TREND:])
            case.fault.kind, case.fault.unit, case.fault.size = DRIFT, f"{case.cause.unit}/d", _per_day(slope, self)
            return
        if np.ptp(recent) < 8.0 * max(usual, rest):
            self._put_right(case, blocks, float(np.median(off[-_STEADY:])))

    def _put_right(self, case: Case, blocks: Floats, size: float) -> None:
        """Give the channel a new zero from where it became steady."""
        window, k = self.ledger.window, case.cause.channel
        assert k is not None
        case.size, case.is_left_out, case.steady = size, False, float(blocks[-_STEADY])
        if case.fault.until is None and "/d" not in case.fault.unit:
            case.fault.kind, case.fault.size, case.fault.unit = OFFSET, size, case.cause.unit
            begun = [b for b in sorted(case.off) if abs(case.off[b]) > 0.5 * abs(size)]
            # the block of the onset itself, which may be partly right, is not among them
            if begun and begun[0] > case.onset + 1.0:
                case.fault.since = max(case.fault.since, window.time(float(begun[0])))
        for row, block in enumerate(window.blocks.astype(int).tolist()):
            if block >= blocks[-_STEADY] and np.isfinite(case.raw.get(block, np.nan)):
                values = window.frames[row].values.copy()
                values[k] = case.raw[block] - size
                frame = replace(window.frames[row], values=values)
                window.put(row, frame, self.ledger.effect[row], self.watch.noise)

    def _look_after_many(self, case: Case) -> None:
        """A meter, a level or a valve: sized anew by the last blocks, ended when nothing is left of it."""
        window = self.ledger.window
        since = window.blocks > case.onset
        if since.sum() < _STEADY or self._own is None:
            return
        precision = np.linalg.inv(self._own.white + 0.1 * self._own.slow)
        weighted = precision @ case.cause.template
        energy = float(weighted @ case.cause.template)
        recent = self.ledger.residual[since][-_STEADY:]
        amounts = recent @ weighted / energy
        deviation = 1.0 / np.sqrt(energy)
        amount, since_then = float(np.median(amounts)), float(window.blocks[-_STEADY])
        left = abs(case.size + amount)
        if left < (0.3 * case.size if case.cause.kind == VALVE else max(2.0 * deviation, 0.3 * abs(case.size))):
            case.fault.until = window.time(since_then)
            self._take_off(case, since_then, -case.cause.effect(case.size))  # what is taken off is missing: it is over
            self.cases.remove(case)
        elif case.cause.kind != VALVE and abs(amount) > 3.0 * deviation and self._may_move(case):
            self._resize(case, amount)

    def _may_move(self, case: Case) -> bool:
        """Whether a size is still being found: later on, what changes is something else."""
        return case.is_growing or self.ledger.window.last - case.onset <= _TREND

    def _usual(self, channel: int) -> float:
        """Standard deviation of a channel's block when the others are known."""
        assert self._own is not None
        covariance = self._own.white + 0.2 * self._own.slow
        return float(1.0 / np.sqrt(np.linalg.inv(covariance)[channel, channel]))

    def _mute(self) -> None:
        """Channels that were silent too long, and directions in which a meter is off, say nothing."""
        assert self._own is not None
        missing = np.stack([np.isnan(f.values) for f in self.ledger.window.frames]).mean(axis=0)
        noise = muted(self._own, missing > _SILENT)
        # these effects are of usual moments, and a valve's of one of some alike pipes
        wide = [
            _WIDE * (c.cause.effect(c.size) if c.cause.kind == VALVE else c.size * c.cause.template)
            for c in self.cases
            if c.cause.channel is None
        ]
        if wide:
            directions = np.vstack([*wide, *(c.doubt for c in self.cases if len(c.doubt))])
            # what is wider says no less, and costs the digits of the others
            most = np.abs(directions / np.sqrt(np.diag(noise.white))).max(axis=1, keepdims=True)
            directions = directions * np.minimum(1.0, _WIDEST / np.maximum(most, 1e-30))
            noise = Noise(noise.white + directions.T @ directions, noise.slow + directions.T @ directions, noise.memory)
        self.watch.noise = noise

    # closed valves ------------------------------------------------------------------------------------------------

    def _open_valve(self, found: Closure, frame: Frame, leak: float) -> Case:
        cause, window = found.cause, self.ledger.window
        begin = found.onset + window.first
        alike = f"; {', '.join(found.alike)} would explain it as well" if found.alike else ""
        gains = f"half chi-square {found.gain:.0f}, of anything else {leak:.0f}"
        text = f"closed valve near pipe {cause.element}: {gains}{alike}"
        fault = Fault(cause.element, "pipe", VALVE, window.time(begin), frame.end, found.size, "of its effect", text)
        case = Case(cause, fault, begin, found.size, is_left_out=False, doubt=found.doubt)
        self.faults.append(fault)
        self.cases.append(case)
        self._all.append(case)
        self._take_off(case, begin, cause.effect(found.size))
        return case

    def _take_off(self, case: Case, since: float, effect: Floats) -> None:
        """Take so much more, float64 [n_channels], off the window's frames from a block on."""
        window = self.ledger.window
        for row, block in enumerate(window.blocks.tolist()):
            share = float(np.clip(block + 1.0 - since, 0.0, 1.0))
            if share > 0.0:
                mended = replace(window.frames[row], values=window.frames[row].values - share * effect)
                window.put(row, mended, self.ledger.effect[row], self.watch.noise)


def _per_day(slope: float, watch: InstrumentWatch) -> float:
    return slope * float(pd.Timedelta("1D") / watch.watch.settings.block)
