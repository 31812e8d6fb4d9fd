"""What a second process of the server adds: the last table of serving_speed.md."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import report
from load import Load, Served, ask, middle, ratio, served
from rich.progress import track
from rivals import BARE, Rival

STATELESS, LIVE = "stateless", "live features"
TWO, OF_TWO = 2, ", two workers"
START_SECONDS = 3
"""After the first worker's first answer: until the second accepts connections, too."""
WORKERS = """\
Two workers were to answer 1.7 times as many requests as one. They run on the first two cores; where
there are no more, the load takes from one of them, and what the bare endpoint (`uvicorn --workers`)
reaches shows how much there is to reach. *By processor* is what two would answer if each had a core
to itself. Both share the 16 connections of one: fewer requests wait together, and what is done once
for all of them, such as writing the log, is done more often."""


class Project(Protocol):
    """What is asked: its server, and the requests."""

    def serve(self, workers: int) -> AbstractContextManager[Served]:
        """Start its server."""

    def script(self, name: str, count: int = 1, live: bool = False) -> str:
        """Give the requests of `count` payments each, whose names begin with `name`."""


def measure_workers(bare: Rival, project: Project, rounds: int) -> dict[str, list[Load]]:
    """Ask one worker and two in turn, round after round; and the bare endpoint, likewise."""
    loads: dict[str, list[Load]] = defaultdict(list)
    for turn in track(range(rounds), "workers"):
        for count, name in ((1, ""), (TWO, OF_TWO)):
            command = (*bare.command, "--workers", str(count))
            with served(command, bare.folder, bare.env, bare.ready, count) as server:
                time.sleep(START_SECONDS)
                loads[BARE + name].append(ask(server, bare.path, bare.script))
            with project.serve(count) as server:
                time.sleep(START_SECONDS)
                for kind in (STATELESS, LIVE):
                    script = project.script(f"{kind}{count}{turn}-", live=kind == LIVE)
                    loads[kind + name].append(ask(server, "/v1/predict", script))
    return loads


def two_of_one(loads: Mapping[str, Sequence[Load]]) -> str:
    """Give the table of what a second worker adds; by processor, if each had its core whole."""
    kinds = (BARE, STATELESS, LIVE)
    return report.table(
        ("two workers, times one", "by clock", "by processor", "requests/s", "p99, ms", "CPU, us"),
        (
            (
                kind,
                f"{ratio(loads, kind + OF_TWO, kind, False):.2f}",
                f"{TWO * ratio(loads, kind + OF_TWO, kind, True):.2f}",
                f"{middle(loads[kind + OF_TWO], lambda load: load.requests):,.0f}",
                f"{middle(loads[kind + OF_TWO], lambda load: load.p99):.1f}",
                f"{middle(loads[kind + OF_TWO], lambda load: load.processor):,.0f}",
            )
            for kind in kinds
        ),
    )
