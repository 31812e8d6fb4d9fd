"""Where findings go beside the page: a webhook, gauges for Prometheus, and metrics in MLflow."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import httpx2
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from ..errors import UserError
from ..lifecycle.project import Project
from ..lifecycle.workspace import replace_text
from .findings import KINDS, Findings, Reason

POSTED = "alarms.json"
GAUGES = "monitor.prom"
SECONDS = 10


def publish(project: Project, found: Findings) -> None:
    """Write gauges, log metrics, and post alarms; print it if the webhook does not accept them."""
    write_gauges(project, found)
    log_metrics(project, found)
    try:
        post_alarms(project, found)
    except UserError as error:
        project.console.print(str(error))


def post_alarms(project: Project, found: Findings) -> None:
    """Post alarms to MONITOR_WEBHOOK, in the form that chat services take: `{"text": ...}`.

    An alarm is posted once, and again if it was not raised in between.

    Raises:
        UserError: the webhook does not accept it; the next call tries again.
    """
    url = project.settings.monitor_webhook.get_secret_value()
    if not url:
        return
    path = project.workspace.reports / POSTED
    new = [alarm for alarm in found.alarms if alarm.reason not in _posted(path, found.version)]
    if new:
        lines = "\n".join(f"- {alarm.reason}: {alarm.detail}" for alarm in new)
        text = f"{project.params.name}, version {found.version}:\n{lines}"
        try:
            httpx2.post(url, json={"text": text}, timeout=SECONDS).raise_for_status()
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:  # the address is a secret
            reason = type(error).__name__
            raise UserError(f"MONITOR_WEBHOOK does not accept an alarm: {reason}.") from None
    reasons = [alarm.reason for alarm in found.alarms]
    replace_text(path, json.dumps({"version": found.version, "reasons": reasons}))


def _posted(path: Path, version: str) -> Sequence[str]:
    """Return the reasons of the last alarms, if they were about this version."""
    if not path.exists():
        return ()
    known = json.loads(path.read_text("utf-8"))
    reasons: list[str] = known["reasons"]
    return reasons if known["version"] == version else ()


def write_gauges(project: Project, found: Findings) -> None:
    """Write reports/monitor.prom, for the textfile collector of Prometheus' node exporter."""
    registry = CollectorRegistry()
    alarm = Gauge("monitor_alarm", "1: raised", ["reason"], registry=registry)
    for reason in get_args(Reason):
        alarm.labels(reason).set(any(one.reason == reason for one in found.alarms))
    score = Gauge("monitor_score", "By the metric that decides", ["kind"], registry=registry)
    for kind, value in newest_scores(found).items():
        score.labels(kind).set(value)
    index = Gauge("monitor_stability_index", "In the last window", ["value"], registry=registry)
    for drift in found.windows[-1].drifts:
        index.labels(drift.name).set(drift.psi)
    write_to_textfile(str(project.workspace.reports / GAUGES), registry)


def log_metrics(project: Project, found: Findings) -> None:
    """Add the newest scores to the run that trained the version."""
    version = project.registry.find_version(int(found.version))
    if version is None:
        return
    for kind, value in newest_scores(found).items():
        project.registry.client.log_metric(version.run, f"monitor.{kind}", value)


def newest_scores(found: Findings) -> dict[str, float]:
    """Return the newest score of the champion with labels, and without: `realised`, `estimated`."""
    windows = [window for window in found.windows if window.version == found.version]
    scores: dict[str, float] = {}
    for kind in KINDS:
        known = [score for window in windows if (score := getattr(window, kind))]
        scores |= {kind: known[-1].estimate} if known else {}
    return scores
