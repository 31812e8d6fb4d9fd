"""Report and model card say every number, escape what is hostile, and load nothing."""

from dataclasses import replace
from typing import Any

import pytest

from project_package.bundle import Manifest, Parity
from project_package.contract import About, Figure
from project_package.lifecycle.document import DASH, Document, findings, verdict
from project_package.lifecycle.scoring import Evaluation, Score, Slice
from project_package.lifecycle.report import COLOURS, bars, card, render, svg

HOSTILE = "<script>alert('&')</script>"


def score(name: str = "ap", **changes: Any) -> Score:
    values = {"model": 0.7, "spread": 0.02, "baseline": 0.6, "naive": 0.1, "ceiling": None}
    known = {"label": name.upper(), "higher_is_better": True, "periods": (0.68, 0.72)}
    return Score.model_validate({"name": name, **known, **values, **changes})


def part(name: str, rows: int, *scores: Score | None, **changes: Any) -> Slice:
    known = scores or (score(**changes),)
    return Slice(name=name, rows=rows, scores={s.name if s else "ap": s for s in known})


def document(*scores: Score, slices: tuple[Slice, ...] = ()) -> Document:
    about = About("Title", "Question?", "Use.", "Misuse.", "Data.", ("First limit.", "Second."))
    manifest = Manifest(
        name="demo",
        candidate="trees",
        settings={"depth": 3},
        created="2026-01-02T03:04:05+00:00",
        commit="c0ffee",
        data="d1ge57",
        test="",
    )
    evaluation = Evaluation(rows=1234, goal="ap", scores=scores or (score(),), slices=slices)
    return Document(about, manifest, evaluation, (Figure("one", "One", "A line.", line),))


def line(axes: Any) -> None:
    axes.plot([0, 1], [0, 1], label="<model>")
    axes.legend()


def test_every_number_and_every_word_about_the_model_is_shown() -> None:
    page = render(document(score(ceiling=0.9), score("cost", model=1234.5, spread=10.0)))
    for text in ("Title", "Question?", "Use.", "Misuse.", "Data.", "First limit.", "Second."):
        assert text in page
    for text in ("0.700", "± 0.020", "0.600", "0.100", "0.900", "1,234", "± 10.0", "1,234 test"):
        assert text in page
    for text in ("c0ffee", "d1ge57", "trees", "depth", "2026-01-02 03:04", "A line."):
        assert text in page


def test_hostile_text_is_shown_and_never_run() -> None:
    known = document()
    about = replace(known.about, title=HOSTILE, limits=(HOSTILE,))
    figure = Figure(HOSTILE, HOSTILE, HOSTILE, lambda axes: axes.set_title(HOSTILE))
    slices = (part(HOSTILE, 1),)
    evaluation = known.evaluation.model_copy(update={"slices": slices})
    page = render(Document(about, known.manifest, evaluation, (figure,)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_loads_nothing() -> None:
    page = render(document())
    assert not any(part in page for part in ("http", "<link", "@import", "src=", "url(//"))


def test_the_same_document_gives_the_same_bytes() -> None:
    assert render(document()) == render(document())


def test_what_is_not_defined_is_a_dash() -> None:
    page = render(document(score(), slices=(part("nobody", 5, None),)))
    assert "nan" not in page.lower()
    assert f'<td data-label="Baseline">{DASH}</td>' in page


def test_every_metric_of_every_slice_is_in_the_matrix() -> None:
    both = (score(model=0.61, spread=0.03), score("cost", model=55.5, baseline=44.4, naive=0.0))
    page = render(document(score(), score("cost"), slices=(part("few", 5, *both),)))
    matrix = page[page.index('<table class="matrix">') :]
    for text in ("0.610</span>", "± 0.030", "0.600</span>", "55.5</span>", "44.4</span>"):
        assert text in matrix


def test_only_where_the_baseline_is_better_a_cell_is_shaded() -> None:
    cost = score("cost", model=2.0, baseline=1.0, higher_is_better=False)
    slices = (part("behind", 5, score(model=0.5), cost), part("ahead", 5, score(), None))
    page = render(document(score(), cost, slices=slices))
    assert page.count('<td class="behind">') == 2


def test_parity_is_told_in_words() -> None:
    known = document()
    parity = Parity(rows=20_000, largest_difference=2e-7, changed_decisions=0)
    manifest = known.manifest.model_copy(update={"parity": parity})
    page = render(replace(known, manifest=manifest))
    assert "20,000 rows: the largest difference is 2.0e-07, and no decisions changed" in page


def test_the_verdict_is_as_sure_as_the_numbers() -> None:
    sure = {0.5: "clearly", 0.69: "slightly", 0.7: "no better"}
    for baseline, word in sure.items():
        assert word in verdict(document(score(baseline=baseline)))
    cheaper = score(model=0.4, higher_is_better=False)
    assert "clearly better" in verdict(document(cheaper))


def test_findings_name_what_is_lost_and_what_is_weak() -> None:
    parts = (part("a", 9, model=0.8), part("b", 9, model=0.2), part("c", 9, None))
    said = " ".join(findings(document(score(), score("auc", model=0.5), slices=parts)))
    assert "weakest on “b”: 0.200 on 9 rows" in said


@pytest.mark.parametrize(
    ("model", "baseline", "much"),
    [(0.75, 0.5, "50% better"), (0.4, 0.5, "20% worse"), (0.25, -0.5, "0.750 better"),
     (-0.75, -0.5, "0.250 worse"), (0.25, 0.0, "0.250 better")],
)  # fmt: skip
def test_a_difference_is_a_share_only_of_what_is_above_zero(
    model: float, baseline: float, much: str
) -> None:
    said = " ".join(findings(document(score(model=model, baseline=baseline))))
    assert f"That is {much} than the simple baseline" in said


def test_a_difference_that_is_no_number_is_not_told() -> None:
    assert "That is" not in " ".join(findings(document(score(baseline=float("nan")))))


def test_bars_share_one_scale_from_zero() -> None:
    lengths = bars(score(model=0.4, spread=0.0, baseline=0.8, naive=-0.3))
    assert lengths["baseline"] == 100
    assert lengths["model"] == 50
    assert lengths["naive"] == lengths["ceiling"] == 0


def test_a_figure_takes_the_colours_of_the_page() -> None:
    picture = svg(Figure("one", "A & B", "", line))
    assert picture.startswith("<svg viewBox=")
    assert 'aria-label="A &amp; B"' in picture
    assert "var(--model)" in picture
    assert not any(colour in picture for colour in COLOURS)
    assert "&lt;model&gt;" in picture


HEADINGS = ["Model details", "Intended use", "Out of scope", "Data", "Metrics", "Results", "Slices"]


def carded(title: str = "Title", slices: tuple[Slice, ...] = ()) -> Document:
    plain = document(score(label="AP", ceiling=None), slices=slices)
    parity = Parity(rows=20_000, largest_difference=2e-7, changed_decisions=0)
    return replace(
        plain,
        about=replace(plain.about, title=title),
        manifest=plain.manifest.model_copy(update={"commit": "", "parity": parity}),
        evaluation=plain.evaluation.model_copy(update={"rows": 9}),
    )


def test_the_sections_are_those_of_the_paper_in_order() -> None:
    lines = card(carded()).splitlines()
    titles = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    assert titles == [*HEADINGS, "Limits"]


def test_the_card_is_filled_from_the_run() -> None:
    text = card(carded())
    assert "| AP | 0.700 ± 0.020 | 0.600 | 0.100 | – |" in text  # noqa: RUF001
    for fact in (
        "d1ge57",
        "trees",
        "depth 3",
        "outside a git repository",
        "2.0e-07",
        "- First lim",
    ):
        assert fact in text


def test_the_card_has_every_metric_of_every_slice() -> None:
    scored = part("few", 5, score(), score("cost", model=55.5, spread=1.5, baseline=44.4))
    text = card(document(score(), score("cost"), slices=(scored,)))
    assert "| Slice | Rows | AP | COST |\n| --- | ---: | ---: | ---: |\n" in text
    assert "| few | 5 | 0.700 ± 0.020, 0.600 | 55.5 ± 1.500, 44.4 |" in text


def test_text_stays_in_its_line_and_cell() -> None:
    text = card(
        carded(title="Two\n# lines", slices=(part("a | b\n# <b>", 1), part("few", 5, None)))
    )
    assert text.startswith("# Two # lines\n")
    assert "| a \\| b # &lt;b> | 1 | 0.700 ± 0.020, 0.600 |" in text
    assert f"| few | 5 | {DASH} |" in text
