"""Report and model card show every number, escape hostile text, and load nothing."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from project_package.bundle import Manifest, Parity
from project_package.contract.about import About, Figure
from project_package.lifecycle.gate import Verdict
from project_package.lifecycle.report import (
    COLOURS,
    Document,
    card,
    extent,
    headline,
    picture,
    render,
    svg,
)
from project_package.lifecycle.scores import DASH, Evaluation, Score, Slice

HOSTILE = "<script>alert('&')</script>"
ABOUT = About("Title", "Question?", "Use.", "Misuse.", "Data.", ("First limit.", "Second."))
MANIFEST = Manifest(
    name="demo",
    candidate="trees",
    settings={"depth": 3},
    created="2026-01-02T03:04:05+00:00",
    commit="c0ffee",
    data="d1ge57",
    test="",
    parity=Parity(rows=20_000, largest_difference=2e-7, changed_decisions=0),
)


def score(name: str = "ap", **changes: Any) -> Score:
    values = {"model": 0.7, "spread": 0.02, "baseline": 0.6, "naive": 0.1, "ceiling": None}
    known = {"label": name.upper(), "higher_is_better": True, "periods": (0.68, 0.72)}
    return Score.model_validate({"name": name, **known, **values, **changes})


def part(name: str, rows: int, *scores: Score | None, **changes: Any) -> Slice:
    known = scores or (score(**changes),)
    return Slice(name=name, rows=rows, scores={s.name if s else "ap": s for s in known})


def line(axes: Any) -> None:
    axes.plot([0, 1], [0, 1], label="<model>")
    axes.legend()


def document(*scores: Score, slices: tuple[Slice, ...] = (), about: About = ABOUT) -> Document:
    evaluation = Evaluation(rows=1234, goal="ap", scores=scores or (score(),), slices=slices)
    return Document(about, MANIFEST, evaluation, (Figure("one", "One", "A line.", line),))


def test_report_shows_every_number_and_sentence() -> None:
    page = render(document(score(ceiling=0.9), score("cost", model=1234.5, spread=10.0)))
    for text in ("Title", "Question?", "Use.", "Misuse.", "Data.", "First limit.", "Second."):
        assert text in page
    for text in ("0.700", "± 0.020", "0.600", "0.100", "0.900", "1,234", "± 10</span>"):
        assert text in page
    for text in ("c0ffee", "d1ge57", "trees", "depth", "2026-01-02 03:04", "A line."):
        assert text in page
    assert "20,000 rows: the largest difference is 2.0e-07, and no decisions changed" in page


def test_hostile_text_is_escaped() -> None:
    about = replace(ABOUT, title=HOSTILE, limits=(HOSTILE,))
    figure = Figure(HOSTILE, HOSTILE, HOSTILE, lambda axes: axes.set_title(HOSTILE))
    hostile = document(slices=(part(HOSTILE, 1),), about=about)
    page = render(replace(hostile, figures=(figure,)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_report_is_reproducible_and_loads_nothing() -> None:
    page = render(document(score(), slices=(part("nobody", 5, None),)))
    assert page == render(document(score(), slices=(part("nobody", 5, None),)))
    assert f'<td data-label="Baseline">{DASH}</td>' in page  # where a score is not defined
    assert not any(part in page for part in ("http", "<link", "@import", "src=", "url(//"))


def test_slices_have_every_metric_and_shade_losses() -> None:
    cost = score("cost", model=55.5, baseline=44.4, higher_is_better=False)
    slices = (part("behind", 5, score(model=0.5), cost), part("ahead", 5, score(), None))
    page = render(document(score(), cost, slices=slices))
    matrix = page[page.index('<table class="matrix">') :]
    for text in ("0.500</span>", "± 0.020", "0.600</span>", "55.5</span>", "44.4</span>"):
        assert text in matrix
    assert page.count('<td class="behind">') == 2


def test_columns_of_the_data_are_listed_up_to_forty() -> None:
    columns = {f"c{n}": ("feature", "number", "2.5%", HOSTILE) for n in range(43)}
    page = render(document(about=replace(ABOUT, columns=columns)))
    assert page.count('<td data-label="May be missing">2.5%</td>') == 40
    assert '<th scope="row">c39</th><td data-label="Role">feature</td>' in page
    assert "And 3 more." in page
    assert HOSTILE not in page
    columns = {name: columns[name] for name in ("c1", "c2")}
    assert " more.</p>" not in render(document(about=replace(ABOUT, columns=columns)))
    assert "Columns of the data" not in render(document())


@pytest.mark.parametrize(
    ("baseline", "higher", "word"),
    [(0.5, True, "clearly"), (0.69, True, "slightly"), (0.7, True, "no"), (0.9, False, "clearly")],
)
def test_headline_depends_on_the_spread(baseline: float, higher: bool, word: str) -> None:
    scored = score(baseline=baseline, higher_is_better=higher)
    assert f"{word} better" in headline(document(scored))


@pytest.mark.parametrize("fill", [render, card])
def test_lost_metrics_are_named(fill: Callable[[Document], str]) -> None:
    assert "is better in: AUC." in fill(document(score(), score("auc", model=0.5)))
    assert "is better in" not in fill(document())


def test_headline_names_the_parts_where_it_is_clearly_worse() -> None:
    parts = (part("a", 9, model=0.59), part("b", 9, model=0.2), part("c", 9, None))
    assert headline(document(score(), slices=parts)) == (
        "The model is clearly better than the simple baseline, but clearly worse on “b”."
    )


@pytest.mark.parametrize("baseline", [0.6, 0.8])
@pytest.mark.parametrize(
    ("baseline_cost", "naive_cost", "is_costly"), [(3, 2, True), (2, 3, True), (2.5, 2.5, False)]
)
def test_headline_says_when_decisions_cost_more(
    baseline: float, baseline_cost: float, naive_cost: float, is_costly: bool
) -> None:
    costs = {"higher_is_better": False, "baseline": baseline_cost, "naive": naive_cost}
    scores = (score(n, model=2.5, **costs) for n in ("cost", "calibration"))
    found = headline(document(score(baseline=baseline), *scores))
    assert found.endswith("or without a model cost less.") == is_costly


@pytest.mark.parametrize("fill", [render, card])
def test_first_finding_is_part_of_the_headline(fill: Callable[[Document], str]) -> None:
    text = fill(replace(document(), summary=("It finds 0 of 9.", "A second finding.")))
    assert "better than the simple baseline. It finds 0 of 9." in text
    assert text.count("It finds 0 of 9.") == 1
    assert "A second finding." in text


def test_extent_counts_rows_and_has_their_days() -> None:
    days = np.array(["2024-02-29T10", "2023-12-31T23:59"], "datetime64[ms]").astype(np.int64)
    assert extent({"timestamp": days}, "cats") == "2 cats, from 2023-12-31 to 2024-02-29"
    assert extent({"spent": np.zeros(1234)}, "rows") == "1,234 rows"


@pytest.mark.parametrize("fill", [render, card])
def test_facts_of_test_and_gate_are_in_report_and_card(fill: Callable[[Document], str]) -> None:
    explained = score(meaning="How often it is right.")
    terms = {"night": "after ten", "abroad": "not shown"}
    about = replace(ABOUT, periods="weeks", baselines="A line.", terms=terms)
    tried = document(explained, slices=(part("night", 3),), about=about)
    text = fill(replace(tried, train="9 rows of May", test="3 rows of June"))
    for fact in ("9 rows of May", "3 rows of June", "How often it is right.", "after ten"):
        assert fact in text
    assert "not shown" not in text
    assert "A score is the mean over the 2 weeks of the test" in text
    assert "A line." in text
    assert "Not judged yet" in text
    pooled = tried.evaluation.model_copy(update={"pooled": True})
    rules = (
        Verdict("worst", True, "0.7 of 0.6", "promote.worst"),
        Verdict("size", False, "9 MB of 5 MB", "promote.max_bundle_mb"),
    )
    text = fill(replace(tried, evaluation=pooled, verdicts=rules))
    assert "A score is of all test rows together" in text
    assert "The gate refused the model" in text
    assert "9 MB of 5 MB" in text
    assert "The model passed every rule of the gate" in fill(replace(tried, verdicts=rules[:1]))


def test_bars_share_one_scale_from_zero() -> None:
    page = render(document(score(model=0.4, spread=0.0, baseline=0.8, naive=-0.3)))
    bars = re.findall(r'<rect class="(model|baseline|naive)" width="([\d.]+)%" height="\d+"', page)
    assert bars == [("model", "50.0"), ("baseline", "100.0"), ("naive", "0")] * 2
    assert 'class="ceiling"' not in page
    assert 'class="whisker" x1' not in page


def test_figure_has_the_colours_of_the_page() -> None:
    picture = svg(Figure("one", "A & B", "", line))
    assert picture.startswith("<svg viewBox=")
    assert 'aria-label="A &amp; B"' in picture
    assert "var(--model)" in picture
    assert not any(colour in picture for colour in COLOURS)
    assert "&lt;model&gt;" in picture


def test_names_in_any_script_stay_text_without_a_warning() -> None:
    names = "北京 दिल्ली متوسط 😀"
    drawn = Figure("one", "One", "", lambda axes: axes.set(xlabel=names, ylabel=names))
    assert svg(drawn).count(f">{names}</text>") == 2
    assert picture(drawn).count(f">{names}</text>") == 2


def test_card_has_every_fact_and_score() -> None:
    scored = part("few", 5, score(), score("cost", model=55.5, spread=1.5, baseline=44.4))
    text = card(document(score(), score("cost"), slices=(scored,)))
    for fact in ("d1ge57", "trees", "depth 3", "commit c0ffee", "2.0e-07", "- First limit."):
        assert fact in text
    assert f"| AP | 0.700 ± 0.020 | 0.600 | 0.100 | {DASH} |" in text
    assert "| Slice | Rows | AP | COST |\n| --- | ---: | ---: | ---: |\n" in text
    assert "| few | 5 | 0.700 ± 0.020, 0.600 | 55.5 ± 1.5, 44.4 |" in text


def test_card_escapes_lines_and_cells() -> None:
    slices = (part("a | b\n# <b>", 1), part("few", 5, None))
    text = card(document(slices=slices, about=replace(ABOUT, title="Two\n# lines")))
    assert text.startswith("# Two # lines\n")
    assert "| a \\| b # &lt;b> | 1 | 0.700 ± 0.020, 0.600 |" in text
    assert f"| few | 5 | {DASH} |" in text
