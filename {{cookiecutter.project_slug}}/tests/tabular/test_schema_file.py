"""`ml schema` writes what it finds once, and prints differences the second time."""

import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from project_package.data.table_schema import Role, read_schema
from project_package.errors import UserError
from project_package.lifecycle.workspace import replace_text
from project_package.read_params import read_params
from project_package.tabular.dataset import read_columns
from project_package.tabular.params import TabularParams
from project_package.tabular.problem import find_problem
from project_package.tabular.schema_file import SchemaOptions, propose
from project_package.tabular.training import make_training

PARAMS = 'name = "tiny"  # ours\n\n[data]\nsource = "completejourney"  # where\ntarget = "x"\n'
CUSTOMERS = pl.DataFrame(
    {
        "id": [f"C{number}" for number in range(60)],
        "age": [20 + number % 30 for number in range(60)],
        "plan": ["basic", "plus", None, "basic"] * 15,
        "left": ["no", "no", "yes"] * 20,
    }
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "params.toml").write_text(PARAMS, encoding="utf-8")
    CUSTOMERS.write_csv(tmp_path / "own.csv")
    return tmp_path


def run(root: Path, overwrite: bool = False, **changes: Any) -> str:
    values = {"source": f"{root}/own.csv", "target": "left", "roles": {}, "classes": {}, **changes}
    return "\n".join(propose(root, SchemaOptions(**values), overwrite, replace_text))


def test_schema_has_a_table_for_each_column(root: Path) -> None:
    assert "Features in schema.toml: 2." in run(root)
    found = tomllib.loads((root / "schema.toml").read_text(encoding="utf-8"))
    assert found["columns"]["age"] == {
        "role": "feature",
        "type": "integer",
        "min": 20,
        "max": 49,
        "example": 20,
    }
    assert found["columns"]["plan"]["categories"] == ["basic", "plus"]
    assert found["columns"]["plan"]["missing"] == pytest.approx(1 / 4, abs=1e-4)
    assert {n: column["role"] for n, column in found["columns"].items()} == {
        "id": "id",
        "age": "feature",
        "plan": "feature",
        "left": "target",
    }


def test_params_get_source_target_and_positive_class(root: Path) -> None:
    assert 'The class to find is "yes": data.positive' in run(root)
    text = (root / "params.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["data"] == {
        "source": f"{root}/own.csv",
        "target": "left",
        "positive": "yes",
    }
    assert 'name = "tiny"  # ours' in text


def test_costs_of_the_table_that_comes_with_the_project_are_reset_once(root: Path) -> None:
    params = root / "params.toml"
    params.write_text(f"{PARAMS}\n[decide]\nfalse_negative = 5.0  # missed\ncoverage = 0.7\n")
    set_now = "decide.false_positive = 1.0, decide.false_negative = 1.0"
    assert f"- Set in params.toml: {set_now}" in run(root).splitlines()
    text = params.read_text()
    assert "false_negative = 1.0  # missed" in text
    assert tomllib.loads(text)["decide"]["coverage"] == 0.7
    params.write_text(text.replace("false_negative = 1.0", "false_negative = 3.0"))
    assert "Set in params.toml" not in run(root, overwrite=True)
    assert "false_negative = 3.0" in params.read_text()


@pytest.mark.parametrize(("roles", "gap"), [({}, 0.1), ({"day": "time"}, 0.2)])
def test_number_gets_a_limit_of_coverage(root: Path, roles: dict[str, Role], gap: float) -> None:
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 2, 29), eager=True)
    CUSTOMERS.with_columns(day=days, spent=pl.int_range(60) / 7).write_csv(root / "own.csv")
    run(root, target="spent", roles=roles)
    found = tomllib.loads((root / "params.toml").read_text(encoding="utf-8"))
    assert found["promote"] == {"worst": {"coverage_gap": gap}}
    assert "decide" not in found
    goals = make_training(read_params(TabularParams, root / "params.toml"), root).metrics
    assert "coverage_gap" in [metric.name for metric in goals]


def test_another_target_gets_its_own_parameters(root: Path) -> None:
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 2, 29), eager=True)
    CUSTOMERS.with_columns(day=days, spent=pl.int_range(60) / 7).write_csv(root / "own.csv")
    run(root, target="spent", roles={"day": "time"})
    run(root, target="left", overwrite=True)
    found = tomllib.loads((root / "params.toml").read_text(encoding="utf-8"))
    assert found["decide"] == {"false_positive": 1.0, "false_negative": 1.0}
    assert found["promote"] == {"worst": {}}


def test_second_run_prints_differences_and_changes_nothing(root: Path) -> None:
    run(root)
    edited = (root / "schema.toml").read_text().replace('role = "id"', 'role = "ignored"')
    (root / "schema.toml").write_text(edited)
    printed = run(root)
    assert '-role = "ignored"\n+role = "id"' in printed
    assert "schema.toml and params.toml stay as they are; --overwrite replaces both." in printed
    assert (root / "schema.toml").read_text() == edited
    run(root, overwrite=True)
    assert read_schema(root / "schema.toml").of_role("id") == ("id",)


def test_equal_tables_do_not_differ(root: Path) -> None:
    run(root)
    assert "Nothing differs." in run(root)


def test_roles_and_classes_of_the_caller_are_kept(root: Path) -> None:
    run(root, roles={"plan": "outcome"}, classes={"age": True})
    found = read_schema(root / "schema.toml")
    assert found.of_role("outcome") == ("plan",)
    assert found.columns["age"].type == "category"


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "latin-1", "shift_jis"])
def test_encoding_is_found_and_kept(root: Path, encoding: str) -> None:
    letter = {"cp1252": "€", "latin-1": "é\x81", "shift_jis": "に"}.get(encoding, "ж")
    csv = CUSTOMERS.with_columns(plan=pl.lit(letter)).write_csv()
    (root / "own.csv").write_bytes(csv.encode(encoding))
    if encoding == "shift_jis":  # no encoding that is tried unless a person names it
        (root / "params.toml").write_text(f'{PARAMS}encoding = "{encoding}"\n')
    assert f"- data.encoding is {encoding}: check letters" in run(root, roles={"plan": "outcome"})
    params = read_params(TabularParams, root / "params.toml")
    assert params.data.encoding == encoding
    assert read_schema(root / "schema.toml").columns["plan"].categories == (letter,)
    training = make_training(params, root)
    for codec in (encoding, "utf-8"):
        (root / "new.csv").write_bytes(csv.replace(letter, "né" * 3, 1).encode(codec, "replace"))
        assert len(training.read_batch(params, root / "new.csv", root)["age"]) == 60


def test_query_becomes_the_source(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(root / "own.db")) as database, database:
        database.execute("CREATE TABLE customers (id TEXT, age INTEGER, plan TEXT, left TEXT)")
        database.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", CUSTOMERS.rows())
    monkeypatch.setenv("DATA_URL", f"sqlite:///{root}/own.db")
    run(root, source="SELECT * FROM customers WHERE age > 25")
    data = tomllib.loads((root / "params.toml").read_text())["data"]
    assert (data["source"], data["query"][:6]) == ("sql", "SELECT")
    assert read_schema(root / "schema.toml").columns["age"].min == 26


def test_rare_classes_become_one(root: Path) -> None:
    species = pl.Series([f"rare {n}" if n < 6 else "cat" if n % 2 else "dog" for n in range(60)])
    CUSTOMERS.with_columns(species=species).write_csv(root / "own.csv")
    assert "fewer than 10 rows: 6; --merge-rare 10 merges" in run(root, target="species")
    assert "fewer than" not in run(root, target="species", merge_rare=5, overwrite=True)
    found = find_problem(read_schema(root / "schema.toml"), "species")
    assert found.classes == ("cat", "dog", "other")
    table = pl.DataFrame({"species": ["dog", "rare 3"], "age": [1, 2], "plan": "", "left": "no"})
    assert read_columns(found, table, table, 0)["species"].tolist() == [1, 2]


def test_class_called_other_cannot_take_the_rare_ones(root: Path) -> None:
    names = [f"rare {n}" if n < 6 else "other" if n % 2 else "dog" for n in range(60)]
    CUSTOMERS.with_columns(species=pl.Series(names)).write_csv(root / "own.csv")
    with pytest.raises(UserError, match="two classes or more that differ"):
        run(root, target="species", merge_rare=5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("max = 49", "max = 19", "columns.age: min is larger than max"),
        ("max = 49", "max = inf", "columns.age.max: Input should be a finite number"),
    ],
)
def test_impossible_range_is_refused(root: Path, old: str, new: str, message: str) -> None:
    run(root)
    path = root / "schema.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_schema(path)
