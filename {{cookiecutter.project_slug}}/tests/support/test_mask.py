"""Personal data that has a form is masked; other numbers are not."""

import pytest

from project_package.support.mask import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to anna.berg+x@mail.example.se, please", "Write to [email], please"),
        ("My IBAN is SE45 5000 0000 0583 9825 7466.", "My IBAN is [iban]."),
        ("DE89370400440532013000", "[iban]"),
        ("card 4111 1111 1111 1111 expired", "card [card] expired"),
        ("4111-1111-1111-1111", "[card]"),
        ("I am 19850709-9805", "I am [personal number]"),
        ("850709-9805?", "[personal number]?"),
        ("198507099805 or 8507099805", "[personal number] or [personal number]"),
        ("se45 5000 0000 0583 9825 7466", "[iban]"),
        ("070 - 123 45 67", "[phone]"),
        ("Call 070-123 45 67 or +46 70 123 45 67", "Call [phone] or [phone]"),
        ("0046 8 123 456 78", "[phone]"),
        ("070.123.45.67", "[phone]"),
        ("Call 212-555-0134.", "Call [american phone]."),
        ("(212) 555-0134 or 1-212-555-0134", "[american phone] or [american phone]"),
        ("4111.1111.1111.1111", "[card]"),
    ],
)
def test_masks_what_has_a_form(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Order A-1002, order 123456-7890, cost 12 500 kr on 2026-11-03 at 14:30.",
        "A fence of 1.8 metres, 3.6 m from the house, PBL 9 kap. 8 §, is it OK?",
        "In 2025 and 2026 I paid 150000 SEK, 30 % of 500 000.",
        "Version 3.14.15 of 1234567 pages, 3.14159265358979, 500 000 2026",
    ],
)
def test_keeps_other_numbers(text: str) -> None:
    assert mask(text) == text
