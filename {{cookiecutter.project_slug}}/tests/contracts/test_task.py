"""Requests become rows, answers name the words that moved them, and what is watched."""

import numpy as np
import pytest

from project_package.columns import Columns
from project_package.contracts.classify_and_explain import (
    PARTS,
    ClauseModel,
    Details,
)
from project_package.contracts.schemas import ContractsRequest, ContractsResponse
from project_package.contracts.task import (
    instances,
    monitored,
    to_responses,
    to_rows,
)


class Notices:
    """A graph that answers `misc` where the text has the word."""

    def __init__(self, word: str = "notices") -> None:
        self.word = word

    def predict(self, rows: Columns) -> Columns:
        found = np.array([0.9 if self.word in text else 0.2 for text in rows["text"]])
        return {"probabilities": np.column_stack([1 - found, found])}


DETAILS = Details(types=("grant", "misc"), threshold=0.85)
MODEL = ClauseModel((Notices(),), DETAILS)


def answers(*requests: ContractsRequest) -> list[ContractsResponse]:
    rows = to_rows(requests)
    return to_responses(rows, MODEL.predict(rows))


def test_clause_is_accepted_from_the_threshold_on() -> None:
    first = ContractsRequest(text="All notices are by mail.", clause=3, page=2, heading="Mail")
    found = answers(first, ContractsRequest(text="You may copy it."))
    assert [(one.type, one.decision) for one in found] == [
        ("misc", "accept"),
        ("grant", "review"),
    ]
    assert found[0].confidence == pytest.approx(0.9)
    assert [found[0].clause, found[0].page, found[0].heading] == [3, 2, "Mail"]


@pytest.mark.parametrize("length", [1, 10, 10 * PARTS])
def test_words_that_moved_the_answer_are_named(length: int) -> None:
    text = f"{'word ' * (length - 1)}notices{' word' * length}"
    request = ContractsRequest(text=text)
    plain, explained = answers(request, request.model_copy(update={"explain": True}))
    (words,) = explained.words
    assert "notices" in text[words.start : words.end]
    assert words.effect == pytest.approx(np.log(9) + np.log(4), abs=1e-3)
    assert plain.words == []


def test_text_without_words_has_none_to_name() -> None:
    (answer,) = answers(ContractsRequest(text="\u001c", explain=True))
    assert answer.words == []


def test_graphs_are_averaged() -> None:
    both = ClauseModel((Notices(), Notices("mail")), DETAILS)
    rows = to_rows([ContractsRequest(text="by mail"), ContractsRequest(text="notices by mail")])
    assert both.predict(rows)["probabilities"][:, 1] == pytest.approx([0.55, 0.9])
    assert len(both.predict({"text": rows["text"][:0]})["type"]) == 0
    assert [*both.steps(rows)][-1] == "decision"


def test_temperature_moves_confidence_only() -> None:
    probabilities = np.array([[0.2, 0.8]])
    found = Details(types=("grant", "misc"), temperature=2).decide(probabilities)
    assert found["type"].tolist() == ["misc"]
    assert found["confidence"] == pytest.approx(2 / 3)  # the odds of 4 have the root 2


def test_length_type_and_confidence_are_watched() -> None:
    rows = to_rows([ContractsRequest(text="All  notices")])
    found = monitored(rows, MODEL.predict(rows))
    assert (found["words"][0], found["word_length"][0], found["type"][0]) == (2, 5, "misc")
    assert found["confidence"][0] == pytest.approx(0.9)


def test_document_has_an_instance_for_each_clause() -> None:
    found = instances(b"1. Notices. By mail.\n2. Scope. All of it.\n")
    assert [(one["clause"], one["heading"], one["text"]) for one in found] == [
        (1, "Notices", "By mail."),
        (2, "Scope", "All of it."),
    ]
    with pytest.raises(ValueError, match="has more than 250 clauses"):
        instances(b"1. Notices. By mail.\n" * 251)
