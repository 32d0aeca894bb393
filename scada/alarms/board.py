"""All alarms as they stand, and every change of them as an entry of the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from scada.alarms.alarm import Alarm
from scada.alarms.causes import Wiring, parents_of
from scada.alarms.conditions import Verdict
from scada.alarms.entry import Entry, Note
from scada.alarms.flood import FloodWatch
from scada.alarms.standing import Pending, Standing
from scada.alarms.states import Event, Hiding, State, transit
from scada.alarms.timers import Rank, Timers

__all__ = ["Board"]


class Board:
    """The alarms' states.

    Parameters
    ----------
    alarms : iterable of Alarm
        Complete: with those of devices and gateways.
    wiring : Wiring
    timers : Timers
    run : str
        Names the entries it makes.
    on_await : callable
        ``on_await(standing, time)`` is called when an alarm's cause has ended and its own condition is to be judged
        anew.

    Attributes
    ----------
    standings : list of Standing
    by_id : dict of str to Standing
    entries : list of Entry
        Made since somebody last took them.
    """

    def __init__(
        self,
        alarms: Iterable[Alarm],
        wiring: Wiring,
        timers: Timers,
        run: str,
        on_await: Callable[[Standing, int], None],
    ) -> None:
        self.standings = [Standing(alarm, index) for index, alarm in enumerate(alarms)]
        self.by_id = {standing.alarm.id: standing for standing in self.standings}
        self.entries: list[Entry] = []
        self._timers = timers
        self._run = run
        self._number = 0
        self._on_await = on_await
        for standing in self.standings:
            for name in parents_of(standing.alarm, wiring):
                parent = self.by_id.get(name)
                if parent is not None and parent is not standing:
                    standing.parents.append(parent)
                    parent.children.append(standing)
        positions = dict.fromkeys(standing.alarm.position for standing in self.standings)
        self._floods = {position: (number, FloodWatch()) for number, position in enumerate(positions)}

    def note(self, standing: Standing, verdict: Verdict, time_ms: int, sample_ms: int, value: float) -> None:
        """Take what is known of an alarm's condition.

        Parameters
        ----------
        standing : Standing
        verdict : Verdict
        time_ms : int
            Now, UTC ms.
        sample_ms : int
            The time that the value stands for, UTC ms: a delay is over when it is over by either clock.
        value : float
        """
        if verdict is Verdict.NOTHING:
            return
        if not standing.pending and standing.is_settled(verdict):
            if verdict is Verdict.YES:
                standing.value = value
            return
        before = standing.is_cause, standing.is_active
        if verdict is Verdict.UNKNOWN:
            self._stop(standing)
        else:
            standing.is_beyond = verdict is Verdict.YES
            standing.value = value
            self._want(standing, time_ms, sample_ms)
        if (standing.is_cause, standing.is_active) != before:
            self._spread(standing, time_ms)

    def _want(self, standing: Standing, time_ms: int, sample_ms: int) -> None:
        wanted = standing.wanted
        if wanted is not standing.pending:
            if standing.pending is Pending.CLEAR and standing.chatter.is_chattering:
                standing.chatter.held += 1
            self._stop(standing)
            if wanted is Pending.NOTHING:
                return
            standing.pending, standing.since_ms = wanted, sample_ms
            delay_ms = standing.delay_ms(wanted)
            if delay_ms:
                self._timers.set(Rank.DELAY, standing.index, time_ms + delay_ms, partial(self._fall_due, standing))
        if wanted is not Pending.NOTHING and sample_ms - standing.since_ms >= standing.delay_ms(wanted):
            self._do(standing, time_ms)

    def _fall_due(self, standing: Standing, time_ms: int) -> None:
        before = standing.is_cause, standing.is_active
        self._do(standing, time_ms)
        if (standing.is_cause, standing.is_active) != before:
            self._spread(standing, time_ms)

    def _stop(self, standing: Standing) -> None:
        if standing.pending is not Pending.NOTHING:
            standing.pending = Pending.NOTHING
            self._timers.cancel(Rank.DELAY, standing.index)

    def _do(self, standing: Standing, time_ms: int) -> None:
        pending = standing.pending
        self._stop(standing)
        if pending is Pending.RAISE:
            self._raise(standing, time_ms)
        elif pending is Pending.CLEAR:
            self._clear(standing, time_ms)
        elif pending is Pending.RELEASE:
            self._release(standing, time_ms)

    def _raise(self, standing: Standing, time_ms: int) -> None:
        standing.is_active = True
        cause = standing.root_cause()
        if cause is not None and Hiding.CAUSED not in standing.hidden:
            self._suppress(standing, cause, time_ms)
        self.change(standing, Event.RAISE, time_ms)
        if standing.chatter.note_raise(time_ms):
            self._write(standing, Note.CHATTERING.value, standing.state, time_ms, why="held until it is quiet")

    def _clear(self, standing: Standing, time_ms: int) -> None:
        standing.is_active = False
        if standing.chatter.is_chattering:
            why = f"it came and went {standing.chatter.end()} times more while it was held"
            self._write(standing, Note.QUIET.value, standing.state, time_ms, why=why)
        self.change(standing, Event.CLEAR, time_ms)
        if Hiding.CAUSED in standing.hidden:
            self._release(standing, time_ms)

    def _suppress(self, standing: Standing, cause: Standing, time_ms: int) -> None:
        standing.cause = cause.alarm.id
        self.change(standing, Event.CAUSED, time_ms)

    def _release(self, standing: Standing, time_ms: int) -> None:
        standing.is_awaiting = False
        self.change(standing, Event.RELEASED, time_ms)
        standing.cause = ""

    def _spread(self, cause: Standing, time_ms: int) -> None:
        """Let what follows from an alarm know that its condition began, or ended."""
        for standing in cause.consequences():
            root = standing.root_cause()
            is_caused = Hiding.CAUSED in standing.hidden
            if root is None:
                if is_caused and not standing.is_awaiting:
                    standing.is_awaiting = True
                    self._on_await(standing, time_ms)
            elif is_caused:
                standing.is_awaiting = False
                standing.cause = root.alarm.id
                if standing.pending is Pending.RELEASE:
                    self._stop(standing)
            elif standing.state is State.UNACKNOWLEDGED and root.is_active:
                # what somebody was told of makes way for an alarm, not for a suspicion
                self._suppress(standing, root, time_ms)

    def change(self, standing: Standing, event: Event, time_ms: int, who: str = "", why: str = "") -> bool:
        """Let an event happen to an alarm; return whether the table of states allows it."""
        step = transit(standing.state, standing.hidden, event, standing.is_active, standing.alarm.latching)
        if step is None:
            return False
        before, was_cause = standing.state, standing.is_cause
        standing.state, standing.hidden = step
        if standing.state is not before:
            standing.changed_ms = time_ms
        self._write(standing, event.value, before, time_ms, who, why)
        if standing.state is State.UNACKNOWLEDGED and before is not State.UNACKNOWLEDGED:
            self._count(standing, time_ms)
        if standing.is_cause is not was_cause:  # out of service, and back
            self._spread(standing, time_ms)
        return True

    def shelve_until(self, standing: Standing, until_ms: int | None) -> None:
        """Set the end of shelving, or forget it."""
        standing.until_ms = until_ms
        if until_ms is None:
            self._timers.cancel(Rank.UNSHELVE, standing.index)
            return

        def end(time_ms: int) -> None:
            standing.until_ms = None
            self.change(standing, Event.UNSHELVE, time_ms, why="its time is over")

        self._timers.set(Rank.UNSHELVE, standing.index, until_ms, end)

    def _write(self, standing: Standing, event: str, before: State, time_ms: int, who: str = "", why: str = "") -> None:
        alarm = standing.alarm
        self._number += 1
        self.entries.append(
            Entry(
                run=self._run,
                number=self._number,
                time_ms=time_ms,
                alarm=alarm.id,
                position=alarm.position,
                priority=alarm.priority,
                event=event,
                before=before.value,
                after=standing.state.value,
                is_active=standing.is_active,
                hidden=tuple(sorted(hiding.value for hiding in standing.hidden)),
                value=standing.value,
                cause=standing.cause,
                who=who,
                why=why,
                until_ms=standing.until_ms,
                is_chattering=standing.chatter.is_chattering,
            )
        )

    def _count(self, standing: Standing, time_ms: int) -> None:
        """Count an alarm that somebody is told, and notice a flood."""
        position = standing.alarm.position
        _, watch = self._floods[position]
        if watch.note(time_ms):
            self._write_flood(position, Note.FLOOD, time_ms, f"{watch.count} alarms in ten minutes")
            self._await_flood_end(position)

    def _await_flood_end(self, position: str) -> None:
        number, watch = self._floods[position]

        def look(time_ms: int) -> None:
            if watch.is_over(time_ms):
                self._write_flood(position, Note.FLOOD_END, time_ms, f"{watch.count} alarms in ten minutes")
            else:
                self._await_flood_end(position)

        self._timers.set(Rank.FLOOD, number, watch.end_ms, look)

    def _write_flood(self, position: str, note: Note, time_ms: int, why: str) -> None:
        self._number += 1
        self.entries.append(Entry(self._run, self._number, time_ms, "", position, "", note.value, why=why))

    def restore(self, newest: Mapping[str, Entry], recent: Iterable[Entry]) -> None:
        """Let alarms stand as the journal left them.

        Parameters
        ----------
        newest : mapping of str to Entry
            The last entry of each alarm; those that the table no longer has are passed over.
        recent : iterable of Entry
            Those of the last ten minutes: whether there is a flood.
        """
        for standing in self.standings:
            entry = newest.get(standing.alarm.id)
            if entry is None:
                continue
            standing.state = State(entry.after)
            standing.hidden = frozenset(Hiding(word) for word in entry.hidden)
            standing.is_active = standing.is_beyond = entry.is_active
            standing.value, standing.cause, standing.changed_ms = entry.value, entry.cause, entry.time_ms
            standing.chatter.is_chattering = entry.is_chattering
            if Hiding.SHELVED in standing.hidden and entry.until_ms is not None:
                self.shelve_until(standing, entry.until_ms)
        for standing in self.standings:
            standing.is_awaiting = Hiding.CAUSED in standing.hidden and standing.root_cause() is None
        for entry in recent:
            is_told = entry.after == State.UNACKNOWLEDGED != entry.before and entry.position in self._floods
            if is_told and self._floods[entry.position][1].note(entry.time_ms):
                self._await_flood_end(entry.position)
