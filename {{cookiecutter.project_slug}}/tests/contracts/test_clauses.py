"""Documents are split at their headings, and headings name types."""

import pytest

from project_package.contracts.clause_types import TYPES, type_of
from project_package.contracts.clauses import Clause, split_clauses

NUMBERED = """LICENCE AGREEMENT

Between two parties.

1. Definitions. "Software" means the program.

2. LIMITATION OF LIABILITY
In no event shall the seller
be liable.

Section 3: Term and Termination
3.1 Term. One year.
a) The agreement ends by itself.
"""


def test_splits_at_headings_of_each_kind() -> None:
    found = [(clause.heading, clause.text) for clause in split_clauses([NUMBERED])]
    assert found == [
        ("LICENCE AGREEMENT", "Between two parties."),
        ("Definitions", '"Software" means the program.'),
        ("LIMITATION OF LIABILITY", "In no event shall the seller be liable."),
        ("Term", "One year. a) The agreement ends by itself."),
    ]


def test_headings_of_markdown_are_headings() -> None:
    found = split_clauses(["Preamble.\n\n# Notices\n\nBy mail.\n\n## Governing law\n\nOf France."])
    assert found == [
        Clause("", "Preamble.", 1),
        Clause("Notices", "By mail.", 1),
        Clause("Governing law", "Of France.", 1),
    ]


def test_heading_may_begin_with_an_accented_letter() -> None:
    found = split_clauses(["1. Äußerungen\nkeine\n\nÉTENDUE DES DROITS\n\nla loi"])
    assert [clause.heading for clause in found] == ["Äußerungen", "ÉTENDUE DES DROITS"]


@pytest.mark.parametrize("line", ["1. You must not sell it.", "2. This is a sentence: it goes on"])
def test_numbered_sentence_is_no_heading(line: str) -> None:
    assert [clause.heading for clause in split_clauses([line])] == [""]


def test_capitals_inside_a_clause_are_no_heading() -> None:
    lines = "1. Disclaimer.\n  THE SOFTWARE IS SOLD WITHOUT\n  WARRANTIES OF FITNESS\n  OR OTHERS."
    (clause,) = split_clauses([lines])
    assert clause.text == "THE SOFTWARE IS SOLD WITHOUT WARRANTIES OF FITNESS OR OTHERS."


def test_sentence_as_short_as_a_heading_is_not_lost() -> None:
    found = split_clauses(["1. No Refunds.\n2. Notices. By mail."])
    assert [(clause.heading, clause.text) for clause in found] == [
        ("", "No Refunds."),
        ("Notices", "By mail."),
    ]


def test_text_without_headings_is_split_at_empty_lines() -> None:
    found = split_clauses(["first\nparagraph\n\n", "  \nsecond\n"])
    assert found == [Clause("", "first paragraph", 1), Clause("", "second", 2)]


def test_clause_has_the_page_on_which_it_begins() -> None:
    found = split_clauses(["1. Scope\none", "two\n2. Notices\nthree", "", "3. Waiver\nfour"])
    assert [(clause.heading, clause.page) for clause in found] == [
        ("Scope", 1),
        ("Notices", 2),
        ("Waiver", 4),
    ]
    assert split_clauses([" ", ""]) == []
    assert [clause.page for clause in split_clauses(["a\n\n", "b"])] == [1, 2]
    assert [clause.page for clause in split_clauses(["", "a"])] == [2]


def test_heading_names_one_type_or_none() -> None:
    headings = {
        "Limitation of Liability": "liability",
        "NO WARRANTY": "warranty",
        "Notices": "misc",
        "Copyright Notices": None,
        "Warranty and Liability": None,
        "Export Restrictions": None,
        "Support": None,
        "Determination of Fees": None,
    }
    assert {heading: type_of(heading) for heading in headings} == headings
    assert len(TYPES) == 12
