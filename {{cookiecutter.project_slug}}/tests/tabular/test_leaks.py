"""`ml schema` asks about columns that explain the target too well, and not about ordinary ones."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

from project_package.data.profile import Profile
from project_package.tabular.params import TabularData
from project_package.tabular.schema_file import SchemaOptions, look

COUNT = 1500
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(COUNT, 4))
STRENGTH = X @ [1, 0.8, 0.5, 0.3] + RANDOM.normal(size=COUNT)
Y = STRENGTH > 1.2
FOUND = Y & (RANDOM.random(COUNT) < 0.9)
LEVEL = np.digitize(STRENGTH, [-1, 1])
NOISE = RANDOM.normal(size=COUNT)
PLAIN = {f"x{number}": X[:, number] for number in range(4)}


def proposed(root: Path, columns: Mapping[str, Iterable[Any]], target: str = "y") -> Profile:
    """Return what `ml schema` finds in a table."""
    source = str(root / "own.csv")
    pl.DataFrame({name: [*values] for name, values in columns.items()}).write_csv(source)
    data = TabularData(source=source, target=target)
    return look(data, SchemaOptions(source, target, {}, {}))


def asked(found: Profile) -> list[str]:
    """Return the columns about which people are asked."""
    return [text.split(" alone ")[0] for text in found.warnings if " alone explains " in text]


@pytest.mark.parametrize(
    ("target", "leaks"),
    [
        (Y, {"refund": np.where(FOUND, RANDOM.uniform(5, 90, COUNT), 0)}),
        (Y, {"refund": np.where(FOUND, 20.5, 0), "reason": np.where(FOUND, "late", "none")}),
        (Y, {"later": Y + 0.3 * NOISE}),
        (STRENGTH, {"later": STRENGTH + 0.2 * STRENGTH.std() * NOISE}),
        (LEVEL, {"stage": np.where(RANDOM.random(COUNT) < 0.9, LEVEL, 0)}),
    ],
)
def test_asks_about_columns_that_beat_all_others(
    target: Any, leaks: dict[str, Any], tmp_path: Path
) -> None:
    found = proposed(tmp_path, {**PLAIN, **leaks, "y": target})
    assert {*asked(found)} == {*leaks}
    assert not found.schema.of_role("outcome")


def test_copies_of_the_target_become_outcomes(tmp_path: Path) -> None:
    copies = {f"copy{n}": np.round(30 * STRENGTH + 5 * n) for n in range(7)}
    found = proposed(tmp_path, {**PLAIN, **copies, "y": STRENGTH})
    assert found.schema.of_role("outcome") == (*copies,)
    alone = proposed(tmp_path, {"copy": 2 * STRENGTH, "y": STRENGTH})
    assert alone.schema.of_role("outcome") == ("copy",)


def test_question_has_the_shares_and_what_to_do(tmp_path: Path) -> None:
    found = proposed(tmp_path, {**PLAIN, "refund": np.where(FOUND, 20.5, 0), "y": Y})
    (question,) = (text for text in found.warnings if text.startswith("refund"))
    assert question.startswith("refund alone explains 8")
    assert question.endswith("if it is not known before the target, add --outcome for it")
    assert found.schema.columns["refund"].role == "feature"


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "diabetes", "iris"])
def test_does_not_ask_about_well_known_tables(name: str, tmp_path: Path) -> None:
    data = getattr(datasets, f"load_{name}")(as_frame=True).frame
    found = proposed(tmp_path, dict(data), "target")
    assert not asked(found)
    assert not found.schema.of_role("outcome")


@pytest.mark.parametrize(
    "columns",
    [
        {**PLAIN, "y": Y},
        {**PLAIN, "y": 3 * STRENGTH},
        {**PLAIN, "copy": 2 * X[:, 0] + 0.1 * NOISE, "y": X[:, 0] + 0.5 * X[:, 1]},
    ],
)
def test_does_not_ask_about_strong_features(columns: dict[str, Any], tmp_path: Path) -> None:
    assert not asked(proposed(tmp_path, columns))
