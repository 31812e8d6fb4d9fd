"""Which version answers whom, and a batch: rows that one version answers in one run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from ..contract import Columns, Past, take
from ..packed import number
from ..onnx_model import UNFIT, features_after
from .follower import Follower, Served

WHOLE = 2**64


@dataclass(frozen=True)
class Batch:
    """What was asked, of which version, and what came of it; one of each per row."""

    served: Served
    rows: Columns
    pasts: Sequence[Past]
    features: Columns
    predictions: Columns
    answers: Sequence[str]
    """As JSON."""

    @cached_property
    def signals(self) -> Columns:
        """The numbers that are worth watching, (rows,) each."""
        return self.served.predictor.api.signals(self.features, self.predictions)


@dataclass(frozen=True)
class Answers:
    """The answer to each row, as JSON, and the version that gave it."""

    predictions: Sequence[str]
    versions: Sequence[str]


Tell: TypeAlias = Callable[[Sequence[Batch]], None]


@dataclass(frozen=True)
class Watch:
    """Who is told of answers.

    `before` they are given, in any thread, the event loop's too: what it raises, the client gets,
    and no answer. `after`, in the event loop: it must never fail. Both must be quick.
    """

    before: Tell | None = None
    after: Tell | None = None


class Versions:
    """The versions that may answer."""

    def __init__(
        self, champion: Follower, challenger: Follower | None = None, canary: float = 0
    ) -> None:
        """Take the followers, and the share of subjects (0 to 1) that the challenger answers."""
        self.champion, self.challenger = champion, challenger
        self._limit = canary * WHOLE

    def choose(self, subjects: Sequence[str]) -> list[Served]:
        """Give the version that answers each subject: a card, a product or a household.

        The same subject is always on the same side. The champion must be there.
        """
        champion = self.champion.served
        assert champion is not None  # noqa: S101 - a request is refused before while it is not
        challenger = self.challenger.served if self.challenger and self._limit else None
        if challenger is None:
            return [champion] * len(subjects)
        return [
            challenger if int.from_bytes(number(s)) < self._limit else champion for s in subjects
        ]

    def stand_in(self, failed: Served, error: Exception) -> Served:
        """Give the champion for a challenger that failed, which answers nobody any more.

        The champion's own error is raised.
        """
        champion = self.champion.served
        if champion is None or self.challenger is None or failed.alias == self.champion.alias:
            raise error
        reason = f"Version {failed.version} failed on a request: {type(error).__name__}."
        self.challenger.refuse(reason)
        return champion


def run(served: Served, rows: Columns, pasts: Sequence[Past]) -> Batch:
    """Answer rows, each after its past."""
    return scored(served, rows, pasts, features_after(served.predictor.api, rows, pasts))


def scored(served: Served, rows: Columns, pasts: Sequence[Past], features: Columns) -> Batch:
    """Answer rows whose features are known."""
    predictor = served.predictor
    predictions = predictor.predict(features)
    answers = predictor.api.respond(predictions, predictor.assets)
    return Batch(served, rows, pasts, features, predictions, answers)


def run_each(
    rows: Columns, pasts: Sequence[Past], served: Sequence[Served], versions: Versions
) -> tuple[list[Batch], Answers]:
    """Answer each row by its version: a batch for each, and the answers in the order of rows."""
    if all(one is served[0] for one in served):
        batch = _run(served[0], rows, pasts, versions)
        return [batch], Answers(batch.answers, [batch.served.version] * len(served))
    batches, answers, names = list[Batch](), [""] * len(served), [""] * len(served)
    for version in {id(one): one for one in served}.values():
        mine = [place for place, one in enumerate(served) if one is version]
        own = take(rows, np.array(mine)), [pasts[place] for place in mine]
        batch = _run(version, *own, versions)
        for place, answer in zip(mine, batch.answers, strict=True):
            answers[place], names[place] = answer, batch.served.version
        batches.append(batch)
    return batches, Answers(answers, names)


def _run(served: Served, rows: Columns, pasts: Sequence[Past], versions: Versions) -> Batch:
    try:
        return run(served, rows, pasts)
    except UNFIT as error:
        return run(versions.stand_in(served, error), rows, pasts)
