"""The figures and sentences of the report show the numbers that they claim."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from project_package.columns import Columns
from project_package.lifecycle.evaluate import find_challenger
from project_package.lifecycle.project import Project
from project_package.segments.features import INPUTS, TRAITS
from project_package.segments.figures import figures, summary
from project_package.segments.metrics import RESAMPLES

COUNT = 60


def scored(segments: int = 4) -> tuple[Columns, dict[str, Columns]]:
    """Return households of segments in turn, whose spending grows with the segment."""
    random = np.random.default_rng(1)
    segment = np.arange(COUNT) % segments
    rows: dict[str, Any] = {name: random.gamma(2, 2, COUNT) for name in INPUTS}
    rows["spending"] = 10.0**segment + random.random(COUNT)
    rows |= {name: random.integers(1, 6, COUNT).astype(np.float64) for name in TRAITS}
    model = {
        "segment": segment,
        "name": np.array([f"Kind {number}, much food" for number in segment], object),
        "resampled": np.repeat(segment[:, None], RESAMPLES, axis=1),
        "certainty": np.linspace(0.4, 1, COUNT),
    }
    return rows, {"model": model}


def unknown(rows: Columns, *traits: str) -> dict[str, Any]:
    return {**rows, **dict.fromkeys(traits, np.full(COUNT, np.nan))}


def drawn(name: str, rows: Columns, predictions: dict[str, Columns]) -> Any:
    canvas = Canvas()
    axes = canvas.add_subplot()
    next(f for f in figures(rows, predictions) if f.name == name).draw(axes)
    canvas.draw_without_rendering()
    return axes


@pytest.mark.parametrize("segments", [1, 8])
def test_draws_and_describes_any_number_of_segments(segments: int) -> None:
    rows, predictions = scored(segments)
    rows = unknown(rows, *TRAITS)
    for figure in figures(rows, predictions):
        assert figure.title
        assert figure.caption.endswith(".")
        drawn(figure.name, rows, predictions)


def test_profiles_show_size_and_deviations() -> None:
    axes = drawn("profiles", *scored(3))
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [f"Kind {number},\nmuch food\n33%" for number in range(3)]
    column = [text.get_text() for text in axes.texts][INPUTS.index("spending") :: len(INPUTS)]
    assert column == sorted(column, key=float)
    assert np.mean([float(text) for text in column]) == pytest.approx(0, abs=0.1)


def test_map_has_every_household_and_names_its_axes() -> None:
    rows, predictions = scored(6)
    axes = drawn("map", {**rows, "baskets": rows["recency"]}, predictions)
    assert sum(len(cloud.get_offsets()) for cloud in axes.collections) == COUNT
    side, *words = axes.get_xlabel().split()
    assert sorted(words) == sorted(["recency", "and", side, "baskets"])  # of equal weight


def test_traits_show_share_and_p() -> None:
    rows, predictions = scored()
    axes = drawn("traits", {**rows, "income": predictions["model"]["segment"]}, predictions)
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[1] == pytest.approx(1)
    assert widths[-1] == pytest.approx(np.mean(widths[:-1]))
    assert axes.texts[1].get_text() == "  p = 0.001"
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["age", "income", "household size", "children", "all, mean"]


def test_summary_names_the_largest_segment() -> None:
    rows, predictions = scored()
    segment = np.array([2] * 40 + [0] * 20)
    names = np.array(["Small", "", "Large"], object)[segment]
    model = {**predictions["model"], "segment": segment, "name": names}
    assert summary(rows, {"model": model})[0] == (
        "2 segments; the largest, “Large”, holds 67% of the households."
    )


def test_summary_says_whether_segments_are_separate() -> None:
    rows, predictions = scored(2)
    one = summary(rows, predictions)[1]
    assert "agree with these segments to 1.00 (1: the same, 0: chance)" in one
    assert one.endswith("they are regions of one cloud, not separate clouds.")
    apart = {**rows, **dict.fromkeys(INPUTS, 1.0 + 9 * predictions["model"]["segment"])}
    assert summary(apart, predictions)[1].endswith("1.00 of 1: they are separate clouds.")


def test_summary_distinguishes_a_planted_difference_from_chance() -> None:
    rows, predictions = scored()
    assert "That is no evidence against chance (p = 0." in summary(rows, predictions)[2]
    planted = {**rows, "income": predictions["model"]["segment"]}
    sentence = summary(planted, predictions)[2]
    assert "traits of the 60 households" in sentence
    assert "That is more than chance (p = 0.0" in sentence
    assert "income, 100.0% (p = 0.004, corrected for the choice among 4 traits)" in sentence


def test_summary_leaves_out_unknown_traits() -> None:
    rows, predictions = scored()
    income = np.where(np.arange(COUNT) < 20, np.nan, rows["income"])
    sentence = summary({**unknown(rows, "age"), "income": income}, predictions)[2]
    assert "traits of the 40 households" in sentence
    assert "among 3 traits" in sentence
    assert len(summary(unknown(rows, *TRAITS), predictions)) == 2


@pytest.mark.parametrize("use_case", ["segments"], indirect=True, scope="session")
def test_sentences_and_table_have_the_same_scores(project: Project) -> None:
    evaluation = project.registry.evaluation(find_challenger(project))
    page = (project.workspace.reports / "report.html").read_text(encoding="utf-8")
    stable, apart = (evaluation.score(name).model for name in ("stability", "silhouette"))
    assert f"agree with these segments to {stable:.2f}" in page
    assert f"Their silhouette is {apart:.2f}" in page
    assert f">{stable:.3f}<" in page
