"""Simulated days have clauses of the test, as they are or damaged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.contracts.params import ContractsParams
from project_package.contracts.simulation import (
    CLAUSES_A_DAY,
    concept,
    cut,
    labels,
    population,
    requests,
    scanned,
    write_source,
)

ROWS = pl.DataFrame(
    {
        "document": ["terms"] * 4,
        "clause": [1, 2, 3, 4],
        "text": ["The seller is not liable for damages of any kind."] * 4,
        "type": ["liability", "misc", "warranty", "grant"],
    }
)
RANDOM = np.random.default_rng(0)


def test_bad_scan_changes_a_quarter_of_the_letters() -> None:
    rows = pl.DataFrame({"text": ["a" * 10_000 + " 1"]})
    (text,) = scanned(rows, 1.0, RANDOM)["text"]
    assert np.mean([letter != "a" for letter in text[:10_000]]) == pytest.approx(0.24, abs=0.02)
    assert text.endswith(" 1")
    assert scanned(rows, 0.0, RANDOM)["text"].to_list() == rows["text"].to_list()


def test_other_damages_cut_and_choose() -> None:
    assert cut(ROWS, 1.0, RANDOM)["text"].to_list() == ["The seller is"] * 4
    assert population(ROWS, 1.0, RANDOM)["type"].to_list() == ["liability", "warranty"]


@pytest.mark.parametrize("damage", [None, concept])
def test_old_clauses_follow_a_new_guideline(damage: Any, tmp_path: Path) -> None:
    ROWS.write_parquet(tmp_path / "rows.parquet")
    rows = damage(ROWS) if damage else ROWS
    (setting,) = write_source(tmp_path, rows, tmp_path / "source")
    path = json.loads(setting.removeprefix("data.source="))
    expected = ["liability", "misc", "warranty", "grant"]
    if damage:
        expected = ["liability", "general", "warranty", "licence"]
    assert pl.read_parquet(path)["type"].to_list() == expected * 2


def test_a_day_is_long_enough_for_an_alarm() -> None:
    assert ContractsParams(name="x").monitor.min_rows <= CLAUSES_A_DAY


def test_requests_have_no_labels() -> None:
    assert requests(ROWS)[0] == {"text": ROWS["text"][0], "clause": 1, "document_id": "terms"}
    assert labels(ROWS)[1] == {"type": "misc"}
