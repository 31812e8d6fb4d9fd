"""The words of a text, alike in training, in a file and in a request."""

import re
import unicodedata

WORD = re.compile(r"[\u3040-\u9fff]|[^\s\u3040-\u9fff]+")
"""A word of a text, or a character of Chinese or Japanese, which have no spaces."""
OTHER_SIGN = re.compile(r"[^\w\s]|_")
"""Punctuation, and marks, which many scripts have for vowels."""
MOST_WORDS = 1_000  # of a text that are read


def words(text: str) -> str:
    """Return the first words of a text in lower case between two marks, separated by spaces.

    A graph only splits at the spaces, so it counts words as training does. The marks are words too,
    so that every part of a table has some: the graph of a selection needs two.
    """
    lower = unicodedata.normalize("NFKC", text).lower().replace("i\u0307", "i")  # of a Turkish İ
    found = WORD.findall(OTHER_SIGN.sub(_mark_or_space, lower))
    return " ".join(["^", *found[:MOST_WORDS], "$"])


def _mark_or_space(sign: re.Match[str]) -> str:
    return sign[0] if unicodedata.category(sign[0])[0] == "M" else " "
