"""The texts and the pictures of report and model card, which a use case has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class About:
    """The texts of report and model card."""

    title: str
    question: str
    use: str
    """What the answer is for, and who acts on it."""
    misuse: str
    data: str
    """Where the rows come from."""
    limits: tuple[str, ...] = ()
    rows: str = "rows"
    """What the rows are, in the plural."""
    train_rows: str = ""
    """What those of the training are, if others are among them."""
    periods: str = "periods"
    """What the periods of the test are, in the plural."""
    baselines: str = ""
    """What the simple baseline is, and how the naive answer is found."""
    terms: Mapping[str, str] = field(default_factory=dict)
    """What words in the names of slices mean."""
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What the report lists of each column of the data: role, type, share missing, and values."""


@dataclass(frozen=True)
class Figure:
    """A picture of the report: `draw` gets a matplotlib Axes."""

    name: str
    title: str
    caption: str
    draw: Callable[[Any], None]
