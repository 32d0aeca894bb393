"""Files of loggers for the tests, read the whole way."""

from pathlib import Path

import pandas as pd

from scada.drops.file import read_file
from scada.drops.profile import Profile
from scada.drops.readings import Readings
from scada.drops.tagtable import logger_tag
from scada.errors import DropError
from scada.sample import Quality

TAGS = {
    tag.name: tag
    for tag in (
        logger_tag("p1", "pressure", "m", "J-1"),
        logger_tag("p2", "pressure", "m", "J-2"),
        logger_tag("q1", "flow", "m3/h", "P-1"),
        logger_tag("x1", "other", ""),
    )
}
LATE_MS = 4_000_000_000_000


def ms(text: str) -> int:
    """UTC ms of an ISO time."""
    stamp = pd.Timestamp(text)
    return int((stamp.tz_localize("UTC") if stamp.tz is None else stamp).timestamp() * 1000)


def readings(
    text: str | bytes, profile: Profile | None = None, name: str = "a.csv", arrival_ms: int = LATE_MS
) -> Readings:
    data = text if isinstance(text, bytes) else text.encode()
    [found] = read_file(Path(name), data, profile or Profile(), TAGS, arrival_ms)
    if isinstance(found, DropError):
        raise found
    return found


def rows(found: Readings) -> list[tuple[str, str, float]]:
    """Samples as tag, time and value."""
    return [
        (found.tags[tag].name, f"{pd.Timestamp(time, unit='ms'):%Y-%m-%d %H:%M}", round(value, 6))
        for tag, time, value in zip(found.tag, found.time_ms.tolist(), found.value.tolist(), strict=True)
    ]


def marks(found: Readings) -> list[tuple[str, str]]:
    """Quality and reason of each sample."""
    return [
        (Quality(quality).name, found.reasons[reason])
        for quality, reason in zip(found.quality.tolist(), found.reason.tolist(), strict=True)
    ]


def problems(found: Readings) -> list[tuple[int, str]]:
    """Line and text of what was not taken."""
    return [(finding.line, finding.what) for finding in found.findings if finding.severity == "error"]
