"""The checks of the model: M1 to M7."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bundle import Interval
from ..columns import length, take, weighted_mean
from ..contract.training import Fold, Metric
from ..contract.training import Outcome as Predicted
from ..lifecycle.gate import beats, paired_bootstrap
from ..lifecycle.scores import BASELINE, NAIVE
from ..monitoring.slices import SMALLEST
from .checks import Checks, Outcome, interval
from .online_checks import online_is_offline
from .retraining import choice_of, prepare
from .specification_checks import reviewed, tuned
from .subject import DAY, Subject

RESAMPLES = 50
"""Of the bootstrap of a part of the rows: there are many parts."""
MEAN = Metric(
    "mean", "Mean of rows", lambda _, found, weights: weighted_mean(found["score"], weights)
)
"""The metric of parts whose rows are scored among all."""


def staleness(subject: Subject) -> Outcome:
    """Compare the champion with a model of the same settings and the oldest rows of training."""
    project = subject.project
    training = project.training
    promote = project.params.promote
    # 1. Fit the champion's candidate on the rows of the oldest fold.
    old = oldest(subject)
    choice = choice_of(prepare(subject), subject.bundle.manifest)
    fitted = choice.candidate.fit(old.train, choice.settings, project.params.seed)
    validation = Predicted(old.valid, fitted.predict(old.valid))
    stale = training.finish(project.params, fitted, old.train, validation).predict(subject.test)
    # 2. Compare it with the champion, and with no model.
    rivals = (subject.predictions, stale, subject.predicted.predictions[NAIVE])
    gain = paired_bootstrap(training, subject.test, rivals[:2], promote)
    useful = paired_bootstrap(training, subject.test, rivals[1:], promote)
    detail = (
        f"{training.goal.label}: fresh data gain {interval(gain)} over {what_is_old(subject, old)}"
        f"; that model gains {interval(useful)} over none"
    )
    return Outcome(gain.high >= -promote.margin and useful.estimate > 0, detail)


def oldest(subject: Subject) -> Fold:
    """Return the fold whose training rows end first, or else that with the fewest."""
    time = subject.facts.time
    folds = subject.predicted.splits.folds
    return min(folds, key=lambda f: f.train[time].max() if time else length(f.train))


def what_is_old(subject: Subject, old: Fold) -> str:
    """Describe the model of the rows of a fold."""
    time = subject.facts.time
    train = subject.predicted.splits.train
    rows = f"{length(old.train):,} of {length(train):,} rows"
    if not time:
        return f"a model of {rows} (the split is not by time: fewer rows stand for older ones)"
    days = (train[time].max() - old.train[time].max()) / DAY
    return f"a model that is {days:.0f} days older ({rows})"


def simpler_model(subject: Subject) -> Outcome:
    """Require a better score than the simple baseline and than no model."""
    verdicts = beats(subject.project.training.goal, subject.evaluation)
    detail = "; ".join(verdict.detail for verdict in verdicts)
    return Outcome(all(verdict.passed for verdict in verdicts), detail)


class Part(NamedTuple):
    """A part of the test, and the gain of the champion over a rival there."""

    name: str
    rows: int
    gain: Interval

    def __str__(self) -> str:
        """Return the gain in words."""
        return f"{self.name}, {self.rows:,} rows: {interval(self.gain)}"


def gains(subject: Subject, parts: Mapping[str, NDArray[np.bool_]], rival: str) -> Iterator[Part]:
    """Yield the gain over a rival on each part that is large enough to be scored.

    It is that of all rows of a part together: a period may have few of them.
    """
    project = subject.project
    pooled = replace(project.training, pooled=True)
    predicted = [subject.predictions, subject.predicted.predictions[rival]]
    if scores := subject.facts.row_scores:
        pooled = replace(pooled, metrics=(MEAN,))
        predicted = [{"score": scores(subject.test, one)} for one in predicted]
    promote = project.params.promote.model_copy(update={"resamples": RESAMPLES})
    for name, mask in parts.items():
        if mask.sum() < SMALLEST or mask.all():
            continue
        rows = take(subject.test, mask)
        both = (take(predicted[0], mask), take(predicted[1], mask))
        if np.isfinite([pooled.goal.score(rows, one) for one in both]).all():
            yield Part(name, int(mask.sum()), paired_bootstrap(pooled, rows, both, promote))


def important_slices(subject: Subject) -> Outcome:
    """Require that the model is clearly worse than the simple baseline on no slice."""
    margin = subject.project.params.promote.slice_margin
    slices = subject.project.training.slices(subject.test) or subject.facts.groups(subject.test)
    what = f"slices are worse than the simple baseline by more than {margin:g} and chance"
    return judged(gains(subject, slices, BASELINE), lambda gain: gain.high < -margin, what)


def inclusion(subject: Subject) -> Outcome:
    """Require that the model helps every group: in each, it is clearly better than no model."""
    parts = gains(subject, subject.facts.groups(subject.test), NAIVE)
    what = "groups are not better predicted than without a model by more than chance"
    return judged(parts, lambda gain: not gain.low > 0, what)


def judged(parts: Iterator[Part], is_bad: Callable[[Interval], bool], what: str) -> Outcome:
    """Return how many parts are bad, and which; or else the worst."""
    found = list(parts)
    if not found:
        return Outcome(False, f"no part has {SMALLEST} rows that can be scored")
    bad = [part for part in found if is_bad(part.gain)]
    worst = min(found, key=lambda part: part.gain.low)
    named = "; ".join(map(str, bad)) or f"the worst: {worst}"
    return Outcome(not bad, f"{len(bad)} of {len(found)} {what}; {named}")


MODEL: Checks = {
    "M1": reviewed,
    "M2": online_is_offline,
    "M3": tuned,
    "M4": staleness,
    "M5": simpler_model,
    "M6": important_slices,
    "M7": inclusion,
}
