"""What `ml monitor` finds: windows, alarms, and the champion that they are about."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from ..bundle import Interval
from ..frozen import Frozen
from .drift import Drift
from .service import Service
from .skew import Skew
from .slices import SliceScore

Reason: TypeAlias = Literal["broken", "skew", "service", "drift", "quality", "estimate", "age"]
REPAIR: Mapping[Reason, str] = {
    "broken": "Correct the broken values where they come from; the model is not at fault.",
    "skew": "Find out why the server computes other values than training.",
    "service": "Look at the log of the server: requests fail or are slow.",
}
"""What to do for reasons to which a new model is no answer, the most urgent first."""
WRONG_VALUES: tuple[Reason, ...] = ("broken", "skew")
"""Reasons for which nothing must be trained."""


KINDS: Mapping[str, str] = {
    "realised": "measured, with labels",
    "estimated": "estimated, without labels",
}
"""How a score of a window is known, with its label in figures."""


class WindowResult(Frozen):
    """A window of time."""

    start: datetime
    end: datetime
    rows: int
    """Answers that were logged."""
    labelled: int
    """How many of them, or of a sample, have a label."""
    version: str
    """The version that answered most; empty without any."""
    drifts: tuple[Drift, ...]
    realised: Interval | None
    """The score by the goal of the answers with a label; None without any."""
    estimated: Interval | None
    """The same of all answers, estimated; None if they have no probabilities."""
    scores: dict[str, float]
    """All scores of the answers with a label, by metric."""
    slices: tuple[SliceScore, ...] = ()
    """Parts of them with the worst scores by the goal, the worst first."""

    @property
    def largest_psi(self) -> float:
        """The stability index of the value that changed most; 0 without any."""
        return max((drift.psi for drift in self.drifts), default=0.0)

    @property
    def texts(self) -> tuple[str, str, str]:
        """Both scores and the largest index, for a table."""
        now, expected = (f"{s.estimate:.3f}" if s else "-" for s in (self.realised, self.estimated))
        return now, expected, f"{self.largest_psi:.2f}" if self.drifts else "-"


class Alarm(Frozen):
    """A reason to act."""

    reason: Reason
    detail: str

    @property
    def retrain(self) -> bool:
        """Whether a new model is the answer."""
        return self.reason not in REPAIR


class Findings(Frozen):
    """What was found."""

    version: str
    """The champion."""
    goal: str
    """The name of the metric that decides."""
    windows: tuple[WindowResult, ...]
    """The oldest first."""
    alarms: tuple[Alarm, ...]
    sentences: tuple[str, ...] = ()
    """What happened and what to do, for people."""
    skew: Skew | None = None
    service: Service | None = None
    recent: Service | None = None
    """Requests since the last time that `ml monitor` ran."""

    @property
    def newest_scores(self) -> dict[str, float]:
        """The champion's newest score of each kind."""
        windows = [window for window in self.windows if window.version == self.version]
        return {
            kind: score.estimate
            for kind in KINDS
            for window in windows
            if (score := getattr(window, kind))
        }
