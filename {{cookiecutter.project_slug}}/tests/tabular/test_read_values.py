"""Values are read as people mean them: numbers, dates, yes or no, missing values."""

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tabular.own_tables import COUNT, PLAN, SCHEMA, TABLE, X, loaded, proposed, repeated, write

from project_package.data.table_schema import read_schema
from project_package.errors import UserError

DAY = datetime(2024, 12, 31)
NOON = datetime(2024, 12, 31, 12)
OTHER = datetime(2024, 2, 1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1.234,5", "-2,25", "7"), {1234.5, -2.25, 7}),
        (("1.234.567", "950"), {1_234_567, 950}),
        ((" 12.5", " NA ", "-", "", "?"), {12.5, None}),
        (("TRUE", "false"), {True, False}),
        (("Yes", "No"), {"Yes", "No"}),
        (("Yes", "yes", "NO", "no", ""), {True, False, None}),
        (('a "b"\nc', "x;y", "😀"), {'a "b"\nc', "x;y", "😀"}),
        (("31.12.2024", "1.2.2024"), {DAY, OTHER}),
        (("31.12.24", "01.02.24"), {DAY, OTHER}),
        (("12/31/2024 12:00 PM", "2/1/2024 12:00 AM"), {NOON, OTHER}),
        (("31-Dec-24", "1-Feb-24"), {DAY, OTHER}),
        (("December 31, 2024", "February 1, 2024"), {DAY, OTHER}),
        (("2024-12-31 12:00", "2024-12-31T14:00:00+02:00"), {NOON}),
        (("20241231", "20240201"), {DAY, OTHER}),
        (("20241231.0", "20240201.0", ""), {DAY, OTHER, None}),
        (("2024-12", "2024-02"), {datetime(2024, 12, 1), OTHER}),
        (("Dec-2024", "Feb-2024"), {datetime(2024, 12, 1), OTHER}),
        (("1735646400", "1706745600"), {NOON, OTHER}),
        (("1735646400000", "1706745600000"), {NOON, OTHER}),
        (("31.12.2024", "2024-12-31 12:00", "2024-02-01", "01.02.24"), {DAY, NOON, OTHER}),
        (("12/31/2024 12:00 PM", "31.12.2024", "Feb-2024"), {NOON, DAY, OTHER}),
    ],
)
def test_values_are_read_as_people_mean_them(
    values: tuple[str, ...], expected: set[Any], tmp_path: Path
) -> None:
    proposed(tmp_path, {**TABLE, "f": repeated(*values)})
    assert read_schema(tmp_path / SCHEMA).columns["f"].role == "feature"
    loaded(tmp_path)
    assert {*pl.read_parquet(tmp_path / "rows.parquet")["f"]} == expected


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("f", ("20241231", "20241301")),
        ("f", ("20241231", "1e29")),
        ("f", ("2024123", "2024021")),
        ("f", ("1735646400", "735646400")),
        ("f", ("1735646400", "4735646400")),
        ("order_id", ("1735646400", "1706745600")),
        ("f", ("1735646400.5", "1706745600")),
        ("day or month first", ("31/12/2024", "12/31/2024")),
        ("f", ("2024-12-31", "soon")),
    ],
)
def test_other_values_are_no_dates(name: str, values: tuple[str, ...], tmp_path: Path) -> None:
    proposed(tmp_path, {**TABLE, name: repeated(*values)})
    assert read_schema(tmp_path / SCHEMA).columns[name].type != "date"


def test_seconds_of_nine_digits_need_a_name_or_a_role(tmp_path: Path) -> None:
    seconds = repeated("935646400", "906745600")
    proposed(tmp_path, {**TABLE, "sold_at": seconds, "f": seconds}, roles={"f": "time"})
    columns = read_schema(tmp_path / SCHEMA).columns
    assert (columns["sold_at"].format, columns["f"].format) == ("seconds", "seconds")


def test_key_of_a_date_is_a_time_if_the_caller_says_so(tmp_path: Path) -> None:
    proposed(
        tmp_path, {**TABLE, "date_key": repeated(20241231, 20240201)}, roles={"date_key": "time"}
    )
    loaded(tmp_path)
    assert {*pl.read_parquet(tmp_path / "rows.parquet")["date_key"]} == {DAY, OTHER}


def test_dates_are_read_alike_in_parquet_and_in_files_to_predict(tmp_path: Path) -> None:
    own = {
        **TABLE,
        "days": repeated(20241231, 20240201),
        "float_days": repeated(20241231.0, float("nan")),
        "times": repeated(1735646400, 1706745600),
        "float_times": repeated(1735646400000.0, None),
        "lists": [[number] for number in range(COUNT)],
        "structs": [{"a": number} for number in range(COUNT)],
    }
    pl.DataFrame(own).write_parquet(tmp_path / "own.parquet")
    proposed(tmp_path, TABLE, source=str(tmp_path / "own.parquet"))
    columns = read_schema(tmp_path / SCHEMA).columns
    assert (columns["lists"].role, columns["structs"].role) == ("ignored", "ignored")
    training, params = loaded(tmp_path)
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    assert [{*rows["days"]}, {*rows["float_days"]}] == [{DAY, OTHER}, {DAY, None}]
    assert [{*rows["times"]}, {*rows["float_times"]}] == [{NOON, OTHER}, {NOON, None}]
    iso = {**TABLE, **{n: repeated("2024-12-31") for n in own if "days" in n or "times" in n}}
    write(tmp_path / "new.csv", iso)
    for name in ("own.parquet", "new.csv"):
        read = training.read_batch(params, tmp_path / name, tmp_path)
        assert read["days"][0] == 20_088  # days since 1970


def test_file_to_predict_is_read_by_the_same_sql(tmp_path: Path) -> None:
    proposed(tmp_path, TABLE)
    training, params = loaded(tmp_path)
    data = params.data.model_copy(update={"read": {"x": "x::DOUBLE + 1", "y": "nullif(y, '?')"}})
    write(tmp_path / "new.csv", {"x": X, "plan": PLAN})
    own = params.model_copy(update={"data": data})
    read = training.read_batch(own, tmp_path / "new.csv", tmp_path)
    assert read["x"].tolist() == (X + 1).tolist()


def test_nan_and_empty_text_are_missing_in_parquet(tmp_path: Path) -> None:
    own = {**TABLE, "f": repeated(1.5, float("nan")), "t": repeated("", "a", "b")}
    pl.DataFrame(own).write_parquet(tmp_path / "own.parquet")
    proposed(tmp_path, TABLE, source=str(tmp_path / "own.parquet"))
    loaded(tmp_path)
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    assert [{*rows["f"]}, {*rows["t"]}] == [{1.5, None}, {"a", "b", None}]


@pytest.mark.parametrize("value", ["inf", "1e300"])
def test_number_beyond_all_others_leaves_the_column_a_number(value: str, tmp_path: Path) -> None:
    proposed(tmp_path, {**TABLE, "x": [value, *X[1:]]})
    column = read_schema(tmp_path / SCHEMA).columns["x"]
    assert (column.type, column.max) == ("number", max(X[1:]))
    with pytest.raises(UserError, match=r"- x must lie between .*: 1 row breaks this rule\n.* x="):
        loaded(tmp_path)
    text = (tmp_path / SCHEMA).read_text(encoding="utf-8")
    edited = text.replace("[columns.x]", f'null_values = ["{value}"]\n[columns.x]\nmissing = 0.1')
    (tmp_path / SCHEMA).write_text(edited, encoding="utf-8")
    loaded(tmp_path)
    assert pl.read_parquet(tmp_path / "rows.parquet")["x"].null_count() == 1
