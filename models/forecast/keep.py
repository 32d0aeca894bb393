"""A forecaster's state as arrays, so that a live service goes on after a restart where it stopped."""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.errors import WrongRule
from models.forecast.features import Outlook
from models.forecast.forecaster import Forecaster, Settings

_FORMAT = 1


def save(forecaster: Forecaster, path: Path) -> None:
    """Write the state to a .npz file, whole or not at all."""
    arrays: dict[str, Any] = {**_arrays(forecaster)}
    head = {
        "format": _FORMAT,
        "channels": forecaster.channels,
        "slots": forecaster.settings.slots,
        "n_weather": forecaster.settings.n_weather,
        "reference": forecaster.settings.reference,
        "last": forecaster.last.isoformat() if forecaster.last else None,
        "pending": len(forecaster.pending),
        "surges": [list(key) for key in forecaster.surges],
        "taken": forecaster.band.taken.tolist(),
    }
    whole = io.BytesIO()
    extra: dict[str, Any] = {f"pending{k}/{name}": getattr(o, name) for k, o in enumerate(forecaster.pending)
                             for name in Outlook.__dataclass_fields__}  # fmt: skip
    np.savez_compressed(whole, head=np.array(json.dumps(head)), **arrays, **extra)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(whole.getvalue())
    partial.replace(path)


def restore(path: Path, settings: Settings | None = None) -> Forecaster:
    """Read a state back.

    Parameters
    ----------
    settings
        As when it was saved; holidays and events may have been added to.

    Raises
    ------
    WrongRule
        If the file is missing, is no saved state, or was saved with other settings.
    """
    try:
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
        head = json.loads(str(found["head"]))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise WrongRule(f"{path}: no saved forecast: {error}; learn anew from the history") from error
    forecaster = Forecaster(head["channels"], settings)
    own = forecaster.settings
    if head["format"] != _FORMAT or [head[k] for k in ("slots", "n_weather", "reference")] != [
        own.slots,
        own.n_weather,
        own.reference,
    ]:
        raise WrongRule(f"{path}: was saved with other settings; learn anew from the history")
    for name, offset in head["surges"]:
        forecaster.surge_of(name, offset)
    for name, array in _arrays(forecaster).items():
        array[...] = found[name]
    forecaster.pending[:] = [
        Outlook(*(found[f"pending{k}/{name}"] for name in Outlook.__dataclass_fields__)) for k in range(head["pending"])
    ]
    forecaster.band.taken[:] = head["taken"]
    forecaster.last = dt.date.fromisoformat(head["last"]) if head["last"] else None
    forecaster.weights.forget()
    return forecaster


def _arrays(forecaster: Forecaster) -> dict[str, NDArray[np.float64]]:
    """Every array that learning changes, by name."""
    memory, weights, band = forecaster.memory, forecaster.weights, forecaster.band
    fading = {"scale": forecaster.scales, "spread": forecaster.spreads, "usual": band.usual, "weather": memory.weather}
    for kind in ("profiles", "levels", "curves"):
        fading |= {f"{kind}{k}": part for k, part in enumerate(getattr(memory, kind))}
    fading |= {f"surge/{name}/{offset}": part for (name, offset), part in forecaster.surges.items()}
    arrays = {"daily": memory.daily, "nights": forecaster.nights, "errors": band.errors}
    arrays |= {"square": weights.square, "cross": weights.cross}
    for name, part in fading.items():
        arrays |= {f"{name}/total": part.total, f"{name}/weight": part.weight}
    return arrays
