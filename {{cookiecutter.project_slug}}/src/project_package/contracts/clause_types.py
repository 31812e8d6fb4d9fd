"""The types of clauses, and the headings that name them."""

import re
from typing import NamedTuple


class ClauseType(NamedTuple):
    """A type of clause."""

    pattern: str
    """A regular expression that the headings of such clauses contain, in lower case."""
    meaning: str


TYPES = {
    "definitions": ClauseType(
        r"definition|defined terms|interpretation", "what words of the contract mean"
    ),
    "governing_law": ClauseType(
        r"governing law|applicable laws?$|jurisdiction|choice of law|dispute|arbitration|\bvenue",
        "which law applies, and who decides a dispute",
    ),
    "grant": ClauseType(
        r"\bgrant|license to use|scope of (the )?license|rights? to use|permitted use|use rights",
        "what the licensee may do",
    ),
    "indemnity": ClauseType(r"indemn", "who pays for the claims of others"),
    "liability": ClauseType(
        r"liabilit|damages|limitation of remed", "for which damages nobody, or who, is liable"
    ),
    "misc": ClauseType(
        r"miscellan|^general( (provisions|terms))?$|severab|entire agreement|^(no )?assignment|"
        r"^(no )?waivers?$|force majeure|survival|^notices?$",
        "general provisions: notices, assignment, severability and the like",
    ),
    "ownership": ClauseType(
        r"ownership|^title\b|intellectual property|proprietary rights|reservation of rights|"
        "rights reserved",
        "who owns what",
    ),
    "redistribution": ClauseType(
        r"distribut|copying|source code|conveying|verbatim", "what has to be passed on, and how"
    ),
    "restrictions": ClauseType(
        r"restriction|prohibit|limitations on use|reverse engineer", "what the licensee must not do"
    ),
    "termination": ClauseType(r"\bterminat", "when the contract ends, and what follows"),
    "trademark": ClauseType(r"trade ?mark|\blogos?\b|publicity", "the use of names and logos"),
    "warranty": ClauseType(r"warrant|as[ -]is\b", "what is promised, or not, about the product"),
}
OTHER = re.compile(r"export|copyright notice")
"""Headings of another type, which have words of these."""


def type_of(heading: str) -> str | None:
    """Return the type that a heading names; None if it names none, or several."""
    text = heading.lower()
    found = [name for name, known in TYPES.items() if re.search(known.pattern, text)]
    return found[0] if len(found) == 1 and not OTHER.search(text) else None
