"""Texts become sentences; abbreviations and numbers do not end one."""

import pytest

from project_package.support.sentences import cut_sentences, split_sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is so. Is it? Yes!", ["It is so.", "Is it?", "Yes!"]),
        ("It costs approx. 300 SEK. Pay now.", ["It costs approx. 300 SEK.", "Pay now."]),
        ("See PBL 9 kap. 27 §. Then ask.", ["See PBL 9 kap. 27 §.", "Then ask."]),
        ("Den kostar ca. 5 kr. Åk dit.", ["Den kostar ca. 5 kr.", "Åk dit."]),
        ("of 1.5 m and more", ["of 1.5 m and more"]),
        ("a heading\n\nand a text", ["a heading", "and a text"]),
        ("A fence may be\nat most 2 m\nhigh. So", ["A fence may be at most 2 m high.", "So"]),
        ("Bring:\n- a plan\n- a fee", ["Bring:", "- a plan", "- a fee"]),
        ("Is it allowed? No. You pay.\u2028Now", ["Is it allowed?", "No.", "You pay.", "Now"]),
        ("Ring tel. 112. Överklaga. Übung", ["Ring tel. 112.", "Överklaga.", "Übung"]),
        (" \n ", []),
    ],
)
def test_splits_at_ends_of_sentences(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected
    assert "".join(cut_sentences(text)) == text
