"""The rules of a field become rules of a column, with the types that its table has."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pandera.polars as pa
import polars as pl
import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    PositiveInt,
    StringConstraints,
    field_validator,
)

from project_package.data.field_rules import row_check, rules_of, types_of
from project_package.data.find_violations import find_violations
from project_package.fields import Identifier
from project_package.time_and_money_fields import Moment, Money, Period

NOW = datetime.now().replace(microsecond=0)
TODAY = NOW.replace(hour=0, minute=0, second=0)
HALVES = "must be in steps of a half"


def in_halves(value: float) -> float:
    if not (2 * value).is_integer():
        raise ValueError(HALVES)
    return value


def broken(folder: Path, annotation: Any, values: list[Any], **checks: Any) -> dict[str, int]:
    """Return the broken rules of a column of such a field, with how many rows break each."""
    model = type("Row", (BaseModel,), {"__annotations__": {"x": annotation}})
    columns = rules_of(model, checks)
    frame = pl.DataFrame({"x": values}, {"x": columns["x"].dtype.type})
    frame.write_parquet(folder / "rows.parquet")
    found = find_violations(folder / "rows.parquet", pa.DataFrameSchema(columns))
    return {violation.rule: violation.rows for violation in found}


@pytest.mark.parametrize(
    ("annotation", "fine", "wrong", "rule"),
    [
        (Annotated[float, Field(ge=1, le=2)], [1, 2], [0.9, 2.1], "must be a number from 1 to 2"),
        (Money, [0, 1e9 - 1], [-1, 1e9], "must be a number from 0 to less than 1,000,000,000"),
        (Annotated[float, Field(ge=0.5)], [0.5], [0.4], "must be a finite number, at least 0.5"),
        (
            Annotated[float, Field(gt=0, lt=1)],
            [0.1],
            [0, 1],
            "must be a finite number, more than 0, less than 1",
        ),
        (
            Annotated[float, Field(le=5)] | None,
            [5, None],
            [5.1],
            "must be a finite number, at most 5",
        ),
        (float, [-1e300], [float("inf"), float("-inf")], "must be a finite number"),
        (int, [-3, 0], [0.5], "must be a whole number"),
        (PositiveInt, [1], [0, float("inf")], "must be a finite number, more than 0"),
        (Literal["a", "b"], ["a", "b"], ["c", ""], "must be one of a, b"),
        (Literal[1, 2], [1, 2], [3], "must be one of 1, 2"),
        (Literal["a", None], ["a", None], ["b"], "must be one of a"),  # noqa: PYI061
        (Identifier, ["é" * 64], ["", "é" * 65], "must have 1 to 64 characters"),
        (Identifier | None, ["a", None], ["\x00"], r"must match the pattern ^[^\x00]*$"),
        (
            Annotated[str, Field(max_length=2)],
            ["", "é\n"],
            ["abc"],
            "must have 0 to 2 characters",
        ),
        (
            Annotated[str, StringConstraints(min_length=2)],
            ["ab"],
            ["a"],
            "must have 2 or more characters",
        ),
        (
            Moment,
            [NOW],
            [NOW + timedelta(days=3)],
            "must lie between 1990-01-01 and tomorrow (UTC)",
        ),
        (bool, [True], [None], "must not be missing"),
        (
            Annotated[date, AfterValidator(Period(timedelta(days=9), "must be soon"))],
            [TODAY + timedelta(days=8)],
            [TODAY + timedelta(days=11)],
            "must be soon",
        ),
        (date, [TODAY], [TODAY + timedelta(hours=1)], "must be a date without time"),
    ],
)
def test_rule_of_a_field_is_a_rule_of_its_column(
    tmp_path: Path, annotation: Any, fine: list[Any], wrong: list[Any], rule: str
) -> None:
    assert not broken(tmp_path, annotation, fine)
    assert broken(tmp_path, annotation, [*fine, *wrong]) == {rule: len(wrong)}


def test_function_of_a_field_needs_a_check_of_the_column(tmp_path: Path) -> None:
    annotation = Annotated[float, Field(ge=0, lt=9), AfterValidator(in_halves)]
    with pytest.raises(TypeError, match=r"The rule .*in_halves.* of Row.x cannot be derived"):
        broken(tmp_path, annotation, [1])
    check = row_check(lambda value: 2 * value == (2 * value).round(), HALVES)
    assert broken(tmp_path, annotation, [1, 0.5, 0.2, 0.3], x=[check]) == {HALVES: 2}
    within = "must be a number from 0 to less than 9"
    assert broken(tmp_path, annotation, [10, 0.5], x=[check]) == {within: 1}


@pytest.mark.parametrize(
    "annotation",
    [Annotated[float, Field(multiple_of=2)], Annotated[date, Field(ge=date(2024, 1, 1))]],
)
def test_rule_without_a_check_for_tables_is_an_error(tmp_path: Path, annotation: Any) -> None:
    with pytest.raises(TypeError, match="cannot be derived"):
        broken(tmp_path, annotation, [])


def test_validator_of_a_model_needs_a_check_of_the_column() -> None:
    class Row(BaseModel):
        x: float
        y: float

        @field_validator("x")
        @classmethod
        def in_halves(cls, value: float) -> float:
            return in_halves(value)

    with pytest.raises(TypeError, match=r"The rule in_halves of Row.x cannot be derived"):
        rules_of(Row)
    assert rules_of(Row, {"x": []}).keys() == {"x", "y"}


def test_fields_have_types_of_columns() -> None:
    class Row(BaseModel):
        who: Identifier
        when: Moment
        amount: Money = 0
        kind: Literal["a", "b"] | None = None
        count: PositiveInt
        label: bool | None = None

    assert types_of(Row) == {
        "who": "VARCHAR",
        "when": "TIMESTAMP_MS",
        "amount": "DOUBLE",
        "kind": "VARCHAR",
        "count": "DOUBLE",
        "label": "BOOLEAN",
    }


def test_field_that_is_no_column_is_an_error() -> None:
    class Row(BaseModel):
        items: list[str]

    with pytest.raises(TypeError, match="is not a column"):
        types_of(Row)
