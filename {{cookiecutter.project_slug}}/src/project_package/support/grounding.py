"""Check what a language model wrote: the passages that a sentence names must support it.

The checks compare words, so a sentence in another language than its passages is never used.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from .index import Passage, words_of
from .sentences import split_sentences

CITED = re.compile(r"\s*\[(\d{1,2}(?:,\s*\d{1,2})*)\]")
MARKUP = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+|[*_`#]", re.MULTILINE)
GROUPED = re.compile(r"(?<=\d)[\s,.](?=\d{3}(?!\d))")  # of thousands
NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
ADDRESS = re.compile(r"\b[\w-]+(?:[.@][\w-]+)*[.@][a-z]{2,}\b")  # of a page or of mail
LEAST = 0.6  # share of a sentence's longer words that its passages have
LONG = 4  # letters of such a word
NEGATIONS = {
    *(
        "no",
        "not",
        "never",
        "none",
        "nothing",
        "nobody",
        "neither",
        "nor",
        "without",
        "cannot",
        "t",
    ),
    *("nej", "inte", "icke", "ej", "aldrig", "ingen", "inget", "inga", "utan", "varken"),
}
"""Words that deny; `t` is that of don't, isn't and the like."""
COUNTS = {
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty"),
    *("thirty", "hundred", "thousand", "half", "double"),
    *("två", "tre", "fyra", "fem", "sex", "sju", "åtta", "nio", "tio", "tolv", "tjugo"),
    *("trettio", "hundra", "tusen", "halv", "dubbel"),
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
        UngroundedError: there is no sentence, or one names no passage among so many.
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


def require_grounded(sentence: Cited, question: str, passages: Sequence[Passage]) -> None:
    """Raise UngroundedError for what the passages of a sentence do not say.

    These are numbers, names, addresses, a negation, and too many other words. Names, and nothing
    else, may come from the question.
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
    if sum(word in known for word in longer) < LEAST * len(longer) or not longer:
        raise UngroundedError("it says more than the cited passages")
    nearest = max(
        (one for text in sources for one in split_sentences(text)),
        key=lambda one: len(said & {*words_of(one)}),
    )
    if bool(said & NEGATIONS) != bool({*words_of(nearest)} & NEGATIONS):
        raise UngroundedError("it denies what a cited passage says, or the reverse")


def numbers_of(text: str) -> list[str]:
    """Return the numbers of a text, without separators of thousands, with a decimal point."""
    return [number.replace(",", ".") for number in NUMBER.findall(GROUPED.sub("", text))]
