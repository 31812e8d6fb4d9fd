"""erase lists an entity by a keyed hash, deletes its predictions, and keeps it out of data sets."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from pydantic import SecretStr

from project_package.contract.training import Progress
from project_package.errors import UserError
from project_package.lifecycle.console import Console
from project_package.lifecycle.erase import LIST, erase
from project_package.lifecycle.make_dataset import make_dataset
from project_package.lifecycle.project import Project
from project_package.params import Params
from project_package.prediction_log import open_log

BILLS = {"customer": ["ann", "bob", None, "ann"], "shop": list("xyxx"), "bill": [1, 2, 4, 8]}


def load_data(_: Params, folder: Path, __: Progress) -> None:
    pl.DataFrame(BILLS).write_parquet(folder / "rows.parquet")


def compute_features(_: Params, folder: Path, *__: object) -> None:
    rows = pl.read_parquet(folder / "rows.parquet")
    rows.select(pl.col("bill").sum()).write_parquet(folder / "features.parquet")


@pytest.fixture
def billing(copy: Project) -> Project:
    """Return a project whose answers are about customers, with a champion."""
    task = replace(copy.champion_task(), entity="customer")
    training = replace(
        copy.training,
        make_task=lambda _: task,
        load_data=load_data,
        compute_features=compute_features,
    )
    return replace(copy, training=training, console=Console())


def with_settings(project: Project, **values: str) -> Project:
    secrets = {name: SecretStr(value) for name, value in values.items()}
    return replace(project, settings=project.settings.model_copy(update=secrets))


def bills(project: Project) -> tuple[list[int], int]:
    """Return the bills of a new data set, and their sum, which is a feature."""
    folder = make_dataset(project).path
    rows = pl.read_parquet(folder / "rows.parquet")
    return rows["bill"].to_list(), pl.read_parquet(folder / "features.parquet").item()


def test_new_data_leave_out_what_was_erased(
    billing: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bills(billing) == ([1, 2, 4, 8], 15)
    assert "Left out" not in capsys.readouterr().out
    erase(billing, "ann")
    assert bills(billing) == ([2, 4], 6)
    assert "Left out 2 rows of erased entities.\n" in capsys.readouterr().out
    erase(billing, "x")  # which is a shop, not a customer
    assert bills(billing) == ([2, 4], 6)


def test_what_was_erased_is_listed_once_by_its_hash(billing: Project) -> None:
    for entity in ("ann", "bob", "ann"):
        erase(billing, entity)
    log = open_log(billing.settings, billing.workspace.root)
    assert log
    _, *lines = (billing.workspace.root / LIST).read_text().splitlines()
    assert lines == [f"{log.hash(entity)} customer" for entity in ("ann", "bob")]


def test_it_works_without_a_prediction_log(
    billing: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    off = with_settings(billing, log_url="off")
    erase(off, "ann")
    assert "Deleted nothing of customer ann. erased.txt lists it" in capsys.readouterr().out
    assert bills(off) == bills(billing) == ([2, 4], 6)
    assert not (billing.workspace.root / "predictions.db").exists()


def test_a_list_of_another_key_is_refused(billing: Project) -> None:
    erase(billing, "ann")
    changed = with_settings(billing, log_key="new")
    with pytest.raises(UserError, match="was written with another key: restore LOG_KEY"):
        make_dataset(changed)
    with pytest.raises(UserError, match="was written with another key"):
        erase(changed, "bob")


def test_a_wrong_kind_of_entity_is_refused(billing: Project, copy: Project) -> None:
    with pytest.raises(UserError, match=r'--entity: "customerx" .*; did you mean "customer"'):
        erase(billing, "ann", "customerx")
    with pytest.raises(UserError, match="No column has ids of an entity"):
        erase(copy, "ann")
    assert not (copy.workspace.root / LIST).exists()
