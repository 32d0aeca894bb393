"""Alarms of a configuration: its table, their evaluation beside polling, and what people do to them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from scada.alarms import PRIORITIES, Alarm, AlarmTable, Command, Entry, Expectation, Hiding, State, Wiring
from scada.alarms.causes import complete
from scada.alarms.check import MODEL, AlarmSurroundings
from scada.alarms.commands import mistake_of
from scada.alarms.service import AlarmService
from scada.alarms.tables import read_alarms
from scada.endpoint import parse_url
from scada.errors import HistorianAway
from scada.historian import Historian
from scada.sample import Sample
from scada.tags import TagTable
from umanflow.config import Config
from umanflow.delivered import follow_delivered
from umanflow.errors import ConfigError, UserError
from umanflow.expected import ModelExpectation
from umanflow.store import open_store, waiting_alarms
from umanflow.tagging import delivered_tags

_LONGEST_POST_S = 10.0
_ANSWER_S = 3.0
_LOOK_S = 0.1
_CONNECTIONS = 3  # when all of so many are silent it is hardly each for itself


def wiring_of(config: Config, table: TagTable) -> Wiring:
    """Which tag hangs on which device, which devices share a connection, and all of them a network.

    What is delivered hangs on none.
    """
    delivered = delivered_tags(config).by_name
    devices = {tag.name: tag.device for tag in table if tag.name not in delivered}
    polled = set(devices.values())
    urls = {device.name: str(parse_url(device.url)) for device in config.devices if device.name in polled}
    shared = {url for url, count in Counter(urls.values()).items() if count > 1}
    gateways = {device: url for device, url in urls.items() if url in shared}
    network = ""
    if len(set(urls.values())) >= _CONNECTIONS:
        network = next(name for name in ("network", "network of all devices") if name not in urls)
        gateways |= dict.fromkeys([*shared, *(device for device in urls if device not in gateways)], network)
    return Wiring(devices, gateways, config.alarms.away_delay_s, network)


def surroundings_of(config: Config, table: TagTable) -> AlarmSurroundings:
    """What an alarm table is checked against."""
    return AlarmSurroundings(table.by_name, wiring_of(config, table), tuple(sources_of(config, table)))


def sources_of(config: Config, table: TagTable) -> dict[str, ModelExpectation]:
    """What alarms may expect beside the values of tags: the model's, where a network is configured."""
    if not config.network:
        return {}
    return {MODEL: ModelExpectation(config.network_path, table, config.timezone)}


def prepared_sources(config: Config, table: TagTable, alarms: Iterable[Alarm]) -> Mapping[str, Expectation]:
    """The sources, ready to be asked for what these alarms look at; the model is run only where one expects it.

    Raises
    ------
    ConfigError
        If the model knows nothing of a tag that is to be compared with it.
    """
    sources = sources_of(config, table)
    wanted = sorted({alarm.tag for alarm in alarms if alarm.kind == "deviation" and alarm.expected == MODEL})
    if wanted:
        sources[MODEL].prepare(wanted)
        if unknown := [name for name in wanted if name not in sources[MODEL].known]:
            raise ConfigError(
                f"alarms of {', '.join(unknown)} look at the deviation from the model, which has no such reading; give "
                "the tag an element of the network and the quantity pressure, level, flow or status, or expect a tag"
            )
    return sources


def alarms_of(config: Config, table: TagTable) -> AlarmTable | None:
    """Read the configured alarm table, every mistake in it told at once; None where there is none."""
    if not config.alarms.file:
        return None
    path = config.path(config.alarms.file)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; [alarms] file names the alarm table")
    return read_alarms(path, surroundings_of(config, table))


def required_alarms(config: Config, table: TagTable) -> tuple[Alarm, ...]:
    """The configured alarms, with those of devices and gateways.

    Raises
    ------
    ConfigError
        There is no alarm table.
    """
    alarms = alarms_of(config, table)
    if alarms is None:
        raise ConfigError('the configuration has no alarms; write [alarms] file = "alarms.csv"')
    return complete(alarms, wiring_of(config, table))


@asynccontextmanager
async def evaluating(
    config: Config, alarms: AlarmTable | None, table: TagTable, store: Historian
) -> AsyncIterator[Callable[[Sequence[Sample]], None] | None]:
    """Evaluate alarms for the length of a block; yield where samples go, None where there are no alarms."""
    if alarms is None:
        yield None
        return
    wiring = wiring_of(config, table)
    sources = await asyncio.to_thread(prepared_sources, config, table, tuple(alarms))
    service = AlarmService(alarms, store.alarms, waiting_alarms(config), wiring, sources)
    tasks = [
        asyncio.create_task(service.run()),
        asyncio.create_task(follow_delivered(config, tuple(alarms), service.take)),
    ]
    try:
        yield service.take
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        service.close()


def post(config: Config, table: TagTable, command: Command) -> str:
    """Leave a command for the running `umanflow poll`; return what became of it.

    Raises
    ------
    UserError
        There is no such alarm, the command is incomplete, or it was refused.
    """
    by_id = {alarm.id: alarm for alarm in required_alarms(config, table)}
    name = command.alarm
    if name not in by_id:
        near = [known for known in by_id if name.casefold() in known.casefold()][:5]
        raise UserError(f"there is no alarm '{name}'; {'use ' + ', '.join(near) if near else 'see alarms list --all'}")
    command = replace(command, time_ms=time.time_ns() // 1_000_000)
    mistake = mistake_of(command, by_id[name].max_shelve_h)
    if mistake:
        raise UserError(mistake)
    store = open_store(config)
    try:
        number = _patiently(lambda: store.alarms.post(command))
        deadline = time.monotonic() + _ANSWER_S
        while (answer := store.alarms.answer(number)) is None:
            if time.monotonic() > deadline:
                return f"{name}: {command.action} waits for umanflow poll, which does not run or is busy"
            time.sleep(_LOOK_S)
    finally:
        store.close()
    if answer:
        raise UserError(answer)
    return f"{name}: {command.action} done"


def _patiently(post: Callable[[], int]) -> int:
    """Try again while the database is busy with somebody else."""
    deadline = time.monotonic() + _LONGEST_POST_S
    while True:
        try:
            return post()
        except HistorianAway:
            if time.monotonic() > deadline:
                raise


def standing_rows(config: Config, table: TagTable, is_all: bool) -> list[dict[str, object]]:
    """Alarms that are not normal, the gravest and newest first; or all.

    What another alarm suppresses is counted with that one, and listed only with all.
    """
    alarms = required_alarms(config, table)
    store = open_store(config)
    try:
        newest, since = store.alarms.newest(), store.alarms.since()
    finally:
        store.close()
    follow = Counter(_root(newest, entry) for entry in newest.values() if Hiding.CAUSED in entry.hidden)
    rows = []
    for alarm in alarms:
        entry = newest.get(alarm.id)
        is_normal = entry is None or entry.after == State.NORMAL
        is_consequence = entry is not None and set(entry.hidden) == {Hiding.CAUSED.value}
        if is_all or not (is_normal or is_consequence):
            rows.append(_standing_row(config, alarm, entry, since.get(alarm.id), follow[alarm.id]))
    ranks = {priority: -rank for rank, priority in enumerate(PRIORITIES)}
    rows.sort(key=lambda row: (ranks[str(row["priority"])], -since.get(str(row["alarm"]), 0), str(row["alarm"])))
    return rows


def _root(newest: Mapping[str, Entry], entry: Entry) -> str:
    """Return the alarm at the end of the causes of a suppressed one: that of a gateway for the tags behind it."""
    name, seen = entry.cause, {entry.alarm}
    while (above := newest.get(name)) is not None and Hiding.CAUSED in above.hidden and name not in seen:
        seen.add(name)
        name = above.cause
    return name


def _standing_row(
    config: Config, alarm: Alarm, entry: Entry | None, since_ms: int | None, follow: int
) -> dict[str, object]:
    is_uk = config.language == "uk"
    return {
        "alarm": alarm.id,
        "state": State.NORMAL.value if entry is None else entry.after,
        "priority": alarm.priority,
        "position": alarm.position,
        "since": stamp(since_ms),
        "value": None if entry is None or entry.value != entry.value else entry.value,
        "text": alarm.text(config.language),
        "suppresses": follow or None,
        "until": stamp(entry.until_ms) if entry is not None else None,
        "suppressed by": (entry.cause if entry is not None else "") or None,
        "cause": (alarm.cause_uk if is_uk else alarm.cause_en) or None,
        "consequence": (alarm.consequence_uk if is_uk else alarm.consequence_en) or None,
        "action": (alarm.action_uk if is_uk else alarm.action_en) or None,
        "who": (entry.who if entry is not None else "") or None,
        "why": (entry.why if entry is not None else "") or None,
    }


def stamp(time_ms: int | None) -> str | None:
    """A time as ISO 8601 UTC with milliseconds."""
    if time_ms is None:
        return None
    import pandas as pd

    return pd.Timestamp(time_ms, unit="ms", tz="UTC").isoformat(timespec="milliseconds").replace("+00:00", "Z")


def journal_entries(config: Config, from_ms: int | None, to_ms: int | None) -> list[Entry]:
    """Entries of the journal in a period."""
    store = open_store(config)
    try:
        return store.alarms.select(from_ms, to_ms)
    finally:
        store.close()


def replayed_entries(config: Config, table: TagTable, from_ms: int | None, to_ms: int | None) -> list[Entry]:
    """What the configured alarms make of the samples that are stored of a period.

    Raises
    ------
    UserError
        There are none.
    """
    from scada.alarms.replay import replay

    alarms = required_alarms(config, table)
    store = open_store(config)
    try:
        rows = store.range(None, from_ms, to_ms, is_full=True, is_every=True)
    finally:
        store.close()
    if rows.empty:
        raise UserError("the historian has no samples of that period; look at umanflow history export")
    arrivals = rows["arrival"].astype("int64")
    begin_ms = int(arrivals.min()) if from_ms is None else from_ms
    end_ms = int(arrivals.max()) if to_ms is None else to_ms
    return replay(
        alarms, rows, table, begin_ms, end_ms, wiring_of(config, table), prepared_sources(config, table, alarms)
    )


def write_journal(path: Path, entries: Sequence[Entry]) -> None:
    """Write entries to a CSV or Parquet file; the old file stays until the new one is whole."""
    from scada.alarms.metrics import entry_table

    table = entry_table(entries)
    partial = path.with_name(f".{path.name}.partial")
    try:
        if path.suffix.lower() == ".parquet":
            table.to_parquet(partial, index=False)
        elif path.suffix.lower() == ".csv":
            table = table.assign(
                time=[stamp(entry.time_ms) or "" for entry in entries],
                until=[stamp(entry.until_ms) or "" for entry in entries],
            )
            table.to_csv(partial, index=False, lineterminator="\n")
        else:
            raise UserError(f"{path}: does not end in .csv or .parquet; write one of them")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
