from project_package.bundle import Manifest, Parity
from project_package.contract import About
from project_package.lifecycle.card import card
from project_package.lifecycle.document import DASH, Document
from project_package.lifecycle.evaluation import Evaluation, Score, SliceScore

HEADINGS = ["Model details", "Intended use", "Out of scope", "Data", "Metrics", "Results", "Slices"]


def document(title: str = "Title", slices: tuple[SliceScore, ...] = ()) -> Document:
    score = Score(
        name="ap",
        label="AP",
        higher_is_better=True,
        model=0.7,
        spread=0.02,
        periods=(0.68, 0.72),
        baseline=0.6,
        naive=0.1,
        ceiling=None,
    )
    manifest = Manifest(
        name="demo",
        candidate="trees",
        settings={"depth": 3},
        created="2026-01-02T03:04:05+00:00",
        commit="",
        data="d1ge57",
        parity=Parity(rows=20_000, largest_difference=2e-7, changed_decisions=0),
    )
    about = About(title, "Question?", "Use.", "Misuse.", "Data.", ("First limit.",))
    return Document(
        about, manifest, Evaluation(rows=9, goal="ap", scores=(score,), slices=slices), ()
    )


def test_the_sections_are_those_of_the_paper_in_order() -> None:
    lines = card(document()).splitlines()
    titles = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    assert titles == [*HEADINGS, "Limits"]


def test_the_card_is_filled_from_the_run() -> None:
    text = card(document())
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


def test_a_slice_without_a_score_has_a_dash() -> None:
    text = card(document(slices=(SliceScore(name="few", rows=5, model=None, baseline=0.5),)))
    assert f"| few | 5 | {DASH} | 0.500 |" in text


def test_text_stays_in_its_line_and_cell() -> None:
    hostile = SliceScore(name="a | b\n# <b>", rows=1, model=0.1, baseline=0.1)
    text = card(document(title="Two\n# lines", slices=(hostile,)))
    assert text.startswith("# Two # lines\n")
    assert "| a \\| b # &lt;b> | 1 | 0.100 | 0.100 |" in text
