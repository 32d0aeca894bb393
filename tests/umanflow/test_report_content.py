"""What a report works out: search, closure, step test, other causes, night flows, and what was not watched."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hydro.record import Record
from tests.umanflow.town import (
    CONNECTIONS,
    DEMAND_LPS,
    START,
    add_to_leaks,
    leak,
    record,
    residuals,
    write_folder,
    write_town,
)
from tests.umanflow.townreport import findings_of, gathered
from umanflow.report import CandidateRow, Content, EvidenceRow, read_leaks
from umanflow.report.alternatives import moved_by, verdicts_of
from umanflow.report.gather import search_of
from umanflow.report.measured import days_of, night_series, night_table


def content_of(folder: Path, cost: float | None = None, has_tables: bool = True) -> Content:
    findings = findings_of(folder)
    return gathered(findings, Path(findings.run["network"]), cost, has_tables)[0]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    folder = tmp_path_factory.mktemp("town")
    leaks = [leak(1), leak(2, "H-11", "ended", dma="B"), leak(3, "H-21", "withdrawn", dma="B")]
    return content_of(write_folder(folder / "found", write_town(folder), leaks), 10.0)


def test_search_adds_pipes_until_the_share_is_reached() -> None:
    lengths = {"a": 100.0, "b": 50.0, "c": 10.0}
    candidates = [CandidateRow("b", 0.3), CandidateRow("a", 0.6), CandidateRow("c", 0.04)]
    fifty, eighty, ninety_five = search_of(candidates, lengths)
    assert (fifty.metres, fifty.n_pipes) == (100.0, 1)
    assert (eighty.metres, eighty.n_pipes) == (150.0, 2)
    assert (ninety_five.metres, ninety_five.n_pipes) == (None, None)
    assert [s.metres for s in search_of([], {})] == [None, None, None]


def test_place_is_a_street_and_a_point_on_earth(content: Content) -> None:
    place = content.cases[0].place
    assert place.street == "Їжакевича"
    assert (place.longitude, place.latitude) == pytest.approx((30.2, 48.75), abs=0.02)


def test_closure_is_the_smallest_segment_with_all_who_are_dry(content: Content) -> None:
    far, near = content.cases[0].closure, content.cases[1].closure
    assert far is not None
    assert near is not None
    assert far.valves == ("S-20", "S-23")
    assert (far.customers, far.customers_beyond) == (4 * CONNECTIONS, 0)
    assert near.valves == ("S-00", "S-03", "S-10", "S-13")
    assert (near.customers, near.customers_beyond) == (12 * CONNECTIONS, 8 * CONNECTIONS)


def test_step_test_is_simulated(content: Content) -> None:
    plan = content.cases[0].plan
    assert (plan.reason, plan.inlets) == ("", (("MAIN", 1),))
    assert [step.valves for step in plan.steps] == [("S-20", "S-23"), ("S-10", "S-13"), ("S-00", "S-03")]
    street = 4 * DEMAND_LPS * 3.6
    assert plan.inflow_m3h == pytest.approx(4 * street + 3.6, abs=0.01)
    for k, step in enumerate(plan.steps):
        assert step.fall_without_m3h == pytest.approx(street, abs=0.01)
        assert step.fall_with_m3h == pytest.approx(street + 3.6, rel=0.05)
        assert step.customers == 4 * CONNECTIONS * (k + 1)
    assert [round(step.share, 2) for step in plan.steps] == [0.5, 0.3, 0.18]
    assert content.cases[1].plan.reason == "closed"


def test_narrow_candidates_need_no_step_test(tmp_path: Path) -> None:
    from models.localise import Candidate

    near = leak(1, candidates_best=(Candidate("H-31", 0.9),))
    content = content_of(write_folder(tmp_path / "found", write_town(tmp_path), [near]))
    assert content.cases[0].plan.reason == "narrow"


def test_without_tables_all_that_hangs_on_them_is_unknown(tmp_path: Path) -> None:
    inp = write_town(tmp_path)
    content = content_of(write_folder(tmp_path / "found", inp, [leak(1)], has_days=False), None, has_tables=False)
    assert content.cases[0].closure is None
    assert content.cases[0].plan.reason == "no valves"
    assert set(content.missing) == {"valves", "nodes", "days", "zones", "cost"}


def test_behind_the_meter_no_step_test_helps(tmp_path: Path) -> None:
    from models.localise import Candidate

    near = leak(1, "H-00", candidates_best=tuple(Candidate(f"H-0{k}", 0.3) for k in range(3)))
    content = content_of(write_folder(tmp_path / "found", write_town(tmp_path), [near]))
    assert content.cases[0].plan.reason == "behind the meter"


def test_money_and_losses_are_counted_to_the_end_of_the_period(content: Content) -> None:
    case = content.cases[0]
    assert case.lost_m3 == pytest.approx(3.6 * 24.0 * 29.0)  # from 1 February to 2 March
    assert content.summary.money_per_day == pytest.approx(3.6 * 24.0 * 10.0)


def test_night_flow_is_the_least_hour(content: Content) -> None:
    night = content.cases[0].night
    assert night is not None
    least = (
        16
        * DEMAND_LPS
        / 1000.0
        * (0.6 + 0.4 * np.mean(np.sin((np.array([1.75, 2.0, 2.25, 2.5]) - 8.25) / 12.0 * np.pi)))
    )
    before = [v for t, v in zip(night.times, night.values, strict=True) if t < datetime.fromisoformat("2026-02-01")]
    after = [v for t, v in zip(night.times, night.values, strict=True) if t > datetime.fromisoformat("2026-02-02")]
    assert min(before) == pytest.approx(3600.0 * least, rel=0.02)
    assert np.median(after) - np.median(before) == pytest.approx(3.6, abs=1e-6)


def test_days_with_gaps_have_no_night_flow() -> None:
    times = pd.date_range(START, periods=3 * 96, freq="15min")
    flow = pd.DataFrame({"M": 1.0}, index=times)
    flow.iloc[10:15] = np.nan  # 91 of 96 on the first day
    flow.iloc[96 + 40 : 96 + 44] = np.nan  # 92 of 96 on the second
    empty = pd.DataFrame(index=times)
    days = days_of(Record(empty, flow, empty, empty))
    assert np.isfinite(days["night"]).tolist() == [False, True, True]
    assert days["received"].tolist() == pytest.approx([91 / 96, 92 / 96, 1.0])


def test_a_logger_that_is_slower_than_the_table_is_not_missing_values() -> None:
    times = pd.date_range(START, periods=2 * 288, freq="5min")
    slow = pd.DataFrame({"fast": 2.0, "slow": np.where(np.arange(len(times)) % 3 == 0, 1.0, np.nan)}, index=times)
    empty = pd.DataFrame(index=times)
    days = days_of(Record(empty, slow, empty, empty))
    assert days["received"].tolist() == pytest.approx([1.0] * 4)
    assert days["night"].tolist() == pytest.approx([2.0, 1.0] * 2)


def test_days_are_the_clocks_own() -> None:
    days = days_of(record(), "Europe/Kyiv")
    assert days["day"].min() == pd.Timestamp("2026-01-01")
    assert days.loc[(days["day"] == "2026-01-01") & (days["instrument"] == "MAIN"), "received"].item() == pytest.approx(
        1.0
    )
    assert len(days["day"].unique()) == 61  # the last two hours fall on a day more


def test_inlets_are_added_with_their_signs() -> None:
    days = pd.DataFrame(
        {"day": [START.tz_localize(None)] * 2, "instrument": ["A", "B"], "quantity": "flow", "night": [0.01, 0.004]}
    )
    series = night_series(night_table(days), [("A", 1), ("B", -1)], "x")
    assert series is not None
    assert series.values == pytest.approx((21.6,))
    assert night_series(night_table(days), [("A", 1), ("C", 1)], "x") is None


# other causes -----------------------------------------------------------------------------------------------------


def row_of(tmp_path: Path, **changes: object) -> object:
    write_folder(tmp_path / "found", write_town(tmp_path), [leak(1)])
    return replace(read_leaks(tmp_path / "found")[0], **changes)  # type: ignore[arg-type]


END = datetime.fromisoformat("2026-03-02")


def test_a_leak_that_lasts_rules_the_others_out(content: Content) -> None:
    found = {v.cause: (v.finding, v.reason) for v in content.cases[0].verdicts}
    assert found == {
        "meter": ("ruled out", "many moved"),
        "surge": ("ruled out", "night rose"),
        "operation": ("ruled out", "balance rose"),
    }


@pytest.mark.parametrize(
    ("evidence", "finding"),
    [
        ((("A", 9.0),), "open"),
        ((("A", 9.0), ("B", 0.5)), "open"),
        ((("A", 50.0), ("B", 3.5)), "unlikely"),
        ((("A", 50.0), ("B", 3.5), ("C", 3.2)), "unlikely"),
        ((("A", 9.0), ("B", -8.0), ("C", 7.0)), "ruled out"),
        ((), "unknown"),
    ],
)
def test_meter_fault(tmp_path: Path, evidence: tuple[tuple[str, float], ...], finding: str) -> None:
    row = row_of(tmp_path, evidence=tuple(EvidenceRow(*e) for e in evidence))
    assert verdicts_of(row, None, None, END)[0].finding == finding  # type: ignore[arg-type]


def test_a_surge_of_a_week_is_not_ruled_out(tmp_path: Path) -> None:
    frame = residuals()
    frame.iloc[38:] = residuals(99).iloc[38:]  # back to normal on the eighth day
    row = row_of(tmp_path)
    verdict = verdicts_of(row, moved_by(row, frame, None), None, END)[1]  # type: ignore[arg-type]
    assert (verdict.finding, verdict.reason) == ("open", "came and went")
    lasting = verdicts_of(row, moved_by(row, residuals(), None), None, END)[1]  # type: ignore[arg-type]
    assert (lasting.finding, lasting.reason) == ("ruled out", "lasted")


def test_another_leak_of_the_same_weeks_hides_it(tmp_path: Path) -> None:
    frame = residuals()
    frame.iloc[38:] = residuals(99).iloc[38:]
    row = row_of(tmp_path)
    other = replace(row, event=2, ended=row.start + timedelta(days=7), status="ended")  # type: ignore[attr-defined,type-var]
    verdict = verdicts_of(row, moved_by(row, frame, None), None, END, [row, other])[1]  # type: ignore[arg-type,list-item]
    assert (verdict.finding, verdict.reason) == ("unknown", "hidden")


def test_pressures_alone_may_be_a_valve(tmp_path: Path) -> None:
    frame = residuals()
    frame["balance of MAIN"] = residuals(99)["balance of MAIN"]
    row = row_of(tmp_path, evidence=(EvidenceRow("J-30", -8.0),))
    verdict = verdicts_of(row, moved_by(row, frame, None), None, END)[2]  # type: ignore[arg-type]
    assert (verdict.finding, verdict.reason) == ("open", "pressures alone")


def test_residuals_are_in_standard_deviations_of_quiet_days(content: Content) -> None:
    assert [s.label for s in content.cases[0].residuals] == ["balance of MAIN", "J-30", "J-33"]
    balance = content.cases[0].residuals[0]
    after = [v for t, v in zip(balance.times, balance.values, strict=True) if t >= datetime.fromisoformat("2026-02-02")]
    assert np.mean(after) == pytest.approx(12.0, rel=0.4)


def test_too_few_quiet_days_say_nothing(tmp_path: Path) -> None:
    row = row_of(tmp_path, start_low=datetime.fromisoformat("2026-01-04"))
    assert moved_by(row, residuals(), None) is None  # type: ignore[arg-type]
    assert moved_by(row, None, None) is None  # type: ignore[arg-type]


# repairs and what was not watched ---------------------------------------------------------------------------------


def test_check_after_repair(content: Content) -> None:
    check = content.cases[0].check
    assert check.inlets == (("MAIN", 1),)
    assert (check.fall_low_m3h, check.fall_m3h, check.fall_high_m3h) == pytest.approx((3.24, 3.6, 3.96))


def test_not_watched(content: Content) -> None:
    found = {u.what: dict(u.values) for u in content.unwatched}
    assert found["learning"]["n"] == 7
    assert found["silent"]["names"] == "J-13"
    assert found["gaps"]["names"] == "J-33"
    assert found["too small"]["low"] == pytest.approx(0.2)
    assert found["no district"]["n"] == 1  # the main before its meter
    assert math.isclose(float(found["no district"]["km"]), 0.3)  # type: ignore[arg-type]
    assert "no drive" not in found


def test_missing_frames_are_counted(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "found", write_town(tmp_path), [])
    frame = residuals()
    pd.concat([frame.iloc[:20], frame.iloc[25:]]).to_parquet(folder / "residuals.parquet")
    found = {u.what: dict(u.values) for u in content_of(folder).unwatched}
    assert (found["no drive"]["n"], found["no drive"]["of"]) == (5, 60)


def test_later_detectors_may_say_more(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "found", write_town(tmp_path), [leak(1)])
    add_to_leaks(folder, alternatives=[{"cause": "new"}], size="medium")
    assert content_of(folder).cases[0].row.event == 1
