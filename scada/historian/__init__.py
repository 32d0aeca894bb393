"""Where samples are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scada.errors import HistorianError
from scada.sample import Sample

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Historian", "open_historian"]


class Historian(Protocol):
    """A store of samples. Appending the same sample again changes nothing."""

    def append(self, samples: Sequence[Sample]) -> None:
        """Take samples; they are durable after the next :meth:`flush`, which comes by itself before long."""
        ...

    def flush(self) -> None:
        """Make everything taken so far durable."""
        ...

    def last(self, tags: Sequence[str] | None = None) -> dict[str, Sample]:
        """Return the newest sample of each tag that has one; of all tags by default."""
        ...

    def range(
        self, tags: Sequence[str] | None = None, from_ms: int | None = None, to_ms: int | None = None
    ) -> pd.DataFrame:
        """Return samples with ``from_ms <= time < to_ms`` as columns time, tag, value, quality, reason."""
        ...

    def frame(
        self, tags: Sequence[str] | None = None, from_ms: int | None = None, to_ms: int | None = None
    ) -> pd.DataFrame:
        """Return the same with one column for each tag, NaN where the sample is not GOOD; index UTC."""
        ...

    def export(
        self,
        path: str | Path,
        tags: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> int:
        """Write the same to a CSV or Parquet file and return how many rows."""
        ...

    def close(self) -> None:
        """Flush and let the store go."""
        ...


def open_historian(url: str) -> Historian:
    """Open the historian at a URL.

    Parameters
    ----------
    url : str
        ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

    Raises
    ------
    HistorianError
        The store cannot be opened, or there is none of this kind yet.
    """
    # here, since its module needs this package to be importable
    from scada.historian.sqlite import SqliteHistorian

    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and separator and len(rest) > 1 and rest.startswith("/"):
        return SqliteHistorian(Path(rest[1:]))
    if scheme in {"postgresql", "postgres"}:
        raise HistorianError("historian postgresql:// is not built yet; use sqlite:///history.db")
    raise HistorianError(f"historian url '{url}' is unknown; write sqlite:///history.db")
