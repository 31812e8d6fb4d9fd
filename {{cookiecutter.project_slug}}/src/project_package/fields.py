"""Fields that requests and tables share."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

LONGEST_ID = 64  # characters


def parse_time(value: object) -> object:
    """Parse text in ISO 8601; pydantic would also take text such as "1700000000" for a time."""
    if not isinstance(value, str):
        return value
    if value[4:5] != "-":
        raise ValueError("must be a date and time such as 2024-01-31T23:59:59Z")
    return datetime.fromisoformat(value)


Identifier = Annotated[  # databases refuse NUL
    str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00]*$", examples=["A-1"])
]
