"""The checks of the ML Test Score, what they found, and the score."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import NamedTuple, TypeAlias

from pydantic import computed_field

from ..bundle import Interval
from ..frozen import Frozen
from .subject import Subject

SECTIONS = {"D": "Data", "M": "Model", "I": "Infrastructure", "O": "Monitoring"}
"""By the first letter of a check's id."""
TEXTS = tomllib.loads((resources.files(__package__) / "checks.toml").read_text("utf-8"))
"""What the rubric asks, what is done to find out, and where to look, by id."""


class Outcome(NamedTuple):
    """What a check found."""

    passed: bool
    detail: str
    """The figures, in a sentence."""


Checks: TypeAlias = Mapping[str, Callable[[Subject], Outcome]]
"""Functions by id, such as D1; an exception is a failure."""


def interval(gain: Interval) -> str:
    """Write a gain with its bounds."""
    return f"{gain.estimate:+.3g} ({gain.low:+.3g} to {gain.high:+.3g})"


def listed(names: Sequence[str]) -> str:
    """Return names in a sentence, few of them."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "") or "none"


class Row(Frozen):
    """A check with its outcome."""

    id: str
    test: str
    """What the rubric asks."""
    how: str
    """What is done to find out."""
    evidence: str
    """Where to look: a file, a test or a command."""
    passed: bool
    detail: str
    seconds: float


class Score(Frozen):
    """All rows: a point for each that passed."""

    version: str
    rows: tuple[Row, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def sections(self) -> dict[str, int]:
        """The points of each section."""
        return {
            title: sum(row.passed for row in self.rows if row.id.startswith(letter))
            for letter, title in SECTIONS.items()
        }

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> int:
        """The ML Test Score: the lowest sum."""
        return min(self.sections.values())
