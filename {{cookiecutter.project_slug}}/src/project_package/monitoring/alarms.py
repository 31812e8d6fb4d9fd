"""Alarms: which findings are a reason to act."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ..bundle import Interval
from ..contract.training import Metric
from ..lifecycle.registry import Version
from ..lifecycle.scores import Score, number
from ..params import Monitor
from .findings import Alarm, WindowResult
from .service import Service
from .skew import Skew

SPREADS = 2
"""How many standard deviations over the periods of the test a score may be worse."""


def find_alarms(
    windows: Sequence[WindowResult], champion: Version, metric: Metric, test: Score, params: Monitor
) -> tuple[Alarm, ...]:
    """Return the reasons to act.

    Args:
        windows: all of them, the oldest first. Those in which other versions answered, or with too
            few rows, are not judged.
        champion: the version that is monitored.
        metric: the goal.
        test: the champion's score by it on its test rows.
        params: the limits.
    """
    judged = [w for w in windows if w.version == str(champion.number) and w.rows >= params.min_rows]
    alarms = [*values_alarms(judged[-1])] if judged else []
    for reason in ("quality", "estimate"):
        for window in reversed(judged):  # labels come late: the newest window that has a score
            now = window.realised if reason == "quality" else window.estimated
            if now is not None:
                if lost := describe_loss(metric, test, now, params.loss):
                    alarms.append(
                        Alarm(reason=reason, detail=f"{window.start:%d %b %H:%M}: {lost}")
                    )
                break
    age = datetime.now(UTC) - datetime.fromtimestamp(champion.created / 1000, UTC)
    if age > timedelta(days=params.stale_days):
        alarms.append(Alarm(reason="age", detail=f"the champion is {age.days} days old"))
    return tuple(alarms)


def server_alarms(skew: Skew | None, recent: Service | None, params: Monitor) -> list[Alarm]:
    """Return the alarms about the server: other values than in the data, failures, slow answers."""
    alarms = []
    if skew and (large := {n: s for n, s in skew.shares.items() if s > params.skew}):
        shares = ", ".join(f"{name} ({share:.1%})" for name, share in large.items())
        detail = f"of {skew.instances:,} instances, the data set has other values of {shares}"
        alarms.append(Alarm(reason="skew", detail=detail))
    if recent is None:
        return alarms
    failed, slow = (count / max(recent.requests, 1) for count in (recent.failed, recent.slow))
    is_bad = recent.requests >= params.min_rows and (failed > params.failed or slow > params.slow)
    if recent.error or is_bad:
        counted = f"of {recent.requests:,} requests, {failed:.2%} failed and {slow:.2%} were slow"
        alarms.append(Alarm(reason="service", detail=recent.error or counted))
    return alarms


def values_alarms(window: WindowResult) -> list[Alarm]:
    """Return the alarms about the values of a window: broken fields, and fields that drifted."""
    broken = [
        f"{d.name} ({d.missing:.0%} missing, {d.unexpected:.0%} unexpected)"
        for d in window.drifts
        if d.is_broken
    ]
    drifted = [
        f"{d.name} (PSI {d.psi:.2f})" for d in window.drifts if d.is_drifted and not d.is_broken
    ]
    alarms = [Alarm(reason="broken", detail=", ".join(broken))] if broken else []
    if drifted:
        alarms.append(Alarm(reason="drift", detail=", ".join(drifted)))
    return alarms


def describe_loss(metric: Metric, test: Score, now: Interval, limit: float) -> str:
    """Describe a loss beyond what is allowed; empty if it is less.

    That is the limit, a share of the gain over no model, and what periods of the test differ in.
    """
    allowed = limit * abs(test.model - test.naive) + SPREADS * test.spread
    best = now.high if metric.higher_is_better else now.low
    if metric.gain(best, test.model) >= -allowed:
        return ""
    return (
        f"{metric.label} is {number(now.estimate)}, at best {number(best)}; it was "
        f"{number(test.model)} on the test rows, and may be worse by {number(allowed)}"
    )
