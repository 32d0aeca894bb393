"""The table of alarm states against a machine that was written without it."""

import itertools
import math
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scada.alarms import Alarm, AlarmEngine, Command
from scada.alarms.states import TABLE, Event, Hiding, State, transit
from scada.sample import Quality, Sample

START_MS = 1_790_000_000_000


@dataclass
class Oracle:
    """ISA-18.2 in words: an annunciated part, and hidings that lie over it."""

    holds: bool = False
    is_told: bool = False  # the operator has it in the list
    is_seen: bool = True
    needs_reset: bool = False
    shelved: bool = False
    caused: bool = False
    suppressed: bool = False
    out: bool = False

    @property
    def is_hidden(self) -> bool:
        return self.shelved or self.caused or self.suppressed or self.out

    @property
    def name(self) -> str:
        if self.out:
            return "out-of-service"
        if self.suppressed or self.caused:
            return "suppressed"
        if self.shelved:
            return "shelved"
        if not self.is_told:
            return "normal"
        if self.needs_reset and not self.holds:
            return "latched-acknowledged" if self.is_seen else "latched"
        if self.holds:
            return "acknowledged" if self.is_seen else "unacknowledged"
        return "returned"

    def annunciate(self) -> None:
        self.is_told, self.is_seen = True, False

    def forget(self) -> None:
        self.is_told, self.is_seen = False, True

    def happen(self, event: str, latching: bool) -> bool:
        """Return whether it is allowed."""
        begins = {"shelve": "shelved", "caused": "caused", "suppress": "suppressed", "out-of-service": "out"}
        ends = {"unshelve": "shelved", "released": "caused", "unsuppress": "suppressed", "return-to-service": "out"}
        if event in begins:
            setattr(self, begins[event], True)
            self.forget()
        elif event in ends:
            if not getattr(self, ends[event]):
                return False
            setattr(self, ends[event], False)
            if not self.is_hidden and self.holds:
                self.annunciate()
        elif event in {"raise", "clear"}:
            self.turn(event == "raise", latching)
        else:
            return self.answer(event, latching)
        return True

    def turn(self, holds: bool, latching: bool) -> None:
        self.holds = holds
        self.needs_reset = latching
        if self.is_hidden:
            return
        if holds:
            self.annunciate()
        elif self.is_seen and not latching:
            self.forget()

    def answer(self, event: str, latching: bool) -> bool:
        if self.is_hidden or not self.is_told:
            return False
        if event == "acknowledge":
            if self.is_seen:
                return False
            self.is_seen = True
            if not self.holds and not latching:
                self.forget()
            return True
        if not latching or self.holds or not self.is_seen:
            return False
        self.forget()
        return True


_STEPS = st.lists(st.sampled_from([event.value for event in Event]), max_size=60)


@given(steps=_STEPS, latching=st.booleans())
def test_any_course_of_events_ends_where_the_oracle_says(steps: list[str], latching: bool) -> None:
    oracle = Oracle()
    state, hidden, is_active = State.NORMAL, frozenset[Hiding](), False
    for word in steps:
        # the board raises and clears by turns
        if (word == "raise") is oracle.holds and word in {"raise", "clear"}:
            continue
        if word in {"raise", "clear"}:
            is_active = word == "raise"
        step = transit(state, hidden, Event(word), is_active, latching)
        assert oracle.happen(word, latching) is (step is not None), (state, word)
        if step is not None:
            state, hidden = step
        assert state.value == oracle.name
        shown = {"shelved": oracle.shelved, "caused": oracle.caused, "suppressed": oracle.suppressed}
        assert {hiding.value for hiding in hidden} == {
            *(name for name, is_so in shown.items() if is_so),
            *(["out-of-service"] if oracle.out else []),
        }


def test_every_state_is_reached_from_every_other_and_every_cell_is_used() -> None:
    """A search over all there is: nothing of the table is dead, no state is a trap."""
    for latching in (False, True):
        start = (State.NORMAL, frozenset[Hiding](), False)
        seen, todo, used = {start}, [start], set()
        edges: dict[State, set[State]] = {}
        while todo:
            state, hidden, is_active = todo.pop()
            for event in Event:
                if event in {Event.RAISE, Event.CLEAR} and (event is Event.RAISE) is is_active:
                    continue
                active = {Event.RAISE: True, Event.CLEAR: False}.get(event, is_active)
                step = transit(state, hidden, event, active, latching)
                if step is None:
                    continue
                used.add((state, event))
                edges.setdefault(state, set()).add(step[0])
                found = (*step, active)
                if found not in seen:
                    seen.add(found)
                    todo.append(found)
        states = {state for state, _, _ in seen}
        latched = {State.LATCHED, State.LATCHED_ACKNOWLEDGED}
        assert states == set(State) - ({State.RETURNED} if latching else latched)
        for origin, goal in itertools.product(states, states):
            reach, border = {origin}, [origin]
            while border:
                border = [near for state in border for near in edges[state] if near not in reach]
                reach.update(border)
            assert goal in reach, (origin, goal)
        assert all(hidden for state, hidden, _ in seen if state in {State.SHELVED, State.SUPPRESSED})


def test_the_table_has_a_cell_for_every_state_and_event() -> None:
    rows = [line.split() for line in TABLE.strip().splitlines()]
    assert rows[0] == [event.value for event in Event]
    assert [row[0] for row in rows[1:]] == list("ABCDEFGHI")
    assert {len(row) for row in rows[1:]} == {len(Event) + 1}
    assert {cell for row in rows[1:] for cell in row[1:]} <= {*"ABCDFGHI", "=", "-", "?", "D|E", "A|F"}


class Operators(RuleBasedStateMachine):
    """One alarm and its cause, through samples, commands and time, beside the oracle."""

    @initialize(latching=st.booleans(), on_delay_s=st.sampled_from([0.0, 15.0, 120.0]))
    def begin(self, latching: bool, on_delay_s: float) -> None:
        self.now_ms, self.latching = START_MS, latching
        alarms = [
            Alarm("cause", "on"),
            Alarm("t", "H", limit=5.0, latching=latching, on_delay_s=on_delay_s, suppressed_by=("cause/on",)),
        ]
        self.engine = AlarmEngine(alarms, START_MS, patience_ms=0)
        self.oracle = Oracle()
        self.delay_ms = round(1000 * on_delay_s)
        self.due_ms: int | None = None
        self.is_releasing = self.is_cause = False
        self.shelf_ms: int | None = None
        self.raises: list[int] = []

    def sees(self, tag: str, value: float) -> None:
        self.wait(90_000)  # apart, so that nothing chatters
        quality = Quality.BAD if math.isnan(value) else Quality.GOOD
        self.engine.take([Sample(tag, self.now_ms, self.now_ms, value, quality)])
        self.settle()

    def wait(self, milliseconds: int) -> None:
        """Let the oracle's time pass: what falls due in it happens."""
        end_ms = self.now_ms + milliseconds
        while True:
            due = [(moment, what) for moment, what in ((self.shelf_ms, 0), (self.due_ms, 1)) if moment is not None]
            if not due or min(due)[0] > end_ms:
                break
            _, what = min(due)
            if what == 0:
                self.shelf_ms = None
                self.oracle.happen("unshelve", self.latching)
            else:
                self.fall_due()
        self.now_ms = end_ms

    def settle(self) -> None:
        self.engine.advance(self.now_ms + 1)

    def fall_due(self) -> None:
        self.due_ms = None
        if self.is_releasing:
            self.is_releasing = False
            self.oracle.happen("released", self.latching)
            return
        if self.is_cause:
            self.oracle.happen("caused", self.latching)
        self.oracle.happen("raise", self.latching)

    def beyond(self) -> None:
        """The value is above the limit."""
        is_freed = self.oracle.caused and not self.is_cause
        if self.oracle.holds and not is_freed:
            return
        if self.due_ms is None:
            self.due_ms, self.is_releasing = self.now_ms + self.delay_ms, self.oracle.holds
        if self.due_ms <= self.now_ms:
            self.fall_due()

    @rule(value=st.sampled_from([1.0, 9.0, 9.0, math.nan]))
    def sample(self, value: float) -> None:
        self.sees("t", value)
        if math.isnan(value):
            self.due_ms = None
        elif value > 5.0:
            self.beyond()
        else:
            self.due_ms, self.is_releasing = None, False
            if self.oracle.holds:
                self.oracle.happen("clear", self.latching)
                if self.oracle.caused:
                    self.oracle.happen("released", self.latching)

    @rule()
    def cause(self) -> None:
        """The cause begins, or ends."""
        self.sees("cause", float(not self.is_cause))
        self.is_cause = not self.is_cause
        if not self.is_cause:
            return
        if self.oracle.caused:
            self.due_ms, self.is_releasing = None, False
        elif self.oracle.name == "unacknowledged":
            self.oracle.happen("caused", self.latching)

    @rule(
        action=st.sampled_from(["acknowledge", "reset", "shelve", "unshelve", "suppress", "unsuppress",
                                "out-of-service", "return-to-service"]),
        for_s=st.sampled_from([100.0, 3000.0]),
    )  # fmt: skip
    def command(self, action: str, for_s: float) -> None:
        self.wait(7_000)
        self.engine.answers.clear()
        self.engine.command(Command("t/H", action, "Олена", "why", for_s, self.now_ms))
        self.settle()
        is_done = self.oracle.happen(action, self.latching)
        assert (self.engine.answers[0][1] == "") is is_done
        if action == "shelve":
            self.shelf_ms = self.now_ms + round(1000 * for_s)
        elif action == "unshelve":
            self.shelf_ms = None

    @rule(seconds=st.sampled_from([1, 20, 200]))
    def time_passes(self, seconds: int) -> None:
        self.wait(1000 * seconds)
        self.settle()

    @invariant()
    def is_as_the_oracle_says(self) -> None:
        if hasattr(self, "engine"):
            standing = self.engine.board.by_id["t/H"]
            assert standing.state.value == self.oracle.name
            assert standing.is_active is self.oracle.holds
            assert standing.until_ms == self.shelf_ms


TestOperators = Operators.TestCase
TestOperators.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
