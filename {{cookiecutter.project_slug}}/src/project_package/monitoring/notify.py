"""Where findings go: the server's page, a webhook, gauges for Prometheus, metrics in MLflow."""

import json
from typing import get_args

import httpx2
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from ..lifecycle.project import Project
from ..lifecycle.workspace import replace_text
from ..summaries import NEWS, PAGE, News
from .findings import Findings, Reason

FILE = "monitor.html"
POSTED = "alarms.json"
GAUGES = "monitor.prom"
SECONDS = 10


def publish(project: Project, found: Findings) -> None:
    """Let the server show the findings, write gauges, log metrics, and post alarms."""
    share(project, found)
    write_gauges(project, found)
    log_metrics(project, found)
    post_alarms(project, found)


def share(project: Project, found: Findings) -> None:
    """Copy the page and its sentences into the model store, where the server finds them."""
    news = News(
        version=found.version,
        until=found.windows[-1].end,
        sentences=found.sentences,
        alarms=tuple(f"{alarm.reason}: {alarm.detail}" for alarm in found.alarms),
    )
    page = (project.workspace.reports / FILE).read_bytes()
    project.store.write_file(PAGE.format(name=FILE), page)
    project.store.write_file(NEWS, news.model_dump_json(indent=2).encode())


def post_alarms(project: Project, found: Findings) -> None:
    """Post alarms to MONITOR_WEBHOOK, in the form that chat services take: `{"text": ...}`.

    An alarm is posted once, and again if it was not raised in between. If the webhook does not
    accept it, that is printed, and the next call tries again.
    """
    url = project.settings.monitor_webhook.get_secret_value()
    if not url:
        return
    path = project.workspace.reports / POSTED
    last = json.loads(path.read_text("utf-8")) if path.exists() else {}
    posted = last["reasons"] if last.get("version") == found.version else ()
    new = [alarm for alarm in found.alarms if alarm.reason not in posted]
    if new:
        lines = "\n".join(f"- {alarm.reason}: {alarm.detail}" for alarm in new)
        text = f"{project.params.name}, version {found.version}:\n{lines}"
        try:
            httpx2.post(url, json={"text": text}, timeout=SECONDS).raise_for_status()
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:  # the address is a secret
            reason = type(error).__name__
            project.console.print(f"MONITOR_WEBHOOK does not accept an alarm: {reason}.")
            return
    reasons = [alarm.reason for alarm in found.alarms]
    replace_text(path, json.dumps({"version": found.version, "reasons": reasons}))


def write_gauges(project: Project, found: Findings) -> None:
    """Write reports/monitor.prom, for the textfile collector of Prometheus' node exporter."""
    registry = CollectorRegistry()
    alarm = Gauge("monitor_alarm", "1: raised", ["reason"], registry=registry)
    for reason in get_args(Reason):
        alarm.labels(reason).set(any(one.reason == reason for one in found.alarms))
    score = Gauge("monitor_score", "By the metric that decides", ["kind"], registry=registry)
    for kind, value in found.newest_scores.items():
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
    for kind, value in found.newest_scores.items():
        project.registry.client.log_metric(version.run, f"monitor.{kind}", value)
