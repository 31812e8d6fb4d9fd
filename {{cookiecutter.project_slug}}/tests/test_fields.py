"""Shared fields: which identifiers and times are refused."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from project_package.fields import LONGEST_ID, Identifier, parse_time

IDENTIFIERS: TypeAdapter[str] = TypeAdapter(Identifier)


def test_longest_identifier_is_accepted() -> None:
    assert IDENTIFIERS.validate_python("x" * LONGEST_ID)


@pytest.mark.parametrize("wrong", ["", "x" * (LONGEST_ID + 1), 7, "a\x00b"])
def test_impossible_identifier_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        IDENTIFIERS.validate_python(wrong)


def test_only_iso_text_becomes_a_time() -> None:
    assert parse_time("2024-01-31T23:59:59Z") == datetime(2024, 1, 31, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(ValueError, match="must be a date and time such as 2024-01-31T23"):
        parse_time("1700000000")
