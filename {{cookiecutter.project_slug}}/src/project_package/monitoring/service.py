"""The server's side: how many requests failed or were slow since it started."""

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from ..frozen import Frozen
from ..lifecycle.project import Project
from ..params import Monitor

SECONDS = 10
FAILED = "5"
"""The first digit of the statuses of answers that failed."""


class Service(Frozen):
    """Requests since the start of a server."""

    requests: int
    failed: float
    """Share of them that were answered with a status of 500 or more."""
    slow: float
    """Share of them whose answer took longer than `monitor.slow_seconds`."""
    error: str = ""
    """Why nothing is known."""


def read_service(project: Project) -> Service | None:
    """Ask the server at monitor.metrics; None if there is no address."""
    params = project.params.monitor
    if not params.metrics:
        return None
    key = project.settings.monitor_key.get_secret_value()
    headers = {"X-API-Key": key} if key else {}
    try:
        answer = httpx2.get(params.metrics, headers=headers, timeout=SECONDS).raise_for_status()
        return parse(answer.text, params)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return Service(requests=0, failed=0, slow=0, error=f"{params.metrics}: {error}")


def parse(text: str, params: Monitor) -> Service:
    """Read the counters of the server's page of metrics.

    Of latency the bounds of buckets are known: the smallest from `monitor.slow_seconds` on counts.
    """
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    statuses = [s for s in found if s.name == "requests_total"]
    requests = sum(s.value for s in statuses)
    failed = sum(s.value for s in statuses if s.labels["status"].startswith(FAILED))
    buckets = [s for s in found if s.name == "request_seconds_bucket"]
    bounds = {float(s.labels["le"]) for s in buckets}
    bound = min((b for b in bounds if b >= params.slow_seconds), default=float("inf"))
    quick = sum(s.value for s in buckets if float(s.labels["le"]) == bound)
    total = max(requests, 1)
    return Service(
        requests=int(requests), failed=failed / total, slow=max(0, requests - quick) / total
    )
