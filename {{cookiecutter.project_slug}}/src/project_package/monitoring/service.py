"""Read from the server's metrics how many requests failed or were slow since the last time."""

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from ..frozen import Frozen
from ..lifecycle.project import Project
from ..params import Monitor

SECONDS = 10
FAILED = "5"
"""The first digit of the statuses of answers that failed."""
APART = frozenset({"/healthz", "/readyz", "/metrics", "/ping", "/health", "/version", "other"})
"""Routes that do not count: those of probes, and unknown ones."""


class Service(Frozen):
    """Requests to a server since its start; of a difference, since the last time."""

    requests: int = 0
    failed: int = 0
    """Those that were answered with a status of 500 or more."""
    slow: int = 0
    """Those whose answer took longer than `monitor.slow_seconds`."""
    error: str = ""
    """Why nothing is known."""

    def since(self, before: "Service | None") -> "Service":
        """Return the difference; all if the server has started since."""
        if before is None or before.requests > self.requests:
            return self
        differences = {
            name: max(0, getattr(self, name) - getattr(before, name))
            for name in ("requests", "failed", "slow")
        }
        return self.model_copy(update=differences)


def read_service(project: Project) -> Service | None:
    """Ask the server at monitor.metrics; None if there is no address."""
    params = project.params.monitor
    if not params.metrics:
        return None
    key = project.settings.client_key.get_secret_value()
    headers = {"X-API-Key": key} if key else {}
    try:
        answer = httpx2.get(params.metrics, headers=headers, timeout=SECONDS).raise_for_status()
        return parse(answer.text, params)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        if "401" in reason or "403" in reason:
            reason += "; set CLIENT_KEY to a key with the scope admin"
        return Service(error=f"{params.metrics} cannot be read: {reason}")


def parse(text: str, params: Monitor) -> Service:
    """Read the counters of the server's page of metrics; raise ValueError if it has none.

    Of latency the bounds of buckets are known: the smallest from `monitor.slow_seconds` on counts.
    """
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("route") not in APART
    ]
    statuses = [s for s in samples if s.name == "requests_total" and "status" in s.labels]
    buckets = [s for s in samples if s.name == "request_seconds_bucket"]
    if not statuses and not any(s.name == "model_info" for s in samples):
        raise ValueError("these are not the metrics of the server")
    requests = sum(s.value for s in statuses)
    failed = sum(s.value for s in statuses if s.labels["status"].startswith(FAILED))
    bounds = {float(s.labels["le"]) for s in buckets}
    bound = min((b for b in bounds if b >= params.slow_seconds), default=float("inf"))
    quick = sum(s.value for s in buckets if float(s.labels["le"]) == bound)
    return Service(requests=int(requests), failed=int(failed), slow=int(max(0, requests - quick)))
