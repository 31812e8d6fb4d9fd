from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from project_package.contract import Columns
from project_package.fraud.features import DESCRIPTIONS, INPUTS
from project_package.fraud.report import (
    figures,
    reliability,
)
from project_package.features.windows import MILLISECONDS_A_DAY

NAMES = ["precision_recall", "cost", "calibration", "features"]


def scored(rows: int = 2000) -> tuple[Columns, dict[str, Columns]]:
    random = np.random.default_rng(1)
    labels = random.random(rows) < 0.1
    score = np.clip(0.4 * labels + 0.5 * random.random(rows), 0, 1).astype(np.float32)
    times = np.sort(random.integers(0, 28 * MILLISECONDS_A_DAY, rows))
    moves = random.normal(size=(rows, len(INPUTS))).astype(np.float32)
    moves[:, INPUTS.index("terminal_risk_7d")] = 9
    model = {"score": score, "decision": score >= 0.45, "contributions": moves}
    rival = {"score": random.random(rows).astype(np.float32), "decision": score < 0}
    amount = random.gamma(2, 40, rows)
    paid = {"is_fraud": labels, "amount": amount, "timestamp": times}
    predictions: dict[str, Columns] = {"model": model, "baseline": rival, "naive": rival}
    return {**paid, "review_cost": np.full(rows, 10.0)}, predictions


def drawn(name: str, rows: Columns, predictions: dict[str, Columns]) -> Any:
    axes = Canvas().add_subplot()
    next(f for f in figures(rows, predictions) if f.name == name).draw(axes)
    return axes


def lines(axes: Any) -> dict[str, NDArray[Any]]:
    return {line.get_label(): line.get_ydata() for line in axes.get_lines()}


def test_there_is_a_picture_of_everything_a_report_needs() -> None:
    found = figures(*scored())
    assert [figure.name for figure in found] == NAMES
    assert all(figure.title and figure.caption.endswith(".") for figure in found)


@pytest.mark.parametrize("name", NAMES)
def test_a_test_without_fraud_or_alarm_can_be_drawn(name: str) -> None:
    rows, predictions = scored(50)
    quiet = {**rows, "is_fraud": np.zeros(50, dtype=np.bool_)}
    model = {**predictions["model"], "decision": np.zeros(50, dtype=np.bool_)}
    drawn(name, quiet, {**predictions, "model": model})


def test_a_score_that_is_a_probability_lies_on_the_diagonal() -> None:
    random = np.random.default_rng(1)
    score = random.beta(0.2, 5, 200_000)
    mean, share = reliability(random.random(200_000) < score, score)
    high = mean > 0.01
    assert high.sum() > 4
    assert share[high] == pytest.approx(mean[high], rel=0.25)


def test_the_strongest_feature_is_on_top_in_words() -> None:
    axes = drawn("features", *scored())
    words = [text.get_text() for text in axes.texts]
    assert len(words) == 12
    assert words[-1] == DESCRIPTIONS["terminal_risk_7d"]


def test_the_caption_counts_what_is_found() -> None:
    rows, predictions = scored()
    decision = predictions["model"]["decision"]
    hits = np.sum(decision & rows["is_fraud"])
    caption = figures(rows, predictions)[0].caption
    assert f"finds {hits:,} of {rows['is_fraud'].sum():,} frauds" in caption
