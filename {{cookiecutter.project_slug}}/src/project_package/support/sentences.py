"""Split texts into sentences."""

import re
from itertools import pairwise

ABBREVIATIONS = r"approx|bl\.a|ca|ch|dvs|e\.g|etc|ev|excl|i\.e|incl|kap|kl|max|min|nr|t\.ex|tel"
END = re.compile(r"(?<=[.!?])\s+(?=[^\sa-zåäöé])|\n\s*\n\s*|\n(?=[-*•]\s)")
"""White space before what is no small letter, an empty line, and a line before an item."""
ABBREVIATED = re.compile(rf"\b(?:{ABBREVIATIONS})\.$", re.IGNORECASE)
MAX_ABBREVIATION = 8  # characters, and one before it


def cut_sentences(text: str) -> list[str]:
    """Cut a text into sentences with the white space after them: together they are the text."""
    ends = [
        found.end()
        for found in END.finditer(text)
        if not ABBREVIATED.search(text[max(found.start() - MAX_ABBREVIATION, 0) : found.start()])
    ]
    return [text[start:end] for start, end in pairwise([0, *ends, len(text)]) if end > start]


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text, each in one line."""
    sentences = (" ".join(sentence.split()) for sentence in cut_sentences(text))
    return [sentence for sentence in sentences if sentence]
