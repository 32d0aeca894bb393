"""The frames that the detector looks back on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.drive import Drive
from models.frame import Frame
from models.noise import Noise

Floats = NDArray[np.float64]


class Window:
    """The last frames, as arrays.

    Attributes
    ----------
    frames
        In order.
    values
        float64 [n_blocks, n_channels], residuals against the model without leaks.
    blocks
        float64 [n_blocks], numbers on the detector's clock.
    """

    def __init__(self, length: int, block: pd.Timedelta, n_channels: int) -> None:
        self.length, self.block = length, block
        self.frames: list[Frame] = []
        self.values: Floats = np.empty((0, n_channels))
        self.blocks: Floats = np.empty(0)
        self._origin: pd.Timestamp | None = None

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.frames)

    @property
    def first(self) -> int:
        """Number of the oldest block."""
        return int(self.blocks[0])

    @property
    def last(self) -> int:
        """Number of the newest block."""
        return int(self.blocks[-1])

    def number(self, time: pd.Timestamp) -> float:
        """A time on the detector's clock, blocks since its first frame."""
        if self._origin is None:
            self._origin = time
        return float((time - self._origin) / self.block)

    def time(self, number: float) -> pd.Timestamp:
        """The time of a number on the detector's clock, to the second."""
        if self._origin is None:
            raise ValueError("the window has seen no frame yet")
        return (self._origin + number * self.block).floor("s")

    def append(self, frame: Frame, expected: Floats, noise: Noise) -> int:
        """Take a frame; forget the oldest beyond the window's length; return how many were forgotten.

        Parameters
        ----------
        expected
            float64 [n_channels], what known leaks do in this frame: it stands in for channels that are missing.
        """
        drop = max(0, len(self.frames) + 1 - self.length)
        self.frames = [*self.frames[drop:], frame]
        self.values = np.vstack([self.values[drop:], filled(frame.values, expected, noise)])
        self.blocks = np.append(self.blocks[drop:], round(self.number(frame.start)))
        return drop

    def put(self, row: int, frame: Frame, expected: Floats, noise: Noise) -> None:
        """Take another version of a frame in the place of one; `expected` as in `append`."""
        self.frames[row] = frame
        self.values[row] = filled(frame.values, expected, noise)

    def clear(self) -> None:
        """Forget all frames; the clock goes on."""
        self.frames, self.values, self.blocks = [], self.values[:0], self.blocks[:0]

    def drive_since(self, block: float, n_frames: int = 4) -> Drive:
        """Boundary conditions of a few frames in one drive, evenly from a block on: week days and weekends alike.

        Parameters
        ----------
        block
            Number on the detector's clock.
        n_frames
            How many, or as many as there are; the newest is always among them.
        """
        first = min(int(np.searchsorted(self.blocks, block)), max(0, len(self.frames) - n_frames))
        chosen = np.unique(np.linspace(first, len(self.frames) - 1, n_frames).astype(int))
        parts = [self.frames[k].drive for k in chosen]
        times = pd.DatetimeIndex(np.concatenate([part.times.to_numpy() for part in parts]), tz="UTC")
        return Drive(
            times,
            *(
                np.vstack([getattr(part, name) for part in parts])
                for name in ("demand", "level", "pump_flow", "inflow", "known")
            ),
        )


def filled(values: Floats, expected: Floats, noise: Noise) -> Floats:
    """Put what the other channels let expect where a channel is missing: it then says nothing new."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    filled = np.where(missing, expected, values)
    if not missing.all():
        seen = ~missing
        covariance = noise.white + noise.slow
        filled[missing] += covariance[np.ix_(missing, seen)] @ np.linalg.solve(
            covariance[np.ix_(seen, seen)], (values - expected)[seen]
        )
    return filled
