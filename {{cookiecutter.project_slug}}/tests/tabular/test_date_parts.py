"""Features that are made of a date, in the table and in requests."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tabular.tables import COLUMNS, problem

from project_package.columns import milliseconds
from project_package.data.table_schema import Column, DatePart, Schema, read_schema
from project_package.errors import UserError
from project_package.lifecycle.workspace import replace_text
from project_package.tabular.date_parts import part_values
from project_package.tabular.problem import Problem, find_problem
from project_package.tabular.schema_file import SchemaOptions, propose
from project_package.tabular.schemas import request_type
from project_package.tabular.task import to_rows

MOMENTS = ["1969-12-31T23:00", "1970-01-01T00:00", "2024-02-29T13:30", "2023-12-31T23:59", None]


def with_parts(*parts: DatePart) -> Problem:
    """Return a problem whose time has parts."""
    month = COLUMNS["month"].model_copy(update={"parts": parts})
    return find_problem(Schema(columns={**COLUMNS, "month": month}), "left")


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("weekday", ["Wed", "Thu", "Thu", "Sun", ""]),
        ("month", ["Dec", "Jan", "Feb", "Dec", ""]),
        ("day_of_year", [365, 1, 60, 365, None]),
        ("hour", [23, 0, 13.5, 23 + 59 / 60, None]),
        ("elapsed", [-1 / 24, 0, 19782.5625, 19722 + 1439 / 1440, None]),
    ],
)
def test_parts_of_a_date_by_hand(part: DatePart, expected: list[Any]) -> None:
    times = np.array([np.datetime64(m or "NaT", "ms").astype(np.float64) for m in MOMENTS])
    times[-1] = np.nan
    found = part_values(times, part)
    if isinstance(expected[0], str):
        assert found.tolist() == expected
    else:
        numbers = np.array(expected, np.float64)
        assert found == pytest.approx(numbers, nan_ok=True)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
def test_parts_are_those_of_the_calendar(moment: datetime) -> None:
    times = np.array(milliseconds([moment.replace(tzinfo=UTC)]), np.float64)
    assert part_values(times, "weekday")[0] == f"{moment:%a}"
    assert part_values(times, "month")[0] == f"{moment:%b}"
    assert part_values(times, "day_of_year")[0] == moment.timetuple().tm_yday
    assert int(part_values(times, "hour")[0]) == moment.hour


def test_parts_are_features_and_their_date_is_requested() -> None:
    plain = problem(without=("since",))
    found = with_parts("weekday", "hour")
    assert not [name for name in plain.features if name.startswith("month")]
    assert "month" not in plain.requested
    assert "month hour" in found.numbers
    assert "month weekday" in found.categories
    assert found.inputs["month weekday"].categories[0] == "Mon"
    assert "month" in found.requested


def test_request_and_table_have_the_same_parts() -> None:
    found = with_parts("weekday", "day_of_year", "elapsed")
    values = {"month": "2024-02-29T12:00:00Z", "家": 1, "since": "2020-01-01", "explain": False}
    request = request_type(found).model_validate(values)
    rows = to_rows(found, [request])
    moment = datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp() * 1000
    columns = {name: [None] for name in found.requested}
    table = found.encode({**columns, "month": [moment], "家": [1], "since": [1.5778368e12]})
    assert rows["month weekday"].tolist() == table["month weekday"].tolist() == ["Thu"]
    for name in ("month day_of_year", "month elapsed"):
        assert rows[name].tolist() == table[name].tolist()


def test_parts_of_other_columns_and_taken_names_are_refused() -> None:
    with pytest.raises(ValueError, match="only a date has parts"):
        Column(role="feature", type="number", parts=("hour",))
    month = COLUMNS["month"].model_copy(update={"parts": ("hour",)})
    taken = {**COLUMNS, "month": month, "month hour": COLUMNS["paid"]}
    with pytest.raises(UserError, match="the name of a date part or lag: month hour"):
        find_problem(Schema(columns=taken), "left")


@pytest.mark.parametrize(
    ("days", "step", "parts"),
    [
        (400, timedelta(days=1), ["weekday", "month", "day_of_year", "elapsed"]),
        (100, timedelta(hours=25), ["weekday", "hour", "elapsed"]),
        (60, timedelta(days=30), ["month", "day_of_year", "elapsed"]),
        (12, timedelta(days=30), []),
    ],
)
def test_schema_has_the_parts_that_vary(
    days: int, step: timedelta, parts: list[str], tmp_path: Path
) -> None:
    times = [datetime(2020, 1, 1) + n * step for n in range(days)]
    table = {"when": times, "x": list(range(days)), "y": [n % 2 for n in range(days)]}
    pl.DataFrame(table).write_csv(tmp_path / "own.csv")
    (tmp_path / "params.toml").write_text('name = "tiny"\n', encoding="utf-8")
    options = SchemaOptions(f"{tmp_path}/own.csv", "y", {"when": "time"}, {})
    list(propose(tmp_path, options, False, replace_text))
    schema = read_schema(tmp_path / "schema.toml")
    assert list(schema.columns["when"].parts) == parts
