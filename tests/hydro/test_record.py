"""Measurements read from the files that utilities have."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hydro.errors import RecordError
from hydro.record import Record, read_record

KYIV = "Europe/Kyiv"


def times(*texts: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(texts, tz="UTC")


def same_times(index: pd.Index, expected: pd.DatetimeIndex) -> bool:
    return [pd.Timestamp(t) for t in index] == list(expected)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    return path


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    text = "\n".join(lines) + "\n"
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


# what a table looks like ----------------------------------------------------------------------------------------------


def test_semicolons_and_decimal_commas(folder: Path) -> None:
    write(folder, "2018_SCADA_Pressures.csv", "Timestamp;n1;n2", "2018-01-01 00:00:00;31,25;40", "2018-01-01 00:05:00;31,5;41")  # fmt: skip  # noqa: E501
    pressure = read_record(folder).pressure
    assert list(pressure.columns) == ["n1", "n2"]
    assert same_times(pressure.index, times("2018-01-01 00:00", "2018-01-01 00:05"))
    assert pressure.to_numpy().tolist() == [[31.25, 40.0], [31.5, 41.0]]
    assert (pressure.dtypes == np.float64).all()


def test_commas_and_decimal_points(folder: Path) -> None:
    write(folder, "Pressures.csv", "time,n1,n2", "2018-01-01 00:00:00,31.25,40", "2018-01-01 00:05:00,31.5,41.125")
    assert read_record(folder).pressure.to_numpy().tolist() == [[31.25, 40.0], [31.5, 41.125]]


def test_semicolons_and_decimal_points(folder: Path) -> None:
    write(folder, "Pressures.csv", "time;n1", "2018-01-01 00:00:00;31.25", "2018-01-01 00:05:00;31")
    assert read_record(folder).pressure["n1"].tolist() == [31.25, 31.0]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_every_ending_holds_the_same(folder: Path, ending: str) -> None:
    stamps = pd.date_range("2024-05-01", periods=4, freq="5min")
    if ending == "parquet":
        table = pd.DataFrame({"Timestamp": stamps, "p1": [1.5, np.nan, 3.0, 4.0], "p2": [1, 2, 3, 4]})
        table.to_parquet(folder / "Flows.parquet")
    else:
        rows = [f"{t},{a},{b}" for t, a, b in zip(stamps, ("1.5", "", "3.0", "4.0"), (1, 2, 3, 4), strict=True)]
        write(folder, f"Flows.{ending}", "Timestamp,p1,p2", *rows)
    flow = read_record(folder).flow
    assert same_times(flow.index, pd.DatetimeIndex(stamps, tz="UTC"))
    np.testing.assert_allclose(flow["p1"] * 3600.0, [1.5, np.nan, 3.0, 4.0])
    np.testing.assert_allclose(flow["p2"] * 3600.0, [1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "NA", "null", "-"])
def test_missing_cells_are_nan(folder: Path, cell: str) -> None:
    write(folder, "Levels.csv", "t,T1,T2", f"2024-05-01 00:00:00,{cell},2", f"2024-05-01 01:00:00,3,{cell}")
    assert np.array_equal(read_record(folder).level.to_numpy(), [[np.nan, 2.0], [3.0, np.nan]], equal_nan=True)


def test_a_column_without_any_value_is_all_missing(folder: Path) -> None:
    write(folder, "Levels.csv", "t,T1,T2", "2024-05-01 00:00:00,1,", "2024-05-01 01:00:00,3,")
    level = read_record(folder).level
    assert level["T2"].isna().all()
    assert level["T2"].dtype == np.float64
    assert level["T1"].tolist() == [1.0, 3.0]


def test_rows_are_put_in_order(folder: Path) -> None:
    write(folder, "Levels.csv", "t,T1", "2024-05-01 02:00:00,3", "2024-05-01 00:00:00,1", "2024-05-01 01:00:00,2")
    level = read_record(folder).level
    assert level.index.is_monotonic_increasing
    assert level["T1"].tolist() == [1.0, 2.0, 3.0]


def test_a_repeated_row_counts_once(folder: Path) -> None:
    write(folder, "Levels.csv", "t,T1", "2024-05-01 00:00:00,1", "2024-05-01 01:00:00,2", "2024-05-01 01:00:00,2.5")
    level = read_record(folder).level
    assert level["T1"].tolist() == [1.0, 2.5]  # the later row is a correction


def test_names_in_ukrainian_beyond_the_first_block(folder: Path) -> None:
    # a character that a block of 64 KiB ends in the middle of is no fault of the file
    names = [f"вузол-{k:05d}" for k in range(4500)]
    for shift in range(4):
        header = ",".join(["час" + shift * "x", *names])
        assert len(header.encode()) > 65536
        write(folder, "Pressures.csv", header, ",".join(["2024-05-01 00:00:00", *("1" for _ in names)]))
        assert list(read_record(folder).pressure.columns) == names


def test_byte_order_mark_is_no_part_of_a_name(folder: Path) -> None:
    (folder / "Pressures.csv").write_bytes("\ufefft;n1\n2024-05-01 00:00:00;1,5\n".encode())
    assert read_record(folder).pressure["n1"].tolist() == [1.5]


# which files ----------------------------------------------------------------------------------------------------------


def test_all_quantities_in_si(folder: Path) -> None:
    write(folder, "a_Pressures.csv", "t,n1", "2024-05-01 00:00:00,30")
    write(folder, "a_Flows.csv", "t,p1", "2024-05-01 00:00:00,36")
    write(folder, "a_Levels.csv", "t,T1", "2024-05-01 00:00:00,2")
    write(folder, "a_Demands.csv", "t,n1", "2024-05-01 00:00:00,3600")
    record = read_record(folder)
    assert record.pressure.iloc[0, 0] == pytest.approx(30.0)
    assert record.flow.iloc[0, 0] == pytest.approx(0.01)
    assert record.level.iloc[0, 0] == pytest.approx(2.0)
    assert record.demand.iloc[0, 0] == pytest.approx(0.001)


def test_absent_quantities_are_empty_and_utc(folder: Path) -> None:
    write(folder, "Flows.csv", "t,p1", "2024-05-01 00:00:00,36")
    record = read_record(folder)
    for table in (record.pressure, record.level, record.demand):
        assert table.shape == (0, 0)
        assert str(table.index.tz) == "UTC"
    assert (record.start, record.end) == (times("2024-05-01")[0], times("2024-05-01")[0])


def test_other_files_are_left_alone(folder: Path) -> None:
    write(folder, "Flows.csv", "t,p1", "2024-05-01 00:00:00,36")
    write(folder, "Leakages.csv", "what;ever", "x;y")
    write(folder, "Pressures.xlsx", "no table")
    write(folder, "Pressures.csv.bak", "t,n1", "2024-05-01 00:00:00,x")
    write(folder, "readme.txt", "Levels, Demands")
    record = read_record(folder)
    assert list(record.flow.columns) == ["p1"]
    assert record.pressure.empty


def test_files_that_follow_each_other_in_time_are_one(folder: Path) -> None:
    write(folder, "2018_Flows.csv", "t,p1", "2018-12-31 23:00:00,36")
    write(folder, "2019_Flows.csv", "t,p1", "2019-01-01 00:00:00,72")
    flow = read_record(folder).flow
    assert same_times(flow.index, times("2018-12-31 23:00", "2019-01-01 00:00"))
    np.testing.assert_allclose(flow["p1"], [0.01, 0.02])


def test_files_of_different_instruments_are_one(folder: Path) -> None:
    write(folder, "north_Flows.csv", "t,p1", "2024-05-01 00:00:00,36", "2024-05-01 01:00:00,72")
    write(folder, "south_Flows.csv", "t,p2", "2024-05-01 00:00:00,360", "2024-05-01 01:00:00,720")
    flow = read_record(folder).flow
    assert same_times(flow.index, times("2024-05-01 00:00", "2024-05-01 01:00"))
    np.testing.assert_allclose(flow[["p1", "p2"]].to_numpy(), [[0.01, 0.1], [0.02, 0.2]])


# units ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "quantity", "unit", "si"),
    [
        ("Pressures", "pressure", "bar", 10.1972),
        ("Pressures", "pressure", "kPa", 0.101972),
        ("Flows", "flow", "L/s", 1e-3),
        ("Flows", "flow", "m3/d", 1.0 / 86400.0),
        ("Levels", "level", "cm", 0.01),
        ("Demands", "demand", "m3/h", 1.0 / 3600.0),
    ],
)
def test_units_toml_overrides(folder: Path, name: str, quantity: str, unit: str, si: float) -> None:
    write(folder, f"{name}.csv", "t,x", "2024-05-01 00:00:00,3")
    write(folder, "units.toml", f'{quantity} = "{unit}"')
    assert getattr(read_record(folder), quantity)["x"].iloc[0] == pytest.approx(3.0 * si, rel=1e-5)


def test_units_toml_leaves_the_rest(folder: Path) -> None:
    write(folder, "Pressures.csv", "t,n1", "2024-05-01 00:00:00,3")
    write(folder, "Flows.csv", "t,p1", "2024-05-01 00:00:00,36")
    write(folder, "units.toml", 'pressure = "bar"')
    assert read_record(folder).flow.iloc[0, 0] == pytest.approx(0.01)


@pytest.mark.parametrize("line", ['pressure = "psi"', 'flow = "bar"', 'temperature = "K"', "pressure = 3", "x = [", "pressure = []"])  # fmt: skip  # noqa: E501
def test_unknown_unit_is_an_error(folder: Path, line: str) -> None:
    write(folder, "Pressures.csv", "t,n1", "2024-05-01 00:00:00,3")
    write(folder, "units.toml", line)
    with pytest.raises(RecordError, match=r"units\.toml"):
        read_record(folder)


# what cannot be read --------------------------------------------------------------------------------------------------


def test_empty_or_absent_folder(folder: Path) -> None:
    with pytest.raises(RecordError, match="holds no"):
        read_record(folder)
    with pytest.raises(RecordError, match="no such folder"):
        read_record(folder / "absent")
    path = write(folder, "Flows.csv", "t,p1")
    with pytest.raises(RecordError, match="no such folder"):
        read_record(path)


@pytest.mark.parametrize(
    "lines",
    [
        ["n1,n2", "31.5,40", "31.6,41"],
        ["row,n1", "1,31.5", "2,31.6"],
        ["t,n1", "yesterday,31.5", "today,31.6"],
        ["t,n1", "01.05.2024 13:05,31.5"],
        ["t,n1", "2024-05-01 00:00:00,1", ",2"],
        ["t,n1", ",1", ",2"],
        ["t,n1", "2024-13-41 00:00:00,1"],
    ],
    ids=["values", "numbers", "words", "local form", "one missing", "all missing", "no such day"],
)
def test_no_timestamps(folder: Path, lines: list[str]) -> None:
    write(folder, "Pressures.csv", *lines)
    with pytest.raises(RecordError, match=r"Pressures\.csv: .*timestamp") as caught:
        read_record(folder)
    assert "\n" not in str(caught.value)


def test_text_in_a_numeric_column_is_named(folder: Path) -> None:
    write(folder, "Pressures.csv", "t,n1,n2", "2024-05-01 00:00:00,1,2", "2024-05-01 01:00:00,3,fault")
    with pytest.raises(RecordError, match=r"Pressures\.csv: column 'n2' holds .* no number"):
        read_record(folder)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"t\n2024-05-01 00:00:00\n",
        b"t,n1\n",
        b"t,n1\n2024-05-01,1,2,3\n",
        b"\x00\xff\xfe" * 50,
        b"\x1f\x8bno gzip",
    ],
    ids=["nothing", "one column", "no rows", "ragged", "binary", "not gzip"],
)
@pytest.mark.parametrize("name", ["Pressures.csv", "Pressures.csv.gz", "Pressures.parquet"])
def test_no_table(folder: Path, data: bytes, name: str) -> None:
    (folder / name).write_bytes(data)
    with pytest.raises(RecordError, match="Pressures") as caught:
        read_record(folder)
    assert "\n" not in str(caught.value)


# clocks ---------------------------------------------------------------------------------------------------------------


def test_times_without_zone_are_utc(folder: Path) -> None:
    write(folder, "Flows.csv", "t,p1", "2024-07-01 12:00:00,1")
    assert same_times(read_record(folder).flow.index, times("2024-07-01 12:00"))


def test_times_with_zone_need_none(folder: Path) -> None:
    write(folder, "Flows.csv", "t,p1", "2024-07-01T12:00:00+03:00,1", "2024-12-01T12:00:00+02:00,1")
    for timezone in (None, KYIV):
        index = read_record(folder, timezone).flow.index
        assert same_times(index, times("2024-07-01 09:00", "2024-12-01 10:00"))
        assert str(index.tz) == "UTC"


def test_parquet_with_zone(folder: Path) -> None:
    local = pd.date_range("2024-07-01 12:00", periods=2, freq="h", tz=KYIV)
    pd.DataFrame({"t": local, "p1": [1.0, 2.0]}).to_parquet(folder / "Flows.parquet")
    assert same_times(read_record(folder).flow.index, times("2024-07-01 09:00", "2024-07-01 10:00"))


def test_local_times_in_summer_and_winter(folder: Path) -> None:
    write(folder, "Flows.csv", "t,p1", "2024-01-15 12:00:00,1", "2024-07-15 12:00:00,2")
    assert same_times(read_record(folder, KYIV).flow.index, times("2024-01-15 10:00", "2024-07-15 09:00"))


def local_file(folder: Path, *stamps: str) -> None:
    write(folder, "Flows.csv", "t,p1", *(f"{t},{k}" for k, t in enumerate(stamps)))


def test_repeated_hour(folder: Path) -> None:
    # Kyiv: on 2024-10-27 the hour from 03:00 to 04:00 comes twice
    night = ["02:30", "03:00", "03:30", "03:00", "03:30", "04:00"]
    local_file(folder, *(f"2024-10-27 {t}:00" for t in night))
    flow = read_record(folder, KYIV).flow
    assert same_times(flow.index, pd.date_range("2024-10-26 23:30", periods=6, freq="30min", tz="UTC"))
    np.testing.assert_allclose(flow["p1"] * 3600.0, range(6))


def test_repeated_hour_that_stands_once(folder: Path) -> None:
    # a logger that drops the second hour
    local_file(folder, *(f"2024-10-27 {t}:00" for t in ("02:30", "03:00", "03:30", "04:00")))
    index = read_record(folder, KYIV).flow.index
    assert len(index) == 4
    assert index.is_monotonic_increasing
    assert index.is_unique
    assert index[0] == times("2024-10-26 23:30")[0]
    assert index[-1] == times("2024-10-27 02:00")[0]


def test_repeated_hour_of_one_year_beside_a_dropped_one_of_another(folder: Path) -> None:
    once = [f"2023-10-29 {t}:00" for t in ("02:30", "03:00", "03:30", "04:00")]
    twice = [f"2024-10-27 {t}:00" for t in ("02:30", "03:00", "03:30", "03:00", "03:30", "04:00")]
    local_file(folder, *once, *twice)
    flow = read_record(folder, KYIV).flow
    assert len(flow) == 10
    assert same_times(flow.index[4:], pd.date_range("2024-10-26 23:30", periods=6, freq="30min", tz="UTC"))


def test_missing_hour(folder: Path) -> None:
    # Kyiv: on 2024-03-31 there is no hour from 03:00 to 04:00
    local_file(folder, *(f"2024-03-31 {t}:00" for t in ("02:00", "02:30", "04:00", "04:30")))
    index = read_record(folder, KYIV).flow.index
    assert same_times(index, pd.date_range("2024-03-31 00:00", periods=4, freq="30min", tz="UTC"))


def test_a_clock_that_knows_no_summer_time_is_survived(folder: Path) -> None:
    local_file(folder, *(f"2024-03-31 {t}:00" for t in ("02:30", "03:00", "03:30", "04:00", "04:30")))
    index = read_record(folder, KYIV).flow.index
    assert index.is_monotonic_increasing
    assert index.is_unique
    assert index[0] == times("2024-03-31 00:30")[0]
    assert index[-1] == times("2024-03-31 01:30")[0]


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "", "../etc/passwd", "/etc/passwd", "Europe"])
def test_unknown_zone(folder: Path, zone: str) -> None:
    local_file(folder, "2024-03-31 02:00:00")
    with pytest.raises(RecordError, match="no time zone"):
        read_record(folder, zone)


# intervals ------------------------------------------------------------------------------------------------------------


def table(values: dict[str, list[float]], freq: str, start: str = "2024-05-01") -> pd.DataFrame:
    n = len(next(iter(values.values())))
    return pd.DataFrame(values, index=pd.date_range(start, periods=n, freq=freq, tz="UTC"))


def test_resampled_is_the_mean() -> None:
    record = Record(flow=table({"p1": [float(k) for k in range(24)]}, "5min"))
    hourly = record.resampled(pd.Timedelta("1h")).flow
    assert same_times(hourly.index, times("2024-05-01 00:00", "2024-05-01 01:00"))
    assert hourly["p1"].tolist() == [5.5, 17.5]


def test_intervals_less_than_half_full_are_missing() -> None:
    values = np.ones(8 * 12)
    values[12:19] = np.nan  # 5 of 12 are left
    values[24:30] = np.nan  # 6 of 12
    values[36:48] = np.nan  # none
    hourly = Record(flow=table({"p1": values.tolist()}, "5min")).resampled(pd.Timedelta("1h")).flow
    assert np.array_equal(hourly["p1"], [1.0, np.nan, 1.0, np.nan, 1.0, 1.0, 1.0, 1.0], equal_nan=True)


def test_instruments_have_their_own_pace() -> None:
    fast = np.ones(36)
    slow = np.full(36, np.nan)
    slow[::6] = 2.0  # every half hour among five-minute rows
    slow[6] = np.nan  # one of two is left: half is enough
    slow[12] = slow[18] = np.nan  # none is left
    hourly = Record(pressure=table({"fast": fast.tolist(), "slow": slow.tolist()}, "5min"))
    means = hourly.resampled(pd.Timedelta("1h")).pressure
    assert means["fast"].tolist() == [1.0, 1.0, 1.0]
    assert np.array_equal(means["slow"], [2.0, np.nan, 2.0], equal_nan=True)


def test_tables_have_their_own_pace() -> None:
    record = Record(flow=table({"p1": [1.0] * 24}, "5min"), level=table({"T1": [3.0, 4.0]}, "1h"))
    hourly = record.resampled(pd.Timedelta("1h"))
    assert hourly.flow["p1"].tolist() == [1.0, 1.0]
    assert hourly.level["T1"].tolist() == [3.0, 4.0]
    assert hourly.pressure.empty


def test_a_gap_in_the_rows_is_missing_too() -> None:
    whole = table({"p1": [1.0] * 36}, "5min")
    hourly = Record(flow=whole.drop(whole.index[12:24])).resampled(pd.Timedelta("1h")).flow
    assert np.array_equal(hourly["p1"], [1.0, np.nan, 1.0], equal_nan=True)


def test_between_takes_the_start_and_not_the_end() -> None:
    record = Record(flow=table({"p1": [0.0, 1.0, 2.0, 3.0]}, "1h"), level=table({"T1": [5.0]}, "1h"))
    part = record.between(times("2024-05-01 01:00")[0], times("2024-05-01 03:00")[0])
    assert part.flow["p1"].tolist() == [1.0, 2.0]
    assert part.level.empty
    assert (record.start, record.end) == (times("2024-05-01 00:00")[0], times("2024-05-01 03:00")[0])
