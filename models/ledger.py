"""The ledger of leaks that are known: all of them are simulated in the model before the next is sought."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.frame import Frame
from models.growth import Growth
from models.leak import Estimate
from models.localise import Place
from models.noise import Noise, even
from models.watch import Watch
from models.window import Window

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Alarm:
    """What was known when an entry was raised; frozen from then on."""

    time: pd.Timestamp
    place: Place
    flow: Estimate
    kind: str
    gain: float
    evidence: tuple[tuple[str, float], ...]


@dataclass
class Entry:
    """One known leak.

    Attributes
    ----------
    alarm
        As entered until it is told; as told then, or as told again when the leak turned out to be elsewhere.
    is_told
        An alarm was raised for it; until then it is a hypothesis on probation, which is simulated like the others.
    superseded
        What was told before that.
    is_past
        It had ended before the data in question began: nobody asks for it.
    flow_doubt
        Standard deviation of its flow, as a share; as the alarm has it where it was not judged with the others yet.
    placed, refitted
        Blocks in which it came to where it is, and in which it was last fitted anew.
    misfit
        float64 [n_channels], per m3/s, what it did beyond its simulation; empty where that is not known.
    raised
        Block in which it was raised.
    place, growth
        As known now.
    unit
        float64 [n_channels], effect per m3/s at its present flow.
    doubt
        float64 [n, n_channels], directions in which the effect of one m3/s may be misjudged, one deviation each:
        other places that it may have, its size, the patterns of flow anywhere.
    rest
        float64 [n, n_channels], what of this is still uncertain beside `misfit`; empty before that was learnt.
    onset_deviation
        Blocks, standard deviation of the onset.
    hour_onset
        Onset as hours have it, NaN where they told nothing of it: days do not show when in them a leak began.
    is_withdrawn
        Later data spoke against it.
    withdrawn
        Block in which they did.
    due
        Block since which it might be told, -1 where it may not.
    belief
        float64 [n_pipes], how far each pipe's gain lay below the best at the last refit; empty before the first.
    """

    alarm: Alarm
    raised: int
    place: Place
    growth: Growth
    unit: Floats
    doubt: Floats
    onset_deviation: float = 1.0
    is_withdrawn: bool = False
    withdrawn: int = 0
    belief: Floats = field(default_factory=lambda: np.empty(0))
    superseded: list[Alarm] = field(default_factory=list)
    is_past: bool = False
    misfit: Floats = field(default_factory=lambda: np.empty(0))
    placed: int = 0
    refitted: int = -1
    is_told: bool = False
    due: int = -1
    flow_doubt: float = np.nan
    hour_onset: float = np.nan
    rest: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def state(self) -> dict[str, object]:
        """What a refit may change."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def restore(self, state: dict[str, object]) -> None:
        """Undo a refit."""
        for name, value in state.items():
            setattr(self, name, value)

    def covered(self, near: NDArray[np.bool_], links: dict[str, int]) -> float:
        """Probability, as known now, that it lies in one of some pipes, bool [n_links]."""
        return sum(c.probability for c in self.place.candidates if near[links[c.pipe]])

    def withdraw(self, block: int) -> None:
        """Call the alarm false."""
        self.is_withdrawn, self.withdrawn = True, block

    @property
    def is_open(self) -> bool:
        """Whether it still runs, as far as is known."""
        return self.growth.end is None and not self.is_withdrawn

    def flow(self, blocks: Floats) -> Floats:
        """Flow in each block, float64 [n], m3/s."""
        return np.zeros_like(blocks) if self.is_withdrawn else self.growth.flow(blocks)


class Ledger:
    """Entries, the window they are seen in, and what they do to it together.

    Attributes
    ----------
    entries
        In order of detection.
    window
        The frames.
    effect
        float64 [n_blocks, n_channels], simulated effect of all entries together.
    """

    def __init__(self, watch: Watch, length: int) -> None:
        self.watch = watch
        self.entries: list[Entry] = []
        self.window = Window(length, watch.settings.block, len(watch.channels.names))
        self.effect: Floats = np.empty((0, len(watch.channels.names)))

    @property
    def residual(self) -> Floats:
        """What the known leaks leave unexplained, float64 [n_blocks, n_channels]."""
        return even(self.window.values - self.effect, self.watch.noise)

    def append(self, frame: Frame, noise: Noise) -> None:
        """Take a frame and simulate the known leaks in it; blocks that were left out are taken to be as expected."""
        if len(self.window):
            # onsets and shapes count rows: a block that nobody saw has a row too
            length, last = self.window.block, self.window.last
            missed = min(round(self.window.number(frame.start)) - last - 1, self.window.length)
            for start in (frame.start - k * length for k in range(missed, 0, -1)):
                nothing = np.full_like(frame.values, np.nan)
                parts = np.full_like(frame.parts, np.nan)
                unseen = replace(frame, start=start, end=start + length, values=nothing, parts=parts)
                self._append(replace(unseen, hours=np.empty((0, 0))), noise)
        self._append(frame, noise)

    def _append(self, frame: Frame, noise: Noise) -> None:
        block = np.array([float(round(self.window.number(frame.start)))])
        now = self._simulated([frame], block, self.entries)
        drop = self.window.append(frame, now[0], noise)
        self.effect = np.vstack([self.effect[drop:], now])

    def without(self, entry: Entry) -> Floats:
        """Residual with one entry put back, float64 [n_blocks, n_channels]."""
        others = [e for e in self.entries if e is not entry]
        return even(self.window.values - self._effect(others, self._begin(entry)), self.watch.noise)

    def update(self, entry: Entry, before: Growth | None = None) -> None:
        """Simulate anew after an entry has changed, from where it (or what it was) begins."""
        begin = self._begin(entry)
        if before is not None:
            begin = min(begin, self._row(before.onset))
        self.effect = self._effect(self.entries, begin)

    def simulate_from(self, onset: float) -> None:
        """Simulate all entries anew from a block on."""
        self.effect = self._effect(self.entries, self._row(onset))

    def doubts(self, but: Entry | None = None) -> Floats:
        """What is uncertain about the open leaks, float64 [n, n_channels], but for one of them."""
        now = self.window.blocks[-1:]
        entries = [e for e in self.entries if e.is_open and e is not but and len(e.doubt)]
        parts = [(e.rest if len(e.rest) else e.doubt) * float(e.flow(now)[0]) for e in entries]
        return np.vstack(parts) if parts else np.empty((0, len(self.watch.channels.names)))

    def _begin(self, entry: Entry) -> int:
        return self._row(entry.growth.onset)

    def _row(self, onset: float) -> int:
        return int(np.clip(np.floor(onset) - self.window.first, 0, len(self.window)))

    def _effect(self, entries: list[Entry], begin: int) -> Floats:
        """Effect of some entries; rows before `begin` are those of all entries, which it does not change."""
        effect = self.effect.copy()
        if begin < len(self.window):
            effect[begin:] = self._simulated(self.window.frames[begin:], self.window.blocks[begin:], entries)
        return effect

    def _simulated(self, frames: list[Frame], blocks: Floats, entries: list[Entry]) -> Floats:
        """Effect of some entries; a block in which one begins at once or ends is simulated part by part.

        Head loss grows with the square of flow: half a day of a leak is not a day of half of it.
        """
        entries = [e for e in entries if not e.is_withdrawn]
        rows, weights, moments = [], [], []
        for k, block in enumerate(blocks.tolist()):
            cuts = {0.0, 1.0}
            for growth in (e.growth for e in entries):
                ends = (growth.onset if growth.rise == 0 else None, growth.end)
                cuts.update(at - block for at in ends if at is not None and 0.0 < at - block < 1.0)
            for low, high in pairwise(sorted(cuts)):
                rows.append(k)
                weights.append(high - low)
                moments.append(block + 0.5 * (low + high))
        flows = _together(entries, np.array(moments))
        parts = self.watch.effect([frames[k] for k in rows], flows)
        effect = np.zeros((len(frames), parts.shape[1]))
        np.add.at(effect, rows, parts * np.array(weights)[:, None])
        for entry in entries:
            if len(entry.misfit):
                effect += np.outer(entry.flow(blocks), entry.misfit)
        return effect

    def running(self, times: pd.DatetimeIndex) -> dict[int, Floats]:
        """Flow of every leak at given times: link -> float64 [n], m3/s."""
        blocks = np.array([self.window.number(time) for time in times])
        return _together([e for e in self.entries if not e.is_withdrawn], blocks)

    def simulated(self, frames: list[Frame], entries: list[Entry] | None = None) -> Floats:
        """Effect of some or all entries on frames of any time, float64 [n_frames, n_channels]."""
        blocks = np.array([float(round(self.window.number(f.start))) for f in frames])
        return self._simulated(frames, blocks, self.entries if entries is None else entries)

    def replace_frames(self, frames: list[Frame], noise: Noise) -> None:
        """Take the window's frames anew, against a model that was calibrated again."""
        self.window.clear()
        self.effect = np.empty((0, self.effect.shape[1]))
        for frame in frames[-self.window.length :]:
            self.append(frame, noise)

    def flows_now(self, one: Entry | None, n: int, share: float = 0.5) -> dict[int, Floats]:
        """Present flow of every leak as a drive of `n` rows wants it; of one of them a share."""
        flows: dict[int, Floats] = {}
        for entry in self.entries:
            flow = float(entry.flow(self.window.blocks[-1:])[0]) * (share if entry is one else 1.0)
            if flow > 0.0:
                link = entry.place.pipe
                flows[link] = flows.get(link, np.zeros(n)) + flow
        return flows


def _together(entries: list[Entry], blocks: Floats) -> dict[int, Floats]:
    """Flow of each link that leaks at moments, link -> float64 [n], m3/s."""
    flows: dict[int, Floats] = {}
    for entry in entries:
        flow = entry.growth.moment(blocks)
        if np.any(flow > 0.0):
            link = entry.place.pipe
            flows[link] = flows.get(link, np.zeros(len(blocks))) + flow
    return flows
