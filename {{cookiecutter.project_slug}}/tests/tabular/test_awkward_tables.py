"""Awkward tables work from the schema to the answer, or are refused in one sentence."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tabular.own_tables import (
    COUNT,
    PARAMS,
    PLAN,
    RANDOM,
    SCHEMA,
    TABLE,
    X,
    Y,
    loaded,
    proposed,
    repeated,
    write,
)
from tabular.tables import bundle_of

from project_package.bundle import Bundle
from project_package.contract.task import predict_requests
from project_package.contract.training import Outcome
from project_package.data.table_schema import read_schema
from project_package.errors import UserError


def fitted(root: Path) -> Bundle:
    """Fit the first candidate to the rows of a project."""
    training, params = loaded(root)
    splits = training.split(params, root)
    candidate = training.candidates[0]
    model: Any = candidate.fit(splits.train, candidate.start, 7)
    outcome = Outcome(splits.test, model.predict(splits.test))
    return bundle_of(training.finish(params, model, splits.train, outcome).files())


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("customer_no", [7 * (n // 4) for n in range(800)], "group"),
        ("Patient ID", [f"P{n // 2}" for n in range(800)], "group"),
        ("client", [f"C{n % 600}" for n in range(800)], "group"),
        ("order_id", [n % 780 for n in range(800)], "id"),
        ("Order Number", [f"O-{n % 780}" for n in range(800)], "id"),
        ("age", [18 + n % 75 for n in range(800)], "feature"),
        ("zip", [10_000 + 37 * (n % 200) for n in range(800)], "feature"),
        ("customer_age", [n % 150 for n in range(800)], "feature"),
        ("house_number", [n % 300 for n in range(800)], "feature"),
        ("customer_no", [n % 3 for n in range(800)], "feature"),
    ],
)
def test_numbers_of_customers_and_orders_have_a_role(
    name: str, values: list[Any], role: str, tmp_path: Path
) -> None:
    proposed(tmp_path, {name: values, "x": range(0, 8000, 10), "y": repeated(0, 1) * 5})
    assert read_schema(tmp_path / SCHEMA).columns[name].role == role


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
        ([f"{y},{n:03}" for n, y in enumerate(Y)], "f alone explains .* it is an outcome now"),
        (
            [f"text {n} " * 9 for n in range(COUNT)],
            "f has sentences, .* may be personal data; role",
        ),
        ([f"text_{n}" * 20 for n in range(COUNT)], 'f has long .* is ignored; role = "feature"'),
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


def test_table_without_a_feature_is_refused_after_its_schema(tmp_path: Path) -> None:
    notes = [f"{number}_" * 40 for number in range(COUNT)]
    proposed(tmp_path, {"note": notes, "y": TABLE["y"]})
    with pytest.raises(UserError, match="has no feature"):
        loaded(tmp_path)


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
