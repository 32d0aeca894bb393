"""Calibrating again, on a whole history with the leaks that ran in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hydro.record import Record
from models.frame import Frame
from models.ledger import Ledger
from models.watch import Watch


def relearn(watch: Watch, history: Record, ledger: Ledger) -> list[Frame]:
    """Calibrate a watched model again and return the history's frames against it.

    Many days, and what leaks did to the pressures, tell far more of the model than one quiet week.

    Parameters
    ----------
    ledger
        The leaks that ran in the history.
    """
    watch.relearn(history, ledger.running)
    frames = list(watch.frames(history))
    residual = np.stack([f.values for f in frames]) - ledger.simulated(frames)
    usual = np.nanmedian(residual, axis=0)
    usual[len(watch.channels.picked) :] = 0.0
    watch.centre(usual)
    watch.sharpen([replace(f, values=v) for f, v in zip(frames, residual, strict=True)])
    return [replace(f, values=f.values - usual, hours=f.hours - usual if f.hours.size else f.hours) for f in frames]
