"""The metrics that GET /metrics serves in Prometheus' text format.

With several workers `serve` sets PROMETHEUS_MULTIPROC_DIR to an empty folder before
prometheus_client is imported. Every worker then writes its numbers to files there, and the page of
any of them sums up all. The counters of a worker that died stay; its gauges go.
"""

import os
from functools import partial
from pathlib import Path

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
if not os.environ.get(FOLDER):  # an empty value would make prometheus_client write files here
    os.environ.pop(FOLDER, None)

import prometheus_client as prometheus  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead  # noqa: E402

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
ROWS = tuple(2**power for power in range(11))
"""Upper bounds of the buckets of histograms."""


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        self._folder = os.environ.get(FOLDER, "")
        if self._folder:
            _remove_dead_workers(Path(self._folder))
        else:
            prometheus.ProcessCollector(registry=self.registry)
        counter = partial(prometheus.Counter, registry=self.registry)
        gauge = partial(prometheus.Gauge, registry=self.registry, multiprocess_mode="livemax")
        histogram = partial(prometheus.Histogram, registry=self.registry)

        self.requests = counter("requests", "Answers", ["route", "status"])
        self.request_seconds = histogram("request_seconds", "Time", ["route"], buckets=SECONDS)
        self.refused = counter("refused", "Requests refused: auth, scope, busy", ["reason"])
        self.in_flight = gauge("requests_in_flight", "Requests now", multiprocess_mode="livesum")

        self.predictions = counter("predictions", "Predictions", ["version"])
        self.batch_rows = histogram("batch_rows", "Rows per batch", buckets=ROWS)
        self.unseen = counter(
            "unseen_values", "Values that training never saw, or unusable", ["column"]
        )
        self.model_info = gauge("model_info", "1: served now", ["alias", "version"])
        self.model_swaps = counter("model_swaps", "Versions loaded", ["alias"])
        self.model_refusals = counter("model_refusals", "Versions not served", ["alias"])
        self.shadow_rows = counter("shadow_rows", "Rows of the challenger in shadow mode", ["what"])
        self.shadow_difference = counter("shadow_difference", "Sum, absolute", ["signal"])

        self.degraded = gauge("degraded", "1: unavailable", ["part"])
        self.log_dropped = counter("log_dropped", "Predictions that were not logged")

    def page(self) -> bytes:
        """Return the metrics of this process, or of all workers, in Prometheus' text format."""
        registry = self.registry
        if self._folder:
            registry = prometheus.CollectorRegistry()
            MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]
        return prometheus.generate_latest(registry)


def _remove_dead_workers(folder: Path) -> None:
    """Remove the gauges of processes that do not run any more."""
    for pid in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)  # signal 0 only asks whether the process exists
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
