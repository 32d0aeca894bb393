"""What a database has done for it between batches: order by tag, and an end to old samples."""

from __future__ import annotations

import time

from scada.historian.engine import Engine, Retention

__all__ = ["Housekeeping"]

_RETENTION_EVERY_S = 3600.0
_MAINTAIN_EVERY_S = 1.0
_AFTER_FAILURE_S = 5.0


class Housekeeping:
    """When to let an engine put itself in order, for a moment each time.

    Attributes
    ----------
    deleted : int
        Samples that retention removed.
    """

    def __init__(self, engine: Engine, retention: Retention) -> None:
        self.deleted = 0
        self._engine = engine
        self._retention = retention
        self._maintain_at = self._retain_at = time.monotonic()
        self._has_grown = True  # since the engine said that it is in order

    @property
    def rest_s(self) -> float | None:
        """Time until there is something to do, s; None where there never is."""
        moments = [self._maintain_at] if self._has_grown else []
        if not self._retention.is_forever:
            moments.append(self._retain_at)
        return max(0.01, min(moments) - time.monotonic()) if moments else None

    def note_growth(self) -> None:
        """Remember that samples were stored."""
        self._has_grown = True

    def do_some(self, is_busy: bool) -> None:
        """Do what is due.

        Parameters
        ----------
        is_busy : bool
            Samples wait: only what cannot be put off.

        Raises
        ------
        HistorianError
            The database failed; it is tried again after some seconds.
        """
        now = time.monotonic()
        is_maintenance_due = self._has_grown and now >= self._maintain_at
        is_retention_due = not self._retention.is_forever and now >= self._retain_at
        if is_maintenance_due:
            self._maintain_at = now + _AFTER_FAILURE_S
            self._has_grown = self._engine.maintain(is_busy)
            self._maintain_at = now if self._has_grown and not is_busy else now + _MAINTAIN_EVERY_S
        if is_retention_due:
            self._retain_at = now + _AFTER_FAILURE_S
            deleted = self._engine.retain(self._retention, time.time_ns() // 1_000_000)
            self.deleted += deleted
            self._retain_at = now + (0.0 if deleted else _RETENTION_EVERY_S)
