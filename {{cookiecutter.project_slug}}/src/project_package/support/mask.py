"""Mask personal data in texts before they are stored: e-mail addresses and long numbers.

The numbers are those of bank accounts (IBAN), cards, phones (with + or 0, or American ones), and
Swedish personal numbers. A name or a street has no form: it stays.
"""

import re

PATTERNS = {
    "email": r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+",
    "iban": r"\b(?i:[A-Z]{2})\d{2}(?i:(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?)\b",
    "personal number": r"\b(?:19|20)?\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-+ ]?\d{4}\b",
    "phone": r"(?<![\w-])(?:\+|00?)[1-9](?:[ /().-]{0,3}\d){6,13}\b",
    "american phone": r"(?<!\d)(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])\d{3}[.-]\d{4}\b",
    "card": r"(?<![\w.])(?:(?:\d[ -]?){12,18}\d|\d{4}(?:\.\d{4}){3})\b",
}
"""What is masked, with its pattern; the first that matches names it."""
ANY = re.compile("|".join(f"({pattern})" for pattern in PATTERNS.values()))
NAMES = [*PATTERNS]


def mask(text: str) -> str:
    """Return a text with personal data replaced by what it was, such as [email]."""
    return ANY.sub(lambda found: f"[{NAMES[(found.lastindex or 1) - 1]}]", text)
