"""Awkward tables work from the schema to the answer, or are refused in one sentence."""

import csv
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tabular.tables import bundle_of

from project_package.bundle import Bundle
from project_package.contract.task import predict_requests
from project_package.contract.training import Outcome, Training
from project_package.data.table_schema import read_schema
from project_package.errors import UserError
from project_package.lifecycle.workspace import replace_text
from project_package.read_params import read_params
from project_package.tabular.params import TabularParams
from project_package.tabular.schema_file import SchemaOptions, propose
from project_package.tabular.training import make_training

COUNT = 160
SCHEMA = "schema.toml"
PARAMS = "params.toml"
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(10, 3, COUNT).round(3)
PLAN = RANDOM.choice(["plus", "basic"], COUNT)
Y = (X + 3 * (PLAN == "plus") + RANDOM.normal(0, 2, COUNT) > 11).astype(int)
TABLE: Mapping[str, Iterable[Any]] = {"x": X, "plan": PLAN, "y": Y}
DAY = datetime(2024, 12, 31)
NOON = datetime(2024, 12, 31, 12)
OTHER = datetime(2024, 2, 1)


def repeated(*values: Any) -> list[Any]:
    return list(islice(cycle(values), COUNT))


def write(path: Path, columns: Mapping[str, Iterable[Any]], mark: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=mark)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def proposed(root: Path, columns: Mapping[str, Iterable[Any]], **wish: Any) -> str:
    """Write a table and its schema; return what people read."""
    write(root / "own.csv", columns, mark=";")
    (root / PARAMS).write_text('name = "awkward"\n', encoding="utf-8")
    asked = {"source": str(root / "own.csv"), "target": "y", "roles": {}, "classes": {}}
    return " ".join(propose(root, SchemaOptions(**{**asked, **wish}), False, replace_text))


def loaded(root: Path) -> tuple[Training, TabularParams]:
    """Read the rows of a project; return its training and parameters."""
    params = read_params(TabularParams, root / PARAMS)
    training = make_training(params, root)
    training.load_data(params, root, lambda _: None)
    return training, params


def fitted(root: Path) -> Bundle:
    """Fit the first candidate to the rows of a project."""
    training, params = loaded(root)
    splits = training.split(params, root)
    candidate = training.candidates[0]
    model: Any = candidate.fit(splits.train, candidate.start, 7)
    outcome = Outcome(splits.test, model.predict(splits.test))
    return bundle_of(training.finish(params, model, splits.train, outcome).files())


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


def test_nan_and_empty_text_are_missing_in_parquet(tmp_path: Path) -> None:
    own = {**TABLE, "f": repeated(1.5, float("nan")), "t": repeated("", "a", "b")}
    pl.DataFrame(own).write_parquet(tmp_path / "own.parquet")
    proposed(tmp_path, TABLE, source=str(tmp_path / "own.parquet"))
    loaded(tmp_path)
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    assert [{*rows["f"]}, {*rows["t"]}] == [{1.5, None}, {"a", "b", None}]


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        (
            ("1,234", "12,500", "950"),
            'f looks like numbers, but .* as "1,234": it is a category until',
        ),
        (("1.234", "12.500", "950"), "f has three digits after each point: if it separates"),
        (("$1,250.00", "$3.50"), r'f looks like numbers, but .* as "\$1,250.00"'),
        (("1e300", "2.5", "7.5"), 'f looks like numbers, but .* as "1e300": rows with numbers'),
        (("inf", *[2.5] * 98), 'f looks like numbers, but 2 of 160 .* as "inf": rows with numbers'),
        (("31.12.2024", "31/12/2024"), r"f has dates as text, read as %d.%m.%Y \| %d/%m/%Y"),
        (("20241231", "20240201"), "f has dates as numbers, read as %Y%m%d"),
        (("Yes", "yes", "NO", "no"), 'f has 4 spellings of true and false, such as "NO"'),
        ([f"[1, {n}]" for n in range(COUNT)], "f has lists or structs: it is ignored"),
        (("01067", "4109", "01069"), "f has leading zeros: if it is a code, add --category"),
        (("",), "f has no values: it is ignored"),
        (range(COUNT), "f differs in every row: if it numbers rows or orders"),
        ([f"{y},{n:03}" for n, y in enumerate(Y)], "f predicts the target nearly alone"),
        ([f"text {n} " * 9 for n in range(COUNT)], "f has long or many different texts"),
        (("short", "long" * 300), "f has long or many different texts: it is ignored"),
    ],
)
def test_people_are_warned(values: Iterable[Any], warning: str, tmp_path: Path) -> None:
    assert re.search(warning, proposed(tmp_path, {**TABLE, "f": repeated(*values)}))


@pytest.mark.parametrize(
    ("columns", "wish", "message"),
    [
        ({}, {"target": "z"}, 'ml schema: "z" is not a column of the table; there are'),
        ({f"column {n}": X for n in range(99)}, {"target": "z"}, " and others."),
        ({}, {"roles": {"plam": "group"}}, 'did you mean "plan"'),
        ({"monthly fee in euro": X}, {"target": "fee"}, 'did you mean "monthly fee in euro"'),
        ({}, {"roles": {"plan": "time"}}, "plan: the time must be a date such as 2024-01-31"),
        ({}, {"classes": {"gone": True}}, '"gone" is not a column of the table'),
        ({"explain": X}, {}, "explain: this name has a meaning of its own; rename the column"),
        ({"^x$": X}, {}, "this name has a meaning of its own; rename the column"),
        ({"y": repeated("a")}, {}, '"y" cannot be predicted: it is a category with 1 listed'),
        ({"y": repeated("")}, {}, '"y" cannot be predicted: it is a category with 0 listed'),
        ({"y": X}, {"classes": {"y": True}}, '"y" has more classes than can be predicted'),
        ({"y": repeated("2024-01-31", "2024-02-01")}, {}, '"y" cannot be predicted: it is a date'),
        ({"when": repeated("2024-01-31", "")}, {"roles": {"when": "time"}}, "in every row"),
        ({"y": PLAN}, {"classes": {"y": False}}, '--task regression: "y" has values that are'),
    ],
)
def test_table_is_refused_before_anything_is_written(
    columns: dict[str, Any], wish: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        proposed(tmp_path, {**TABLE, **columns}, **wish)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.csv", PARAMS]
    assert "[data]" not in (tmp_path / PARAMS).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('role = "feature"', 'role = "reason"', "columns.x.role: Input should be 'feature'"),
        ('role = "feature"', 'role = "ignored"', "schema.toml has no feature"),
        ('role = "feature"', 'role = "id"', "only one column can have the role id: x, plan"),
        ("categories =", "choices =", "columns.plan.choices: Extra inputs are not permitted"),
        ('"plus"', '"basic"', "plan: `categories` must list its different values, none empty"),
        ('role = "target"', 'role = "feature"', '"y" has the role feature'),
        ("[columns.y]", "[columns.z]", 'data.target: "y" is not a column of schema.toml'),
    ],
)
def test_wrong_edit_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    proposed(tmp_path, TABLE)
    text = (tmp_path / SCHEMA).read_text(encoding="utf-8")
    (tmp_path / SCHEMA).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(message)):
        loaded(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [*(("x", value) for value in ("inf", "1e300", "", "NA", "abc")), ("plan", "long" * 300)],
)
def test_value_that_no_model_takes_is_refused_everywhere(
    name: str, value: str, tmp_path: Path
) -> None:
    proposed(tmp_path, TABLE)
    training, params = loaded(tmp_path)
    write(tmp_path / "own.csv", {**TABLE, name: [value, *[*TABLE[name]][1:]]})
    with pytest.raises(UserError, match=(message := f"- {name} must .*: 1 row breaks this rule")):
        loaded(tmp_path)
    with pytest.raises(UserError, match=message):
        training.read_batch(params, tmp_path / "own.csv", tmp_path)


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


def test_missing_values_say_what_to_do_and_show_a_row_once(tmp_path: Path) -> None:
    proposed(tmp_path, TABLE)
    training, params = loaded(tmp_path)
    write(tmp_path / "new.csv", {"x": ["", 1], "plan": ["", "plus"]})
    with pytest.raises(UserError) as caught:
        training.read_batch(params, tmp_path / "new.csv", tmp_path)
    rule = "must not be missing: fill it in, or set missing = 0.1 in schema.toml and train again"
    assert str(caught.value).splitlines()[1:] == [
        f"- x {rule}: 1 row breaks this rule",
        f"- plan {rule}: 1 row breaks this rule",
        "    x=(missing), plan=(missing)",
    ]


def test_columns_of_any_name_are_answered(tmp_path: Path) -> None:
    names = ("class", "model_config", "prediction", "select", "a.b", 'c"q', "名 😀", "n" * 300)
    proposed(tmp_path, {name: X + RANDOM.normal(0, 1, COUNT) for name in names} | {"y": Y})
    task = loaded(tmp_path)[0].make_task(bundle := fitted(tmp_path))
    body = {**dict.fromkeys(names, 12.5), "explain": True}
    request = task.request.model_validate_json(json.dumps(body), strict=True)
    model: Any = task.load(bundle)
    assert predict_requests(task, model, [request])[0]["reasons"][0]["feature"] in names


def test_file_to_predict_may_have_other_columns_and_values(tmp_path: Path) -> None:
    proposed(tmp_path, {**TABLE, "prediction": range(COUNT)}, roles={"prediction": "id"})
    training, params = loaded(tmp_path)
    bundle = fitted(tmp_path)
    file = tmp_path / "new.csv"
    write(file, {"more": X, "plan": repeated("never seen"), "x": X, "y": repeated("?")})
    rows = training.read_batch(params, file, tmp_path)
    assert rows["x"].tolist() == X.tolist()
    write(file, {**TABLE, "prediction": range(COUNT)})
    rows = training.read_batch(params, file, tmp_path)
    model: Any = training.make_task(bundle).load(bundle)
    found = training.batch_table(rows, model.predict(rows))
    assert found["own prediction"].tolist() == [str(number) for number in range(COUNT)]
    assert {*found["prediction"]} == {"0", "1"}
