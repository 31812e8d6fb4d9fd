"""Check what a language model wrote: the passages that a sentence names must support it.

The checks compare words, so a sentence in another language than its passages is never used.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from .index import Passage, words_of
from .sentences import split_sentences

CITED = re.compile(r"\s*\[(\d{1,2}(?:,\s*\d{1,2})*)\]")
MARKUP = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+|[*_`#]", re.MULTILINE)
GROUPED = re.compile(r"(?<=\d)[\s,.](?=\d{3}(?!\d))")  # of thousands
NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
ADDRESS = re.compile(r"\b[\w-]+(?:[.@][\w-]+)*[.@][a-z]{2,}\b")  # of a page or of mail
MIN_SHARED_WORDS = 0.6  # share of a sentence's longer words that its passages have
LONG = 4  # letters of such a word
NEGATIONS = {
    *words_of("no not never none nothing nobody neither nor without cannot hardly"),
    *words_of("nej inte icke ej aldrig ingen inget inga utan varken knappt"),
}
CONTRACTED = re.compile(r"n['’]t\b")  # noqa: RUF001  as in don't
LIMITS = {*words_of("only unless except bara endast utom")}
"""Words that limit what a sentence says."""
COUNTS = {
    *words_of("two three four five six seven eight nine ten twelve twenty thirty hundred thousand"),
    *words_of("half double två tre fyra fem sex sju åtta nio tio tolv"),  # codespell:ignore
    *words_of("tjugo trettio hundra tusen halv dubbel"),
}
"""Numbers in words."""


class Cited(NamedTuple):
    """A sentence, and the indices of the passages that it names."""

    text: str
    passages: tuple[int, ...]


class UngroundedError(Exception):
    """A sentence that no passage supports; the message is the kind of fault, without texts."""


def read_citations(text: str, count: int) -> list[Cited]:
    """Return the sentences of an answer with their citations, such as `[1]`, from 1.

    Raises:
        UngroundedError: there is no sentence, or one names a passage that does not exist.
    """
    plain = MARKUP.sub("", text)
    # Citations move before the end of their sentence.
    moved = re.sub(r"([.!?])((?:\s*\[[\d,\s]+\])+)", r"\2\1", plain)
    sentences = []
    for sentence in split_sentences(moved):
        found = ",".join(CITED.findall(sentence)).split(",")
        numbers = [int(number) - 1 for number in found if number.strip()]
        if not numbers or max(numbers) >= count or min(numbers) < 0:
            raise UngroundedError("a sentence names no passage")
        sentences.append(Cited(CITED.sub("", sentence).strip(), tuple(dict.fromkeys(numbers))))
    if not sentences:
        raise UngroundedError("it is empty")
    return sentences


def require_quoted(sentence: Cited, passages: Sequence[Passage]) -> None:
    """Raise UngroundedError unless a passage has a sentence word for word."""
    texts = (" ".join(passages[n].text.split()) for n in sentence.passages)
    if not any(sentence.text in text for text in texts):
        raise UngroundedError("no cited passage has it word for word")


def require_grounded(sentence: Cited, question: str, passages: Sequence[Passage]) -> None:
    """Raise UngroundedError for what the passages of a sentence do not say.

    These are numbers, names, addresses, and too many other words; and more or fewer negations, or
    words that limit, than the most similar sentence has. Names, and nothing else, may come from the
    question.
    """
    sources = [f"{passages[n].title}. {passages[n].text}" for n in sentence.passages]
    source = "\n".join(sources)
    said = {*words_of(sentence.text)}
    known = {*words_of(source)}
    if not {*numbers_of(sentence.text)} <= {*numbers_of(source)} or (said & COUNTS) - known:
        raise UngroundedError("it has a number that no cited passage has")
    if not {*ADDRESS.findall(sentence.text.lower())} <= {*ADDRESS.findall(source.lower())}:
        raise UngroundedError("it has an address that no cited passage has")
    _, *others = re.findall(r"\w[\w-]*", sentence.text) or [""]
    names = {word for name in others if name[0].isupper() for word in words_of(name)}
    if not names <= known | {*words_of(question)}:
        raise UngroundedError("it has a name that no cited passage has")
    longer = [word for word in said - names if len(word) >= LONG and not word.isdigit()]
    if sum(word in known for word in longer) < MIN_SHARED_WORDS * len(longer) or not longer:
        raise UngroundedError("it says more than the cited passages")
    nearest = max(
        (part for text in sources for part in split_sentences(text)),
        key=lambda part: len(said & {*words_of(part)}),
    )
    if any(count(words, sentence.text) != count(words, nearest) for words in (NEGATIONS, LIMITS)):
        raise UngroundedError("it denies what a cited passage says, or the reverse")


def count(words: Collection[str], text: str) -> int:
    """Count words in a text; n't is the word not."""
    found = re.findall(r"\w+", CONTRACTED.sub(" not", text.lower()))
    return sum(word in words for word in found)


def numbers_of(text: str) -> list[str]:
    """Return the numbers of a text, without separators of thousands, with a decimal point."""
    return [number.replace(",", ".") for number in NUMBER.findall(GROUPED.sub("", text))]
