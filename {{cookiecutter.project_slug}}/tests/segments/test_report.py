"""The pictures show what they say, whatever is known and however many segments there are."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from project_package.contract import Columns
from project_package.segments.metrics import RESAMPLES
from project_package.segments.features import INPUTS, TRAITS
from project_package.segments.report import figures, words

NAMES = ["profiles", "map", "certainty", "traits"]
COUNT = 60


def scored(segments: int = 4, empty: int = 0) -> tuple[Columns, dict[str, Columns]]:
    """Give households in segments one after another, and `empty` ones more of nobody."""
    random = np.random.default_rng(1)
    segment = np.arange(COUNT) % segments
    rows: dict[str, Any] = {name: random.gamma(2, 2, COUNT) for name in INPUTS}
    rows["spending"] = 10.0**segment + random.random(COUNT)
    rows |= {name: random.integers(1, 6, COUNT).astype(np.float64) for name in TRAITS}
    model = {
        "segment": segment,
        "name": np.array([f"Kind {number}, much food" for number in segment]),
        "distances": random.random((COUNT, segments + empty)),
        "resampled": np.repeat(segment[:, None], RESAMPLES, axis=1),
        "certainty": np.linspace(0.4, 1, COUNT),
    }
    rival = {"segment": segment, "resampled": model["resampled"]}
    return rows, {"model": model, "baseline": rival, "naive": rival}


def unknown(rows: Columns, *traits: str) -> dict[str, Any]:
    return {**rows, **dict.fromkeys(traits, np.full(COUNT, np.nan))}


def drawn(name: str, rows: Columns, predictions: dict[str, Columns]) -> Any:
    canvas = Canvas()
    axes = canvas.add_subplot()
    next(f for f in figures(rows, predictions) if f.name == name).draw(axes)
    canvas.draw_without_rendering()
    return axes


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_there_is_a_picture_of_everything_a_report_needs() -> None:
    found = figures(*scored())
    assert [figure.name for figure in found] == NAMES
    assert all(figure.title and figure.caption.endswith(".") for figure in found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("segments", "empty"), [(1, 0), (2, 3), (8, 0)])
def test_any_number_of_segments_can_be_drawn(name: str, segments: int, empty: int) -> None:
    drawn(name, *scored(segments, empty))


@pytest.mark.parametrize("name", NAMES)
def test_households_of_whom_nothing_is_known_can_be_drawn(name: str) -> None:
    rows, predictions = scored()
    drawn(name, unknown(rows, *TRAITS), predictions)


def test_a_profile_shows_each_segment_that_there_are_households_of() -> None:
    axes = drawn("profiles", *scored(3, 2))
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [f"Kind {number},\nmuch food\n33%" for number in range(3)]
    assert len(axes.texts) == 3 * len(INPUTS)
    column = texts(axes)[INPUTS.index("spending") :: len(INPUTS)]
    assert column == sorted(column, key=float)
    assert np.mean([float(text) for text in column]) == pytest.approx(0, abs=0.1)


def test_the_map_has_every_household_and_a_mark_of_its_own_for_each_of_six() -> None:
    axes = drawn("map", *scored(6))
    clouds = axes.collections
    assert sum(len(cloud.get_offsets()) for cloud in clouds) == COUNT
    looks = {
        (len(c.get_paths()[0].vertices), *c.get_edgecolor()[0], len(c.get_facecolor()))
        for c in clouds
    }
    assert len(looks) == 6


def test_an_axis_of_the_map_is_named_after_what_weighs_most_in_it() -> None:
    rows, predictions = scored()
    axes = drawn("map", {**rows, "baskets": rows["recency"]}, predictions)
    side, *words = axes.get_xlabel().split()
    assert side in ("more", "less")
    assert sorted(words) == sorted(["recency", "and", side, "baskets"])  # they weigh alike


def test_certainty_falls_from_the_surest_household_to_the_least_sure() -> None:
    (line,) = drawn("certainty", *scored()).get_lines()
    assert line.get_ydata() == pytest.approx(np.linspace(1, 0.4, COUNT))


def test_traits_show_the_share_and_the_p_of_each() -> None:
    rows, predictions = scored()
    told = {**rows, "income": 1.0 + predictions["model"]["segment"]}
    axes = drawn("traits", told, predictions)
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[1] == pytest.approx(1)
    assert widths[-1] == pytest.approx(np.mean(widths[:-1]))
    assert texts(axes)[1] == "  p = 0.001"
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["age", "income", "household size", "children", "all, mean"]


def test_the_words_count_segments_and_name_the_largest() -> None:
    rows, predictions = scored(4, 2)
    segment = np.array([2] * 40 + [0] * 20)
    names = np.array(["", "", "Large"])[segment]
    predictions["model"] = {**predictions["model"], "segment": segment, "name": names}
    assert words(rows, predictions)[0] == (
        "2 segments; the largest, “Large”, holds 67% of the households."
    )


def test_the_words_say_whether_segments_are_clouds_apart() -> None:
    rows, predictions = scored(2)
    one = words(rows, predictions)[1]
    assert "agree to 1.00 (1 is the same, 0 is chance)" in one
    assert one.endswith("they are regions of one cloud, not separate clouds.")
    kinds = predictions["model"]["segment"]
    two = words({**rows, **dict.fromkeys(INPUTS, 1.0 + 9 * kinds)}, predictions)[1]
    assert two.endswith("how far apart segments are is 1.00 of 1: they are clouds apart.")


def test_the_words_tell_a_planted_difference_from_chance() -> None:
    rows, predictions = scored()
    assert "comes by chance often enough (p = 0." in words(rows, predictions)[2]
    told = {**rows, "income": 1.0 + predictions["model"]["segment"]}
    said = words(told, predictions)[2]
    assert said.startswith("On the 60 households whose traits are known")
    assert "comes so seldom by chance (p = 0.0" in said
    assert "Of income, the one of 4 that they tell most about, they explain 100.0%" in said


def test_the_words_count_households_of_which_all_is_known() -> None:
    rows, predictions = scored()
    income = np.where(np.arange(COUNT) < 20, np.nan, rows["income"])
    said = words({**unknown(rows, "age"), "income": income}, predictions)[2]
    assert said.startswith("On the 40 households")
    assert "the one of 3" in said
    assert len(words(unknown(rows, *TRAITS), predictions)) == 2
