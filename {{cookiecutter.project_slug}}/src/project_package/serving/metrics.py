"""What /metrics tells of a process: plain numbers, which take Prometheus' form when it asks."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from .door import Door
from .follower import Follower
from .outbox import Outbox
from .shadow import Shadow

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
EDGES = (
    *(0, 0.001, 0.005, 0.01),
    *(n / 20 for n in range(1, 21)),
    *(step * 10**power for power in range(6) for step in (2, 5, 10)),
)
"""Upper ends of the buckets of signals: twentieths up to 1, then three a power of ten."""


class Histogram:
    """How many values lie in each bucket, and their sum."""

    def __init__(self, ends: Sequence[float]) -> None:
        """Begin with none; the last bucket has no end."""
        self.ends, self.counts, self.total = ends, np.zeros(len(ends) + 1, np.int64), 0.0

    def buckets(self) -> list[tuple[str, float]]:
        """Give the running totals as Prometheus wants them."""
        names = [*(f"{end:g}" for end in self.ends), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


@dataclass(eq=False)
class Metrics(Collector):
    """The numbers of one application."""

    followers: Sequence[Follower]
    """Of champion and challenger."""
    door: Door
    state_size: Callable[[], int | None]
    state_away: Callable[[], str]
    shadow: Shadow
    outbox: Outbox | None = None
    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By route and status."""
    refused: Counter[str] = field(default_factory=Counter)
    """By reason."""
    seconds: dict[str, Histogram] = field(default_factory=dict)
    """By route."""
    signals: dict[tuple[str, str], Histogram] = field(default_factory=dict)
    """By version and name."""

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self.requests[route, status] += 1
        if (found := self.seconds.get(route)) is None:
            found = self.seconds[route] = Histogram(SECONDS)
        found.counts[bisect_left(SECONDS, seconds)] += 1
        found.total += seconds

    def observe(self, version: str, signals: Mapping[str, NDArray[Any]]) -> None:
        """Add the signals of answers, (rows,) each, to their histograms; call from one thread."""
        for name, values in signals.items():
            if (found := self.signals.get((version, name))) is None:
                found = self.signals[version, name] = Histogram(EDGES)
            places = np.searchsorted(EDGES, values)
            found.counts += np.bincount(places, minlength=len(EDGES) + 1)
            found.total += float(np.sum(values))

    def text(self) -> bytes:
        """Give all of it in Prometheus' text form."""
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """Yield every family of numbers."""
        yield from self._requests()
        yield from self._model()
        yield from self._parts()
        yield from ProcessCollector(registry=None).collect()
        seen = HistogramMetricFamily("signal_value", "Watched", labels=["version", "signal"])
        for labels, values in self.signals.items():
            seen.add_metric(labels, values.buckets(), values.total)
        yield seen

    def _requests(self) -> Iterator[Metric]:
        answered = CounterMetricFamily("requests", "Answers", labels=["route", "status"])
        for (route, status), count in self.requests.items():
            answered.add_metric([route, str(status)], count)
        yield answered
        seconds = HistogramMetricFamily("request_seconds", "Time to answer", labels=["route"])
        for route, histogram in self.seconds.items():
            seconds.add_metric([route], histogram.buckets(), histogram.total)
        yield seconds
        refused = CounterMetricFamily("refused", "Requests refused at the door", labels=["reason"])
        for reason, count in self.refused.items():
            refused.add_metric([reason], count)
        yield refused
        yield GaugeMetricFamily("requests_inside", "Requests at work now", self.door.inside)

    def _model(self) -> Iterator[Metric]:
        model = GaugeMetricFamily("model", "Who answers", labels=["alias", "version"])
        swaps = CounterMetricFamily("model_swaps", "Versions taken up", labels=["alias"])
        refusals = CounterMetricFamily("model_refusals", "Versions refused", labels=["alias"])
        degraded = GaugeMetricFamily("degraded", "1 while something is amiss", labels=["what"])
        for follower in self.followers:
            if served := follower.served:
                model.add_metric([follower.alias, served.version], 1)
            swaps.add_metric([follower.alias], follower.swaps)
            refusals.add_metric([follower.alias], follower.refusals)
            degraded.add_metric([f"{follower.alias} refused"], bool(follower.refused))
        degraded.add_metric(["store unreachable"], bool(self.followers[0].unreachable))
        degraded.add_metric(["state"], bool(self.state_away()))
        degraded.add_metric(["log"], bool(self.outbox and self.outbox.away))
        yield from (model, swaps, refusals, degraded)

    def _parts(self) -> Iterator[Metric]:
        if (size := self.state_size()) is not None:
            yield GaugeMetricFamily("state_bytes", "Size of the state's file", size)
        if self.outbox:
            yield GaugeMetricFamily("log_waiting", "Batches PostgreSQL lacks", self.outbox.waiting)
        rows = CounterMetricFamily("shadow_rows", "What the challenger answered", labels=["what"])
        for what in ("compared", "changed", "dropped"):
            rows.add_metric([what], getattr(self.shadow, what))
        yield rows
        yield CounterMetricFamily("shadow_failures", "Batches it failed on", self.shadow.failed)
        apart = CounterMetricFamily("shadow_difference", "Absolute, added up", labels=["signal"])
        for name, total in list(self.shadow.differences.items()):
            apart.add_metric([name], total)
        yield apart
