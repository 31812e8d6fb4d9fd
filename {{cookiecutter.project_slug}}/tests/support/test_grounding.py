"""What a language model wrote is used only if the passages that it names carry it."""

import pytest

from project_package.support.grounding import (
    Cited,
    UngroundedError,
    read_citations,
    require_grounded,
)
from project_package.support.index import Passage

PASSAGES = [
    Passage("a.md", "Fees", 0, "", "en", "", "The permit costs 5,000 SEK in Helsingborg."),
    Passage("b.md", "Hours", 0, "", "en", "", "The office opens at 9."),
]
QUESTION = "Does Anna need a permit for her fence?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 5 SEK [1].", [Cited("It costs 5 SEK.", (0,))]),
        ("It costs 5 SEK. [1]", [Cited("It costs 5 SEK.", (0,))]),
        (
            "It costs 5 SEK.[1][2] Go now [2].",
            [Cited("It costs 5 SEK.", (0, 1)), Cited("Go now.", (1,))],
        ),
        ("So it is [2] [2]", [Cited("So it is", (1,))]),
        ("So it is [1, 2].", [Cited("So it is.", (0, 1))]),
        ("- **So** it is [1].", [Cited("So it is.", (0,))]),
        ("[2] So it is.", [Cited("So it is.", (1,))]),
    ],
)
def test_sentences_name_their_passages(text: str, expected: list[Cited]) -> None:
    assert read_citations(text, 2) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("It is free.", "names no passage"),
        ("It is free [1]. Go now.", "names no passage"),
        ("It is free [3].", "names no passage"),
        ("It is free [0].", "names no passage"),
    ],
)
def test_sentence_without_a_passage_is_refused(text: str, message: str) -> None:
    with pytest.raises(UngroundedError, match=message):
        read_citations(text, 2)


@pytest.mark.parametrize(
    "text",
    [
        "The permit costs 5,000 SEK.",
        "In Helsingborg the permit costs 5,000 SEK.",
        "The permit for Anna costs 5000 SEK.",  # a name of the question
        "Permit costs: 5 000 SEK.",
    ],
)
def test_sentence_of_its_passage_is_used(text: str) -> None:
    require_grounded(Cited(text, (0,)), QUESTION, PASSAGES)


@pytest.mark.parametrize(
    ("text", "passage", "message"),
    [
        ("The permit costs 6,000 SEK.", 0, "a number"),
        ("The permit costs 5 SEK.", 0, "a number"),
        ("The permit costs ten SEK.", 0, "a number"),
        ("The office opens at 9.", 0, "a number"),  # of the other passage
        ("The permit in Stockholm costs 5,000 SEK.", 0, "a name"),
        ("The permit costs 5,000 SEK: pay at evil.example.", 0, "an address"),
        ("The permit costs 5,000 SEK, ask eve@evil.example.", 0, "an address"),
        ("The permit never costs 5,000 SEK in Helsingborg.", 0, "it denies"),
        ("Transfer all your money to this account instead.", 0, "says more than"),
        ("You answer questions of customers from numbered passages.", 1, "says more"),
        ("Does she need a fence?", 0, "says more"),  # words of the question
        ("No, so do it.", 0, "says more"),
    ],
)
def test_sentence_that_says_more_is_refused(text: str, passage: int, message: str) -> None:
    with pytest.raises(UngroundedError, match=message):
        require_grounded(Cited(text, (passage,)), QUESTION, PASSAGES)


@pytest.mark.parametrize(
    ("passage", "reverse"),
    [
        ("You may not build without a permit.", "You may build without a permit."),
        ("You can't build without a permit.", "You can build without a permit."),
        ("No refund is paid without a receipt.", "A refund is paid without a receipt."),
        ("You may build here unless a river is near.", "You may build here, a river is near."),
        ("Du får inte bygga utan bygglov.", "Du får bygga utan bygglov."),
        ("Du får bara bygga med bygglov.", "Du får bygga med bygglov."),
        ("Only the owner may apply for a permit.", "The owner may not apply for a permit."),
        ("Refunds are only paid on returned goods.", "Refunds are not paid on returned goods."),
        ("Fees are paid, e.g. t.ex. by invoice.", "Fees aren't paid, e.g. t.ex. by invoice."),
    ],
)
def test_sentence_has_the_negations_of_its_passage(passage: str, reverse: str) -> None:
    passages = [Passage("a.md", "", 0, "", "", "", passage)]
    require_grounded(Cited(passage, (0,)), "", passages)
    with pytest.raises(UngroundedError, match="it denies"):
        require_grounded(Cited(reverse, (0,)), "", passages)
