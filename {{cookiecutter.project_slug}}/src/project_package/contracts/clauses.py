"""Split documents into clauses at their headings."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

NUMBER = r"(?:\d{1,2}(?:\.\d{1,2}){0,2}|[IVX]{1,5}|[A-Z])"
CAPITAL = r"[A-Z\u00c0-\u00d6\u00d8-\u00de\u0152]"  # of French and German too
HEADING = re.compile(
    rf"""
    ^[ \t*_>"“]*(?:\#{{1,6}}[ \t]*)?(?:
        (?:(?i:article|section|clause|§)[ \t]*)?  # 12. Title.
        \(?{NUMBER}[.):]{{0,3}}[*_]{{0,3}}[ \t\u2013\u2014:-]{{1,20}}
        ["“*_]*(?P<numbered>{CAPITAL}[^.:;\n]{{2,60}}?)["”*_]*(?:[.:;]|[ \t]*$)
        |(?<=\#[ ])(?P<marked>{CAPITAL}[^\n]{{2,80}})$  # # Title
    )
    |(?<![^\n]\n)^[ \t*_>"“]*(?:\#{{1,6}}[ \t]*)?  # TITLE, after an empty line
        (?P<capitals>{CAPITAL}(?:{CAPITAL}|[ ,/&'\u2019-]){{5,60}})[:.]?[ \t]*$
    """,
    re.MULTILINE | re.VERBOSE,
)
SENTENCE = re.compile(
    r"\b(must|shall|may|is|are|means?|will|be|have|has|retain|grants|granted|which|that)\b",
    re.IGNORECASE,
)
LONGEST = 8  # words of a heading


@dataclass(frozen=True)
class Clause:
    """A clause, and where it begins."""

    heading: str
    """Empty where there is none."""
    text: str
    """Without the heading, in one line."""
    page: int
    """From 1; always 1 in a format without pages."""


def split_clauses(pages: Sequence[str]) -> list[Clause]:
    """Split the pages of a document at its headings, or where it has none, at empty lines."""
    document = "\n".join(pages)
    starts = list(accumulate((len(page) + 1 for page in pages), initial=0))[:-1]
    cuts = [*headings(document)] or [(match.end(), match.end(), "") for match in blank(document)]
    parts = [(0, 0, ""), *cuts, (len(document), len(document), "")]
    clauses = []
    for (start, body, title), (end, _, _) in pairwise(parts):
        heading, text = title, " ".join(document[body:end].split())
        if not text and document[start:body].rstrip().endswith("."):  # 7. No Refunds.
            heading, text = "", f"{title.rstrip('.')}."
        if text:
            first = end - len(document[start:end].lstrip())
            clauses.append(Clause(heading, text, bisect_right(starts, first)))
    return clauses


def headings(document: str) -> Iterator[tuple[int, int, str]]:
    """Yield where each heading starts and ends, and its words."""
    for match in HEADING.finditer(document):
        title = next(filter(None, match.groups())).strip(" \t*_")
        if len(title.split()) <= LONGEST and not SENTENCE.search(title):
            yield match.start(), match.end(), title


def blank(document: str) -> Iterator[re.Match[str]]:
    """Yield the empty lines of a document."""
    return re.finditer(r"\n[ \t]*\n", document)
