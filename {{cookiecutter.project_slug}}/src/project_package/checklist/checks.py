"""A check of the ML Test Score, and its outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ..frozen import Frozen
from .subject import Subject

SECTIONS = {"D": "Data", "M": "Model", "I": "Infrastructure", "O": "Monitoring"}
"""By the first letter of a check's id."""


class Outcome(NamedTuple):
    """What a check found."""

    passed: bool
    detail: str
    """The figures, in a sentence."""
    by_hand: bool = False
    """A person has to look: half a point."""


@dataclass(frozen=True)
class Check:
    """One of the 28 tests."""

    id: str
    """Section and number, such as D1."""
    test: str
    """What the rubric asks."""
    how: str
    """What is done to find out."""
    evidence: str
    """Where to look: a file, a test or a command."""
    run: Callable[[Subject], Outcome]
    """Find out; an exception is a failure."""


class Row(Frozen):
    """A check with its outcome."""

    id: str
    test: str
    how: str
    evidence: str
    passed: bool
    by_hand: bool
    detail: str
    seconds: float

    @property
    def points(self) -> float:
        """1 for a check that passed, half of it by hand, 0 for one that failed."""
        return (0.5 if self.by_hand else 1.0) if self.passed else 0.0


class Score(Frozen):
    """All rows."""

    version: str
    rows: tuple[Row, ...]

    @property
    def sections(self) -> dict[str, float]:
        """The sum of the points of each section."""
        return {
            title: sum(row.points for row in self.rows if row.id.startswith(letter))
            for letter, title in SECTIONS.items()
        }

    @property
    def total(self) -> float:
        """The ML Test Score: the lowest sum."""
        return min(self.sections.values())
