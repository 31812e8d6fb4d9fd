"""The figures of the report and their captions."""

import re
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from project_package.columns import Columns
from project_package.fraud.features import DESCRIPTIONS, INPUTS
from project_package.fraud.figures import figures, summary
from project_package.lifecycle.evaluate import find_challenger
from project_package.lifecycle.project import Project
from project_package.lifecycle.report import svg


def scored(rows: int = 2000) -> tuple[Columns, dict[str, Columns]]:
    random = np.random.default_rng(1)
    labels = random.random(rows) < 0.1
    score = np.clip(0.4 * labels + 0.5 * random.random(rows), 0, 1).astype(np.float32)
    moved = random.normal(size=(rows, len(INPUTS))).astype(np.float32)
    moved[:, INPUTS.index("terminal_risk_7d")] = np.where(score >= 0.45, 9, 0)
    model = {"score": score, "decision": score >= 0.45, "effects": moved}
    other = {"score": random.random(rows).astype(np.float32), "decision": score < 0}
    paid = {"is_fraud": labels, "amount": random.gamma(2, 40, rows)}
    names = {"customer_id": labels, "terminal_id": labels}
    counts = dict.fromkeys(("customer_count_30d", "terminal_count_30d"), np.zeros(rows))
    predictions: dict[str, Columns] = {"model": model, "baseline": other, "naive": other}
    day = np.arange(rows) * 28 // rows
    costs = {"day": day, "review_cost": np.full(rows, 10.0), "unlabelled": np.zeros(rows, int)}
    return {**paid, **costs, **names, **counts}, predictions


@pytest.mark.filterwarnings("ignore:No positive class found:UserWarning")
def test_draws_and_describes_a_test_without_frauds_or_alarms() -> None:
    rows, predictions = scored(50)
    quiet = {**rows, "is_fraud": np.zeros(50, dtype=np.bool_)}
    model = {**predictions["model"], "decision": np.zeros(50, dtype=np.bool_)}
    found = figures(quiet, {**predictions, "model": model})
    assert [figure.name for figure in found] == [
        *("precision_recall", "cost", "calibration", "features")
    ]
    for figure in found:
        figure.draw(Canvas().add_subplot())
        assert figure.title
        assert figure.caption.endswith(".")


def test_labels_of_axes_are_plain_numbers() -> None:
    pages = [svg(figure) for figure in figures(*scored())]
    assert not any("mathdefault" in page for page in pages)
    assert "0.001" in re.sub(r"<[^>]*>", "", pages[1])


def test_strongest_feature_of_flagged_payments_is_on_top() -> None:
    axes: Any = Canvas().add_subplot()
    figures(*scored())[-1].draw(axes)
    texts = [text.get_text() for text in axes.texts]
    assert len(texts) == len(INPUTS)
    assert texts[-1] == DESCRIPTIONS["terminal_risk_7d"]


@pytest.mark.parametrize("use_case", ["fraud"], indirect=True, scope="session")
def test_legend_and_table_have_the_same_precision(project: Project) -> None:
    ap = project.registry.evaluation(find_challenger(project)).score("average_precision")
    page = (project.workspace.reports / "report.html").read_text(encoding="utf-8")
    for name, value in (("model", ap.model), ("simple baseline", ap.baseline)):
        assert f">{name}, AP {value:.3f}<" in page
        assert f">{value:.3f}<" in page
    assert f"A score is the mean over the {len(ap.periods)} weeks of the test" in page


def test_caption_and_summary_count_frauds_and_alarms() -> None:
    rows, predictions = scored()
    decision = predictions["model"]["decision"]
    frauds = rows["is_fraud"].sum()
    hits = np.sum(decision & rows["is_fraud"])
    alarms = decision.sum()
    caption = figures(rows, predictions)[0].caption
    assert f"finds {hits:,} of {frauds:,} frauds with {alarms:,}" in caption
    assert f"finds {hits:,} with {alarms:,} alarms" in summary(rows, predictions)[0]


def test_summary_counts_payments_without_a_label() -> None:
    rows, predictions = scored(100)
    said = summary({**rows, "unlabelled": np.full(100, 1_234)}, predictions)
    assert said[1:] == ("1,234 more payments have no label: only features count them.",)


def test_summary_names_busy_terminals_but_no_cards() -> None:
    rows, predictions = scored(100)
    assert len(summary(rows, predictions)) == 1
    names = np.array([f"N{n % 5}" for n in range(100)], object)
    count = np.where(names == "N0", 100.0, 2_000.0)
    busy = {"customer_id": names, "customer_count_30d": count}
    busy |= {"terminal_id": names, "terminal_count_30d": count}
    assert summary({**rows, **busy}, predictions)[1:] == (
        "Of 4 cards features count the last 2,000 payments only.",
        "Of 4 terminals (N1, N2, N3, ...) features count the last 2,000 payments only.",
    )
