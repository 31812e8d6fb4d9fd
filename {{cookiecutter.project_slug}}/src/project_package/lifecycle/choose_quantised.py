"""choose_quantised: take a network's int8 model if it is smaller and faster, and loses little."""

from dataclasses import replace
from functools import partial
from time import process_time
from timeit import timeit

import numpy as np

from ..bundle import Bundle, Interval, Quantisation
from ..columns import Columns, take
from ..contract.training import Outcome
from . import gate
from .project import Project

FASTER = 0.9
"""Share of the time that a faster model takes at most. Equal models differ by up to 7 % from run to
run, and a choice by chance would make different bundles of the same data."""


def choose(project: Project, full: tuple[Bundle, Outcome], small: tuple[Bundle, Outcome]) -> Bundle:
    """Return the quantised bundle if the gate allows it, or else the full one; print why.

    Each comes with the outcome of the same validation rows, so that no test row decides.
    """
    # 1. Compare scores, sizes and times.
    before, old = full
    after, new = small
    contenders = (new.predictions, old.predictions)
    gain = gate.paired_bootstrap(project.training, old.rows, contenders, project.params.promote)
    decision = decide_quantisation(
        project,
        gain,
        (before.megabytes, after.megabytes),
        milliseconds(project, (before, after), take(old.rows, np.arange(1))),
    )
    project.console.print(decision.reason)
    # 2. Record the finding, and how the exported graph compares with the network: a quantised graph
    # was compared with itself only.
    manifest = before.manifest.model_copy(update={"quantisation": decision})
    return replace(after if decision.taken else before, manifest=manifest)


def decide_quantisation(
    project: Project, gain: Interval, sizes: tuple[float, float], times: tuple[float, float]
) -> Quantisation:
    """Require a smaller and faster bundle, and a loss within the limit, at its bound.

    Sizes (MB) and times (ms of a row) are those before and after.
    """
    promote = project.params.promote
    limit = promote.max_quantisation_loss
    taken = gain.low >= -limit and sizes[1] < sizes[0] and times[1] <= FASTER * times[0]
    rival = "the network before quantisation"
    score = gate.describe_gain(project.training.goal, gain, rival, limit, promote)
    reason = (
        f"The quantised model is {'taken' if taken else 'not taken'}: on the validation rows, "
        f"{score}. It has {sizes[1]:.3g} MB instead of {sizes[0]:.3g}, and takes "
        f"{times[1]:.2g} ms of processor time for a row instead of {times[0]:.2g}."
    )
    return Quantisation(
        gain=gain, limit=limit, megabytes=sizes, milliseconds=times, taken=taken, reason=reason
    )


def milliseconds(
    project: Project, bundles: tuple[Bundle, Bundle], row: Columns
) -> tuple[float, float]:
    """Return the median processor times in which two loaded models predict a row with features.

    They take turns, so that what slows the machine down meets both.
    """
    calls = project.training.checks.latency_calls
    models = [partial(project.load(bundle).predict, row) for bundle in bundles]
    times = [[timeit(m, timer=process_time, number=1) for m in models] for _ in range(calls)]
    first, second = (1000 * np.median(times, axis=0)).tolist()
    return first, second
