"""A question is answered in the sentences of a document, or refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.encoders import WordEncoder

from project_package.support.answer import AnswerModel, Details
from project_package.support.index import Passage, write_index
from project_package.support.retrieve import SIGNALS
from project_package.support.task import model_of

LONG = "A hedge is green. It grows. The fence may be high. The hedge too. Ask the roof. Go."
PASSAGES = [
    Passage("garden.md", "Gardens", 2, "", "en", "garden", LONG),
    Passage("money.md", "Prices", 0, "", "en", "money", "The price is 5 SEK. Pay it."),
]
ROWS = {"question": np.array(["fence", "price"], object)}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., AnswerModel]:
    """Return what makes a model with details."""
    encoder = WordEncoder()
    vectors = [encoder.embed([passage.text]) for passage in PASSAGES]
    write_index(tmp_path / "index", PASSAGES, vectors)
    defaults = Details(tokens=9, dense=1, words=1, passages=5, sentences=2)
    return lambda **values: model_of(
        encoder, tmp_path / "index", defaults.model_copy(update=values)
    )


def test_answer_is_of_the_nearest_sentences(make: Callable[..., AnswerModel]) -> None:
    answers = make().predict(ROWS)["answer"].tolist()
    assert answers == ["The fence may be high.\nThe hedge too.", "The price is 5 SEK.\nPay it."]
    (short, _) = make(sentences=1).predict(ROWS)["answer"]
    assert short == "A hedge is green."  # the first of equal ones


def test_nothing_is_answered_below_the_threshold(make: Callable[..., AnswerModel]) -> None:
    similarity = [1.0 if name == "similarity" else 0.0 for name in SIGNALS]
    model = make(weights=tuple(similarity), threshold=1.0)
    predicted = model.predict(ROWS)
    assert predicted["refused"].all()
    assert predicted["answer"].tolist() == ["", ""]
    assert predicted["document"][:, 0].tolist() == ["garden.md", "money.md"]  # still shown
    answered = make(weights=tuple(similarity), threshold=0.5).predict(ROWS)
    assert not answered["refused"].any()


def test_confidence_grows_with_its_signals() -> None:
    details = Details(tokens=9, dense=1, words=1, passages=5, sentences=2, weights=(2, 0, -1))
    signals = np.array([[0, 9, 0], [1, 0, 0], [1, 0, 1]], np.float64)
    np.testing.assert_allclose(details.confidence(signals), [0.5, 0.8808, 0.7311], atol=1e-4)


def test_few_documents_are_all_returned(make: Callable[..., AnswerModel]) -> None:
    predicted = make().predict(ROWS)
    assert predicted["document"].shape == predicted["similarity"].shape == (2, 2)
    assert predicted["page"].tolist() == [[2, 0], [0, 2]]


def test_documents_with_several_passages_are_returned_once(tmp_path: Path) -> None:
    encoder = WordEncoder()
    passages = [replace(PASSAGES[0], text=text) for text in ("The roof.", "The price.", "A fence.")]
    passages = [replace(one, questions=("hedge",)) for one in passages]
    vectors = [encoder.embed([one.text, *one.questions]) for one in passages]
    write_index(tmp_path / "index", passages, vectors)
    details = Details(tokens=9, dense=1, words=0, passages=5, sentences=2)
    predicted = model_of(encoder, tmp_path / "index", details).predict(ROWS)
    assert predicted["document"].tolist() == [["garden.md"], ["garden.md"]]
    assert predicted["answer"].tolist() == ["A fence.", "The price."]  # not that of the first


def test_no_rows_have_no_answers(make: Callable[..., AnswerModel]) -> None:
    predicted = make().predict({"question": np.array([], object)})
    assert {len(values) for values in predicted.values()} == {0}


def test_steps_name_the_signals(make: Callable[..., AnswerModel]) -> None:
    steps = make(threshold=0.4).steps(ROWS)
    assert [*steps] == ["found", "signals", "decision"]
    assert [*steps["signals"]] == [*SIGNALS]
    assert steps["decision"]["threshold"].tolist() == [0.4, 0.4]
