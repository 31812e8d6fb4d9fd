"""The check that what is measured offline is what users get: M2."""

from datetime import UTC, datetime, timedelta
from functools import partial
from math import isclose

import numpy as np
from pydantic import SecretStr

from ..columns import Columns, length
from ..errors import UserError
from ..lifecycle.scores import number
from ..monitoring.monitor import find_reference
from ..monitoring.quality import has_scores
from ..monitoring.skew import differ
from ..monitoring.windows import read_windows
from ..prediction_log import open_log
from .checks import Outcome
from .subject import Subject, ask

TOLERANCE = 1e-5
"""Answers are numbers in float32, and a batch can add them up in another order."""


def online_is_offline(subject: Subject) -> Outcome:
    """Require that a server's log has the answers of the evaluation, and the same score of them."""
    rows = subject.requested_rows
    logged = answered_online(subject)
    if length(logged) != length(rows):
        return Outcome(False, f"{length(logged)} of {length(rows)} answers were logged")
    # 1. Compare the answers.
    predictions = subject.model.predict(rows)
    expected = subject.task.monitored(rows, predictions)
    outputs = [name for name in subject.task.outputs if name in expected]
    wrong = {n: int(differ(expected[n], logged[n], TOLERANCE).sum()) for n in outputs}
    count = sum(wrong.values())
    counts = ", ".join(f"{n} in {name}" for name, n in wrong.items() if n)
    detail = f"of {length(rows)} test rows, {counts or 'no answers'} differ"
    # 2. Compare the goal, as `ml monitor` computes it from the log.
    scores = goals(subject, rows, logged, predictions)
    if scores is None:
        return Outcome(count == 0, f"{detail}; the goal cannot be computed from a log of them")
    online, offline = scores
    is_equal = isclose(online, offline, rel_tol=TOLERANCE)
    detail += f"; {subject.project.training.goal.label} is {number(online)} online and "
    detail += f"{number(offline)} offline"
    return Outcome(count == 0 and is_equal, detail)


def answered_online(subject: Subject) -> Columns:
    """Ask a server for the test rows, one request each; return what it logged of its answers."""
    url = SecretStr(f"sqlite:///{subject.folder / 'online.db'}")
    start = datetime.now(UTC)
    with subject.serve(log_url=url) as client:
        for request in subject.requests:
            answer = ask(client, request.model_dump(mode="json"))
            if not answer.is_success:
                raise UserError(f"The server answers {answer.status_code}: {answer.text[:500]}")
    # The server has closed, and with that written its log.
    settings = subject.project.settings.model_copy(update={"log_url": url})
    log = open_log(settings, subject.folder)
    if log is None:
        return {}
    times = [(start, datetime.now(UTC) + timedelta(seconds=1))]
    find = partial(find_reference, subject.project)
    (window,) = read_windows(log, times, find, len(subject.asked))
    log.close()
    return window.rows


def goals(
    subject: Subject, rows: Columns, logged: Columns, predictions: Columns
) -> tuple[float, float] | None:
    """Score logged answers and predictions of the same rows; None if the log is not enough."""
    training = subject.project.training
    goal = training.goal
    monitoring = training.monitoring
    if monitoring is None or goal.name not in monitoring.metrics:
        return None
    answered = monitoring.read_answers(logged)
    if not has_scores(answered.predictions).all():
        return None
    online = goal.score({**rows, **answered.rows}, answered.predictions)
    offline = goal.score(rows, predictions)
    return (online, offline) if np.isfinite([online, offline]).all() else None
