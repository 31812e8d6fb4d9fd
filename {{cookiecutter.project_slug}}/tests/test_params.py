"""Parameters: read from TOML, changed by --set, refused in words."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from project_package.contract import Frozen, Params
from project_package.errors import UserError
from project_package.lifecycle.params import flatten, read


class Data(Frozen):
    source: str = "simulator"
    days: int = Field(default=10, ge=1)
    share: float = 0.5
    columns: dict[str, str] = Field(default_factory=dict)


class Own(Params):
    data: Data = Data()


def reading(folder: Path, text: str = 'name = "demo"', *changes: str) -> Own:
    (folder / "params.toml").write_text(text)
    return read(Own, folder / "params.toml", changes)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    found = reading(tmp_path, 'name = "demo"\n[data]\ndays = 3')
    assert (found.name, found.data.days, found.data.source) == ("demo", 3, "simulator")


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("data.days=5", {"days": 5}),
        ("data.share=0.25", {"share": 0.25}),
        (" data.share = 1e-3 ", {"share": 0.001}),
        ("data.source=a/b-*.csv", {"source": "a/b-*.csv"}),
        ('data.source="12"', {"source": "12"}),
        ("data.source=a=b", {"source": "a=b"}),
        ("data.columns.amount=value", {"columns": {"amount": "value"}}),
        ('data.columns={amount = "value"}', {"columns": {"amount": "value"}}),
    ],
)
def test_a_change_is_read_as_toml_or_as_a_word(
    tmp_path: Path, change: str, value: dict[str, Any]
) -> None:
    found = reading(tmp_path, 'name = "demo"', change)
    assert found.data == Data().model_copy(update=value)


def test_a_change_goes_over_the_file_and_the_last_one_wins(tmp_path: Path) -> None:
    text = 'name = "demo"\n[data]\ndays = 3'
    assert reading(tmp_path, text, "data.days=4", "data.days=5").data.days == 5


@pytest.mark.parametrize(
    ("key", "near"),
    [("data.dayz", "data.days"), ("train.trails", "train.trials"), ("sead", "seed")],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, key: str, near: str) -> None:
    sentence = f'{key} is no parameter: did you mean "{near}"?'
    with pytest.raises(UserError) as refusal:
        reading(tmp_path, 'name = "demo"', f"{key}=1")
    assert str(refusal.value) == sentence


def test_a_key_that_is_near_to_none_lists_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"zzzzqqqq is no parameter: there are name, seed, "):
        reading(tmp_path, 'name = "demo"\nzzzzqqqq = 1')


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refusal:
        reading(tmp_path, 'name = "a b"\n[data]\ndays = 0\nshare = "much"')
    lines = str(refusal.value).splitlines()
    assert lines[0].startswith("name = 'a b': String should match pattern")
    assert lines[1:] == [
        "data.days = 0: Input should be greater than or equal to 1.",
        "data.share = 'much': Input should be a valid number, "
        "unable to parse string as a number.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("data.days", "--set takes section.key=value, not 'data.days'."),
        ("=3", "--set takes section.key=value, not '=3'."),
        ("name.first=a", "--set name.first=a: name is a value, not a section."),
        ("data=3", "data = 3: "),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    tmp_path: Path, change: str, sentence: str
) -> None:
    with pytest.raises(UserError) as refusal:
        reading(tmp_path, 'name = "demo"', change)
    assert str(refusal.value).startswith(sentence)


def test_bad_toml_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params.toml is not valid TOML in UTF-8: .*line 2"):
        reading(tmp_path, 'name = "demo"\ndays = = 3')


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `ml` in the project's folder"):
        read(Own, tmp_path / "params.toml")


def test_parameters_are_frozen(tmp_path: Path) -> None:
    found = reading(tmp_path)
    with pytest.raises(ValidationError, match="Instance is frozen"):
        found.data.days = 3  # type: ignore[misc]


def test_flattened_parameters_are_what_set_takes(tmp_path: Path) -> None:
    flat = flatten(reading(tmp_path, 'name = "demo"', "data.columns.amount=value"))
    assert flat["data.days"] == 10
    assert flat["data.columns.amount"] == "value"
    assert flat["train.trials"] == 8
