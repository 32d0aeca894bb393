"""`umanflow ingest`: files and databases of other systems into the historian, once or again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from scada.drops.finding import Finding
from scada.drops.folder import files_of, profile_of
from scada.drops.profile import Profile
from scada.drops.query import take_query
from scada.drops.state import State
from scada.drops.taking import Outcome, Taker, write_rejects
from scada.errors import QueryError
from scada.historian import Historian
from umanflow.config import Config
from umanflow.errors import UserError
from umanflow.ingestprofiles import profiles_of, queries_of
from umanflow.store import open_store
from umanflow.tagging import every_tag

_LONGEST_TIDY_S = 20.0
Told = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of one run.

    Attributes
    ----------
    data
        A file or a folder; by default what the configuration names.
    profile
        Name of the profile to read by; by default the first whose pattern fits.
    is_check
        Tell what is wrong and store nothing.
    is_again
        Take files though they are known.
    arrival_ms
        When the files came, UTC ms; by default as their profiles say.
    arrives_now
        They came now.
    """

    data: Path | None = None
    profile: str = ""
    is_check: bool = False
    is_again: bool = False
    arrival_ms: int | None = None
    arrives_now: bool = False


@contextmanager
def opened(config: Config, is_check: bool, may_be_away: bool = False) -> Iterator[tuple[Taker, Historian | None]]:
    """Open the historian and the state, unless it is only a check."""
    tags = every_tag(config).by_name
    if is_check:
        yield Taker(tags, None, None), None
        return
    store = open_store(config, may_be_away=may_be_away)
    try:
        state = State(config.path(config.ingest.state))
        try:
            yield Taker(tags, store, state), store
        finally:
            state.close()
    finally:
        store.close()


def run_ingest(config: Config, wish: Wish, told: Told = lambda outcome: None) -> list[Outcome]:
    """Take files once, where they are; and ask the configured databases when no file is named.

    Raises
    ------
    UserError
        There is nothing to take.
    HistorianError
        The historian cannot be used; what is stored already does no harm when it is taken again.
    """
    files = _files(config, wish)
    outcomes = []
    with opened(config, wish.is_check) as (taker, store):
        for path, profile in files:
            outcome = taker.take_file(path, profile, wish.arrival_ms, wish.is_again)
            if not wish.is_check:
                if outcome.verdict == "partly":
                    _keep_rejects(rejects_folder(config, path.parent), path.name, outcome)
                taker.remember(outcome)
            told(outcome)
            outcomes.append(outcome)
        for query, _ in queries_of(config) if wish.data is None else ():
            try:
                outcome = take_query(query, taker)
            except QueryError as error:
                what, _, mend = str(error).rpartition("; ")
                outcome = Outcome(
                    query.name, query.profile.name, "failed", findings=[Finding(query.name, 0, what, mend)]
                )
            if not wish.is_check:
                write_query_rejects(config, outcome)
            told(outcome)
            outcomes.append(outcome)
        if store is not None:
            _tidy(store)
    return outcomes


def rejects_folder(config: Config, beside: Path) -> Path:
    """Where rows go that were not taken."""
    return config.path(config.ingest.rejects) if config.ingest.rejects else beside


def write_query_rejects(config: Config, outcome: Outcome) -> None:
    """Write what was not taken of a query's answer."""
    if outcome.verdict != "failed":
        folder = rejects_folder(config, config.path(config.ingest.state).parent)
        _keep_rejects(folder, f"query-{outcome.file}", outcome)


def _keep_rejects(folder: Path, name: str, outcome: Outcome) -> None:
    """Write what was not taken; where that cannot be, say so: it is no reason to lose the rest."""
    try:
        write_rejects(folder, name, outcome)
    except OSError as error:
        what = f"its rejects cannot be written to {folder}: {error.strerror or error}"
        outcome.findings.append(Finding(outcome.file, 0, what, "state a folder as [ingest] rejects", "warning"))


def _tidy(store: Historian) -> None:
    """Put what was stored in order: nobody else may run who would."""
    until = time.monotonic() + _LONGEST_TIDY_S
    while store.tidy() and time.monotonic() < until:
        pass


def _files(config: Config, wish: Wish) -> list[tuple[Path, Profile]]:
    """Files to be taken, each with its profile."""
    if wish.data is None:
        if not config.ingest.is_watching:
            raise UserError("nothing to take; give --data, or [ingest] folder or queries in the configuration")
        found = [
            (path, profile)
            for name in config.ingest.folders
            for path in _listed(config.path(name))
            if (profile := profile_of(path.name, profiles_of(config, name))) is not None
        ]
        return [(path, as_wished(profile, wish)) for path, profile in found]
    profiles = chosen(config, wish.profile)
    if wish.data.is_dir():
        found = [(path, p) for path in _listed(wish.data) if (p := profile_of(path.name, profiles)) is not None]
        if not found:
            patterns = ", ".join(profile.pattern for profile in profiles)
            raise UserError(f"{wish.data}: has no file that fits {patterns}; mend --data or the patterns")
        return [(path, as_wished(profile, wish)) for path, profile in found]
    if not wish.data.is_file():
        raise UserError(f"{wish.data}: no such file or folder; mend --data")
    profile = profile_of(wish.data.name, profiles) or (profiles[0] if wish.profile or not config.ingest.files else None)
    if profile is None:
        raise UserError(f"{wish.data}: fits no pattern of [[ingest.files]]; name its profile with --profile")
    return [(wish.data, as_wished(profile, wish))]


def _listed(folder: Path) -> list[Path]:
    try:
        return files_of(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror}; make it, or mend its name") from error


def chosen(config: Config, name: str) -> list[Profile]:
    """Profiles that are tried: all, or the one that is named."""
    profiles = profiles_of(config)
    if not name:
        return profiles
    found = [replace(profile, pattern="*") for profile in profiles if profile.name == name]
    if not found:
        known = ", ".join(profile.name for profile in profiles)
        raise UserError(f"--profile {name}: no such profile; there are {known}")
    return found


def as_wished(profile: Profile, wish: Wish) -> Profile:
    """Return a profile with what the command says of arrivals."""
    return replace(profile, arrival="now") if wish.arrives_now else profile


def fails(outcomes: list[Outcome]) -> UserError | None:
    """The error of a run in which nothing could be taken; None where something was, or was known."""
    if not outcomes or any(outcome.verdict != "failed" for outcome in outcomes):
        return None
    first = next((f for outcome in outcomes for f in outcome.errors or outcome.findings), None)
    others = sum(len(outcome.errors) for outcome in outcomes) - 1
    more = f" (and {others} more; --check tells all)" if others > 0 else ""
    return UserError(f"nothing could be taken: {first}{more}" if first else "nothing could be taken; look at the files")
