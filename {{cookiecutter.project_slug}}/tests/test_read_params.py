"""Parameters: read from TOML, changed by --set, errors in sentences."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from project_package.errors import UserError
from project_package.frozen import Frozen
from project_package.params import Params
from project_package.read_params import flatten, read_params

TEXT = 'name = "demo"\n'


class Data(Frozen):
    source: str = "simulator"
    days: int = Field(default=10, ge=1)
    share: float = 0.5
    columns: dict[str, str] = Field(default_factory=dict)


class Decide(Frozen):
    review_cost: float = 10


class Own(Params):
    data: Data = Data()
    decide: Decide = Decide()


def read_text(folder: Path, text: str, *changes: str) -> Own:
    (folder / "params.toml").write_text(text)
    return read_params(Own, folder / "params.toml", changes)


def error(folder: Path, text: str, *changes: str) -> str:
    with pytest.raises(UserError) as refusal:
        read_text(folder, text, *changes)
    return str(refusal.value)


def test_missing_parameters_have_defaults(tmp_path: Path) -> None:
    text = TEXT + "[data]\ndays = 3"
    found = read_text(tmp_path, text)
    assert (found.name, found.data.days, found.data.source) == ("demo", 3, "simulator")
    assert read_text(tmp_path, text, "data.days=4", "data.days=5").data.days == 5
    with pytest.raises(ValidationError, match="Instance is frozen"):
        found.data.days = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("data.days=5", {"days": 5}),
        (" data.share = 1e-3 ", {"share": 0.001}),
        ("data.source=a/b-*.csv", {"source": "a/b-*.csv"}),
        ('data.source="12"', {"source": "12"}),
        ("data.source=a=b", {"source": "a=b"}),
        ("data.columns.amount=value", {"columns": {"amount": "value"}}),
        ('data.columns={amount = "value"}', {"columns": {"amount": "value"}}),
    ],
)
def test_change_is_toml_or_a_bare_word(tmp_path: Path, change: str, value: dict[str, Any]) -> None:
    assert read_text(tmp_path, TEXT, change).data == Data().model_copy(update=value)


@pytest.mark.parametrize(
    ("key", "near"),
    [("data.dayz", "data.days"), ("sead", "seed"), ("decied", "decide")],
)
def test_unknown_key_names_the_nearest(tmp_path: Path, key: str, near: str) -> None:
    assert error(tmp_path, TEXT, f"{key}=1") == f'{key} is not a parameter: did you mean "{near}"?'


def test_unknown_key_near_to_none_lists_them_all(tmp_path: Path) -> None:
    text = error(tmp_path, f"{TEXT}zzzzqqqq = 1")
    assert text.startswith("zzzzqqqq is not a parameter: there are name, seed, ")


def test_every_wrong_value_is_named(tmp_path: Path) -> None:
    lines = error(tmp_path, 'name = "a b"\n[data]\ndays = 0\nshare = "much"').splitlines()
    assert lines[0].startswith("name = 'a b': String should match pattern")
    assert lines[1] == "data.days = 0: Input should be greater than or equal to 1."
    assert lines[2].startswith("data.share = 'much': Input should be a valid number")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("data.days", "--set takes section.key=value, not 'data.days'."),
        ("=3", "--set takes section.key=value, not '=3'."),
        ("name.first=a", "--set name.first=a: name is a value, not a section."),
        ("data=3", "data = 3: "),
    ],
)
def test_malformed_change_is_refused(tmp_path: Path, change: str, sentence: str) -> None:
    assert error(tmp_path, TEXT, change).startswith(sentence)


def test_bad_toml_names_the_line(tmp_path: Path) -> None:
    text = error(tmp_path, TEXT + "days = = 3")
    assert text.startswith("params.toml is not valid TOML in UTF-8: ")
    assert "line 2" in text


def test_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `ml` in the project's folder"):
        read_params(Own, tmp_path / "params.toml")


def test_flattened_names_are_those_of_set(tmp_path: Path) -> None:
    flat = flatten(read_text(tmp_path, TEXT, "data.columns.amount=value"))
    assert flat["data.days"] == 10
    assert flat["data.columns.amount"] == "value"
    assert flat["train.trials"] == 8
