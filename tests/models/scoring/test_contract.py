"""Every scorer through the one contract: any cut of the stream, gaps, single channels, pickles, types, empty frames."""

import pickle
import subprocess
import sys
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from models.errors import NotEnoughData, StaleState, WrongFrame, WrongSetting
from models.scoring import (
    Calibrated,
    Cusum,
    District,
    Ewma,
    EwmaChart,
    Expected,
    FlatLine,
    Forest,
    Glr,
    Isotonic,
    Mahalanobis,
    MassBalance,
    PageHinkley,
    Platt,
    RobustZ,
    RollingMedian,
    Scorer,
    Spike,
    State,
    WeeklyBand,
)

Array = np.ndarray[Any, Any]

_CHANNELS, _ROWS = 21, 700
_DISTRICTS = (
    District(((0, 1.0), (1, -1.0))),
    District(((2, 1.0),), ((3, 4.0),)),
    District(((20, -1.0), (0, 1.0)), ((5, 1.0), (6, 2.0))),
)
_CUSUM = Cusum(limit=4.0)
_SCORERS: dict[str, Scorer[Any]] = {
    "cusum": _CUSUM,
    "page-hinkley": PageHinkley(drift=0.1, limit=6.0, memory=50.0, warmup=5),
    "ewma": Ewma(weight=0.05, limit=3.0, warmup=10, patience=3),
    "ewma for ever": Ewma(weight=0.2, limit=3.0, warmup=4),
    "ewma chart": EwmaChart(limit=2.0),
    "rolling median": RollingMedian(window=17, enough=5, limit=4.0),
    "weekly band": WeeklyBand(interval_s=3600.0, first_s=5 * 86400.0, n_slots=14, keep=5, enough=2),
    "step": Glr(window=19, limit=6.0),
    "ramp": Glr(shape="ramp", window=19, limit=6.0),
    "flat line": FlatLine(tolerance=0.3, limit=3.0),
    "spike": Spike(warmup=10, limit=3.0),
    "mass balance": MassBalance(districts=_DISTRICTS, interval=12, limit=3.0),
    "robust z": RobustZ(history=90, limit=4.0),
    "forest": Forest(history=90, n_trees=20, n_samples=64, limit=3.0),
    "expected": Expected(n_covariates=2, history=90, limit=4.0),
    "mahalanobis": Mahalanobis(history=200, enough=0.9, limit=3.0),
    "isotonic": Calibrated(
        scorer=_CUSUM, probability=Isotonic(np.array([0.0, 1.0, 3.0, 6.0]), np.array([0.0, 0.1, 0.7, 1.0]))
    ),
    "platt": Calibrated(scorer=RobustZ(history=90), probability=Platt(1.5, -4.0)),
}
every = pytest.mark.parametrize("name", list(_SCORERS))


def _frame(seed: int = 0, n_channels: int = _CHANNELS, rows: int = _ROWS) -> Array:
    """Noise about levels of their own, gaps, silent and standing channels, shifts, ramps and single jumps."""
    rng = np.random.default_rng(seed)
    frame = rng.standard_normal((rows, n_channels))
    frame[300:, 1::4] += 1.5
    frame[400:, 2::5] += np.linspace(0.0, 3.0, rows - 400)[:, None]
    frame[rng.random(frame.shape) < 0.004] += 15.0
    frame[250:290, 4] = frame[250, 4]
    frame[rng.random(frame.shape) < 0.01] = np.nan
    frame[350:420, 0] = np.nan
    frame[500:520] = np.nan
    frame[:, 7] = np.nan
    frame[200, 8], frame[201, 8] = np.inf, -np.inf
    return frame


def _same_state(one: Any, other: Any) -> None:
    """Compare field by field, whatever the fields are."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, tuple):
        for part, its in zip(one, other, strict=True):
            _same_state(part, its)
    elif hasattr(one, "__dataclass_fields__"):
        for field in fields(one):
            if field.name != "factors":  # kept for speed alone
                _same_state(getattr(one, field.name), getattr(other, field.name))
    elif not hasattr(one, "score_samples"):
        assert one == other


def _in_parts(scorer: Scorer[Any], frame: Array, cuts: list[int]) -> tuple[State, Array]:
    state, parts = scorer.start(frame.shape[1]), []
    for part in np.split(frame, cuts):
        state, scores = scorer.score(state, part)
        parts.append(scores)
    return state, np.concatenate(parts)


@every
def test_any_cut_gives_the_same_bits(name: str) -> None:
    scorer, frame = _SCORERS[name], _frame()
    state, scores = scorer.score(scorer.start(_CHANNELS), frame)
    assert scores.shape == (_ROWS, scorer.width(_CHANNELS))
    assert np.isfinite(scores).mean() > 0.4  # the test is not about nothing
    assert state.step == _ROWS
    rng = np.random.default_rng(1)
    for cuts in ([90], [89, 89, 91, 350], sorted(rng.integers(0, _ROWS, 40).tolist())):
        parted, again = _in_parts(scorer, frame, cuts)
        np.testing.assert_array_equal(again, scores)
        _same_state(parted, state)


@every
def test_alarms_are_the_scores_beyond_the_limit(name: str) -> None:
    scorer, frame = _SCORERS[name], _frame()
    end, scores = scorer.score(scorer.start(_CHANNELS), frame)
    state, found = scorer.start(_CHANNELS), []
    for part in np.split(frame, [13, 14, 400]):
        state, alarms = scorer.alarms(state, part)
        found.append(alarms)
    _same_state(state, end)
    step, channel, score, onset = (
        np.concatenate([getattr(part, what) for part in found]) for what in ("step", "channel", "score", "onset")
    )
    with np.errstate(invalid="ignore"):
        expected = np.nonzero(np.abs(scores) > scorer.limit)
    assert len(step) > 0
    np.testing.assert_array_equal(step, expected[0])
    np.testing.assert_array_equal(channel, expected[1])
    np.testing.assert_allclose(score, scores[expected], rtol=1e-12)
    assert (onset <= step).all()
    assert (onset >= 0).all()


@every
def test_a_state_can_be_pickled_and_copied(name: str) -> None:
    scorer, frame = _SCORERS[name], _frame()
    _, scores = scorer.score(scorer.start(_CHANNELS), frame)
    for cut in (0, 50, 333):
        state, _ = scorer.score(scorer.start(_CHANNELS), frame[:cut])
        kept, revived = state.copy(), pickle.loads(pickle.dumps(state))
        for one in (state, kept, revived):
            _, rest = scorer.score(one, frame[cut:])
            np.testing.assert_array_equal(rest, scores[cut:])
    assert pickle.loads(pickle.dumps(scorer)).start(_CHANNELS).n_channels == _CHANNELS


@every
def test_a_used_state_is_refused(name: str) -> None:
    scorer, frame = _SCORERS[name], _frame(rows=5 + 420)[:5]
    state = scorer.start(_CHANNELS)
    scorer.score(state, frame)
    for used in (scorer.score, scorer.alarms):
        with pytest.raises(StaleState, match=r"row 0.*row 5"):
            used(state, frame)
    with pytest.raises(StaleState):
        state.copy()


@every
def test_what_is_not_read_has_no_score_and_stops_nobody(name: str) -> None:
    scorer, frame = _SCORERS[name], _frame()
    _, scores = scorer.score(scorer.start(_CHANNELS), frame)
    assert not np.isinf(scores).any()
    if scorer.is_by_channel:
        assert np.isnan(scores[~np.isfinite(frame)]).all()
    else:
        assert np.isnan(scores[510:520]).all()  # nobody was read, and a balance lacks most of its interval
    assert np.isfinite(scores[600:]).any(axis=0).sum() >= scores.shape[1] - 1  # all but the silent channel


@pytest.mark.parametrize("name", [name for name, scorer in _SCORERS.items() if scorer.is_by_channel])
@pytest.mark.parametrize("n_channels", [1, 15, 16, 17, 33])
def test_a_channel_is_alone_in_the_world(name: str, n_channels: int) -> None:
    scorer = _SCORERS[name]
    frame = np.concatenate([_frame(), _frame(2)], axis=1)[:, :n_channels]
    _, scores = scorer.score(scorer.start(n_channels), frame)
    _, backwards = scorer.score(scorer.start(n_channels), frame[:, ::-1])
    np.testing.assert_array_equal(backwards[:, ::-1], scores)
    for channel in {0, n_channels // 2, n_channels - 1}:
        _, alone = scorer.score(scorer.start(1), frame[:, [channel]])
        np.testing.assert_array_equal(alone[:, 0], scores[:, channel])


@every
def test_single_precision_is_widened_exactly(name: str) -> None:
    scorer, frame = _SCORERS[name], _frame().astype(np.float32)
    wide_state, wide = scorer.score(scorer.start(_CHANNELS), frame.astype(np.float64))
    state, scores = scorer.score(scorer.start(_CHANNELS), frame)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, wide.astype(np.float32))
    _same_state(state, wide_state)
    _, alarms = scorer.alarms(scorer.start(_CHANNELS), frame)
    _, expected = scorer.alarms(scorer.start(_CHANNELS), frame.astype(np.float64))
    _same_state(alarms, expected)


@every
def test_an_empty_frame_changes_nothing(name: str) -> None:
    scorer = _SCORERS[name]
    state = scorer.start(_CHANNELS)
    after, scores = scorer.score(state, np.empty((0, _CHANNELS)))
    assert scores.shape == (0, scorer.width(_CHANNELS))
    again, alarms = scorer.alarms(after, np.empty((0, _CHANNELS), dtype=np.float32))
    assert len(alarms) == 0
    scorer.score(again, _frame()[:3])


@every
def test_layout_and_room_do_not_matter(name: str) -> None:
    """A table's columns one after the other, integers, and a place for the scores that is a part of a larger one."""
    scorer, frame = _SCORERS[name], _frame()
    _, scores = scorer.score(scorer.start(_CHANNELS), frame)
    _, other = scorer.score(scorer.start(_CHANNELS), np.asfortranarray(frame))
    np.testing.assert_array_equal(other, scores)
    room = np.full((_ROWS, 2 * scores.shape[1] + 1), 7.0)
    _, given = scorer.score(scorer.start(_CHANNELS), frame, out=room[:, 1::2])
    np.testing.assert_array_equal(given, scores)
    assert (room[:, ::2] == 7.0).all()
    whole = np.nan_to_num(np.round(10.0 * frame), nan=0.0, posinf=0.0, neginf=0.0)
    _, of_integers = scorer.score(scorer.start(_CHANNELS), whole.astype(np.int32))
    _, of_floats = scorer.score(scorer.start(_CHANNELS), whole)
    np.testing.assert_array_equal(of_integers, of_floats)


@pytest.mark.parametrize("name", ["cusum", "page-hinkley", "ewma", "ewma for ever", "ewma chart", "flat line", "spike"])
def test_missing_rows_are_as_if_they_had_not_been(name: str) -> None:
    scorer = _SCORERS[name]
    frame = np.nan_to_num(_frame(), nan=0.5, posinf=0.5, neginf=0.5)
    _, scores = scorer.score(scorer.start(_CHANNELS), frame)
    places = np.sort(np.random.default_rng(3).integers(0, _ROWS, 100))
    _, gappy = scorer.score(scorer.start(_CHANNELS), np.insert(frame, places, np.nan, axis=0))
    np.testing.assert_array_equal(np.delete(gappy, places + np.arange(100), axis=0), scores)


@every
def test_a_frame_of_another_kind_is_refused(name: str) -> None:
    scorer = _SCORERS[name]
    state, frame = scorer.start(_CHANNELS), _frame()[:4]
    for wrong in (frame[:, :-1], frame[0], frame.astype(str)):
        for use in (scorer.score, scorer.alarms):
            with pytest.raises(WrongFrame, match="frame"):
                use(state, wrong)
    with pytest.raises(WrongFrame, match=r"out is float32 .*give float64"):
        scorer.score(state, frame, out=np.empty((4, scorer.width(_CHANNELS)), dtype=np.float32))
    scorer.score(state, frame)  # nothing of that used the state up


@pytest.mark.parametrize(
    ("make", "setting"),
    [
        (lambda: Cusum(limit=0.0), "limit"), (lambda: Cusum(drift=-1.0), "drift"),
        (lambda: PageHinkley(memory=0.5), "memory"), (lambda: Ewma(weight=1.0), "weight"),
        (lambda: Ewma(warmup=1), "warmup"), (lambda: EwmaChart(weight=0.0), "weight"),
        (lambda: RollingMedian(window=1), "window"), (lambda: RollingMedian(window=8, enough=9), "enough"),
        (lambda: Glr(shape="bump"), "shape"), (lambda: Glr(window=0), "window"),  # type: ignore[arg-type]
        (lambda: WeeklyBand(low=0.9, high=0.1), "low"), (lambda: WeeklyBand(keep=1), "keep"),
        (lambda: FlatLine(tolerance=-1.0), "tolerance"), (lambda: Spike(floor=0.0), "floor"),
        (lambda: MassBalance(), "districts"), (lambda: MassBalance(districts=_DISTRICTS).start(20), "districts"),
        (lambda: MassBalance(districts=_DISTRICTS, coverage=1.5), "coverage"), (lambda: RobustZ(history=1), "history"),
        (lambda: Forest(n_trees=0), "n_trees"), (lambda: Expected(n_covariates=0), "n_covariates"),
        (lambda: Mahalanobis(enough=0.0), "enough"), (lambda: Cusum(limit=float("nan")), "limit"),
    ],
)  # fmt: skip
def test_a_setting_without_meaning_is_refused(make: Any, setting: str) -> None:
    with pytest.raises(WrongSetting, match=setting) as caught:
        make()
    assert caught.value.setting == setting


@pytest.mark.parametrize("name", ["forest", "mahalanobis"])
def test_a_history_without_readings_is_refused(name: str) -> None:
    scorer = _SCORERS[name]
    with pytest.raises(NotEnoughData):
        scorer.score(scorer.start(3), np.full((300, 3), np.nan))


def test_a_channel_that_always_alarms_fills_more_than_one_table() -> None:
    frame = np.full((3000, 5), 9.0)
    _, alarms = _CUSUM.alarms(_CUSUM.start(5), frame)
    assert len(alarms) == 15000
    np.testing.assert_array_equal(alarms.step, np.repeat(np.arange(3000), 5))
    np.testing.assert_array_equal(alarms.onset, alarms.step)


def test_nothing_is_compiled_at_import() -> None:
    program = (
        "import sys, models.scoring\n"
        "from numba.core.registry import CPUDispatcher\n"
        "mine = [m for name, m in sys.modules.items() if name.startswith('models.scoring')]\n"
        "kernels = {f for m in mine for f in vars(m).values() if isinstance(f, CPUDispatcher)}\n"
        "print(len(kernels), sum(len(f.signatures) for f in kernels), 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    n_kernels, n_compiled, has_learners = done.stdout.split()
    assert int(n_kernels) > 20
    assert (n_compiled, has_learners) == ("0", "False")
