"""`umanflow ingest --watch`: files as they come, and databases at their intervals."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from scada.drops.folder import DropFolder, profile_of
from scada.drops.profile import Profile
from scada.drops.query import Query, take_query
from scada.drops.taking import Outcome, Taker, write_rejects
from scada.errors import HistorianError, QueryError
from scada.historian import Historian
from scada.historian.locked import take_lock
from umanflow.config import Config
from umanflow.errors import UserError
from umanflow.ingesting import Told, Wish, as_wished, chosen, opened, rejects_folder, write_query_rejects
from umanflow.ingestprofiles import profiles_of, queries_of

_logger = logging.getLogger(__name__)
_TOLD_FINDINGS = 5


@dataclass(slots=True)
class _Asked:
    """A query, how often it is asked, s, and when again (monotonic s)."""

    query: Query
    every_s: float
    due: float = 0.0


def run_watch(config: Config, wish: Wish, stop: threading.Event, told: Told = lambda outcome: None) -> None:
    """Take files as they come, and ask databases at their intervals, until stopped.

    Raises
    ------
    UserError
        There is nothing to watch, or somebody else watches.
    """
    if wish.data is None and not config.ingest.is_watching:
        raise UserError("nothing to watch; give --data, or [ingest] folder or queries in the configuration")
    if wish.data is not None and not wish.data.is_dir():
        raise UserError(f"{wish.data}: no such folder; --watch needs one")
    state = config.path(config.ingest.state)
    state.parent.mkdir(parents=True, exist_ok=True)
    lock = take_lock(state.with_name(f"{state.name}.lock"))
    if lock is None:
        raise UserError(f"{state}: another umanflow watches with it; end that one, or state another [ingest] state")
    try:
        with opened(config, False, may_be_away=True) as (taker, store):
            assert store is not None
            watch = Watch(config, wish, taker, told)
            while not stop.is_set():
                watch.look(stop)
                stop.wait(config.ingest.poll_s)
                if not watch.is_failing:
                    watch.tidy(store)
    finally:
        lock.release(remove=True)


class Watch:
    """Folders and databases that are looked at again and again.

    Parameters
    ----------
    config
    wish
    taker
    told
        Called with what became of each file, and of each query that gave something.

    Attributes
    ----------
    is_failing
        Whether the historian did not take the last file.
    """

    def __init__(self, config: Config, wish: Wish, taker: Taker, told: Told) -> None:
        self.is_failing = False
        self._config, self._taker, self._told, self._wish = config, taker, told, wish
        section = config.ingest
        places = (
            [(wish.data, chosen(config, wish.profile))]
            if wish.data is not None
            else [(config.path(name), profiles_of(config, name)) for name in section.folders]
        )
        for path, _ in places:
            if path is not None:
                path.mkdir(parents=True, exist_ok=True)
        self._folders = [
            (_watched(path, section.done, section.failed, section.stable_s), [as_wished(p, wish) for p in profiles])
            for path, profiles in places
            if path is not None
        ]
        self._queries = [] if wish.data is not None else [_Asked(query, every) for query, every in queries_of(config)]
        self._complained: set[str] = set()

    def look(self, stop: threading.Event) -> None:
        """Take what has come; an error is logged once and whatever it stopped is tried again at the next look."""
        try:
            for folder, profiles in self._folders:
                for path in self._whole(folder):
                    if stop.is_set():
                        return
                    profile = profile_of(path.name, profiles)
                    if profile is not None:
                        self._take(folder, path, profile)
                    else:
                        self._complain(f"{path}: fits no pattern of [[ingest.files]] and is left there")
            for entry in self._queries:
                if time.monotonic() >= entry.due and not stop.is_set():
                    entry.due = time.monotonic() + entry.every_s
                    self._ask(entry.query)
            if self.is_failing:
                _logger.warning("the historian takes files again")
            self.is_failing = False
            self._complained.discard("historian")
        except HistorianError as error:
            self.is_failing = True
            self._complain(f"files wait: {error}", "historian")

    def _whole(self, folder: DropFolder) -> list[Path]:
        try:
            return folder.whole()
        except OSError as error:
            self._complain(f"{folder.path}: cannot be read: {error.strerror}; make it, or mend its name")
            return []

    def _take(self, folder: DropFolder, path: Path, profile: Profile) -> None:
        try:
            outcome = self._taker.take_file(path, profile, self._wish.arrival_ms, self._wish.is_again)
        except HistorianError:
            raise
        except Exception as error:  # a file that nobody thought of must not stop the others
            _logger.exception("%s: could not be read", path)
            outcome = Outcome(str(path), profile.name, "failed")
            reason = f"{path}: could not be read: {type(error).__name__}: {error}; tell whoever keeps the program\n"
            self._put_away(folder, path, outcome, reason)
            return
        reason = "".join(f"{finding}\n" for finding in outcome.findings) if outcome.verdict == "failed" else ""
        self._put_away(folder, path, outcome, reason)

    def _put_away(self, folder: DropFolder, path: Path, outcome: Outcome, reason: str) -> None:
        """Write what was not taken, remember the file, and only then move it: each step may be the last one."""
        try:
            target = folder.place(path, outcome.verdict != "failed")
            if outcome.verdict == "partly":
                write_rejects(rejects_folder(self._config, target.parent), target.name, outcome)
            self._taker.remember(outcome)
            folder.finish(path, target, reason)
        except OSError as error:
            self._complain(f"{path}: cannot be put away: {error.strerror or error}; let this user write there")
            return
        self._told(outcome)

    def _ask(self, query: Query) -> None:
        try:
            outcome = take_query(query, self._taker)
            write_query_rejects(self._config, outcome)
        except QueryError as error:
            self._complain(str(error))
            return
        except OSError as error:
            self._complain(f"{query.name}: rejects cannot be written: {error.strerror or error}")
            return
        if outcome.stored or outcome.revised or outcome.errors:
            self._told(outcome)

    def tidy(self, store: Historian) -> None:
        """Put stored samples in better order for a moment."""
        try:
            store.tidy()
        except HistorianError as error:
            self._complain(str(error))

    def _complain(self, text: str, key: str = "") -> None:
        """Log an error once, not at every look."""
        if (key or text) not in self._complained:
            self._complained.add(key or text)
            _logger.warning("%s", text)


def _watched(path: Path, done: str, failed: str, stable_s: float) -> DropFolder:
    return DropFolder(path, path / done if done else None, path / failed if failed else None, stable_s)


def log_outcome(outcome: Outcome) -> None:
    """Log what became of a file."""
    what = f"{outcome.stored} new, {outcome.revised} revised, {outcome.repeated} known, {outcome.rejected} not taken"
    if outcome.verdict == "failed":
        _logger.error("%s: nothing could be taken", outcome.file)
    else:
        _logger.info("%s: %s: %s", outcome.file, outcome.verdict, what)
    for finding in outcome.findings[:_TOLD_FINDINGS]:
        _logger.warning("%s", finding)
