"""Speed and size of the server of a fraud project: writes serving_speed.md beside this file.

It generates a project, installs what serves it and nothing else, trains the champion with the
default parameters, and lets the server remember the payments before. Then `wrk`, which must be on
the PATH, asks that server, a bare endpoint, `mlflow models serve` and BentoML in turn. Ratios are
of the same round; beside them stand those of the processor time a request, which other work on the
machine hardly changes.
"""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import report
from cookiecutter.main import cookiecutter
from load import SECONDS, Load, Served, ask, middle, ratio, served
from rich.progress import track
from rivals import BARE, BENTOML, MLFLOW, rivals
from two_workers import LIVE, STATELESS, WORKERS, measure_workers, two_of_one

from project_package.fraud.task import API, FraudRequest
from project_package.state.base import State

HERE = Path(__file__).resolve().parent
LIBRARIES = ("fastapi", "uvicorn", "pydantic", "onnxruntime", "numpy", "mlflow")
ROUNDS, MANY, LOOKS = 3, 1_000, 5_000
NOW = "2018-09-30T23:59:59Z"
THOUSAND = "stateless, bodies of 1,000"
PROTOCOL = f"""\
A fraud project with default parameters; one worker on one core, the load from another. `wrk` kept
16 connections open (four for the bodies of 1,000), {SECONDS} seconds for each server in turn,
{ROUNDS} rounds; figures are medians of the rounds. Stateless requests bring an empty past; live
ones bring none, so that the server looks at its state (SQLite), remembers the payment and waits for
the disk. API keys, limits, metrics and prediction log are on. The bare endpoint has the same
pydantic body and answer type, and a constant for an answer. `mlflow models serve` and BentoML get
the features, ready; both have the same graph, and no log. *By processor* compares the processor
time of a request, all processes of the server together, which other work on the machine changes
less than the clock."""
PAYMENTS = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %(key)s"
local n = 0
function payment()
  n = n + 1
  return string.format('{"transaction": {"transaction_id": "%(name)s%%d", "timestamp": "%(now)s", '
    .. '"customer_id": "C%%07d", "terminal_id": "T%%07d", "amount": %%d.5}%(past)s}',
    n, n * 7919 %% 5000, n * 104729 %% 10000, n %% 200)
end
function request()
  local payments = {}
  for place = 1, %(count)d do payments[place] = payment() end
  return wrk.format(nil, nil, nil, '{"instances": [' .. table.concat(payments, ",") .. ']}')
end
"""


@dataclass(frozen=True)
class Project:
    """A generated project with a champion, and what serves it."""

    folder: Path
    key: str
    packages: int
    megabytes: float
    events: int
    """That its state remembers."""

    def script(self, name: str, count: int = 1, live: bool = False) -> str:
        """Give the requests of `count` payments each, whose names begin with `name`."""
        past = "" if live else ', "history": []'
        return PAYMENTS % {"key": self.key, "name": name, "now": NOW, "past": past, "count": count}

    @contextmanager
    def serve(self, workers: int = 1, **env: str) -> Iterator[Served]:
        """Start its server."""
        command = [str(self.folder / ".venv/bin/ml"), "serve", "--quiet", "--port", "PORT"]
        env["SERVE_WORKERS"] = str(workers)
        with served(command, self.folder, env, "/readyz", workers) as server:
            yield server


@dataclass(frozen=True)
class Sizes:
    """Of a server that has just started, with an empty state; and of the state."""

    start: float
    memory: float
    event: float


def make(folder: Path) -> Project:
    """Generate a project, install its serving environment, train it and fill its state."""
    project = Path(cookiecutter(str(HERE.parent), no_input=True, output_dir=str(folder)))
    run(["uv", "sync", "--quiet", "--no-default-groups"], project)
    installed = [path for path in (project / ".venv").rglob("*") if path.is_file()]
    sizes = sum(path.stat().st_size for path in installed if "__pycache__" not in path.parts)
    packages = sum(path.name == "METADATA" for path in installed) - 1  # the project is one
    ml = [sys.executable, "-m", "project_package.fraud"]
    run([*ml, "pipeline"], project)
    events = int(run([*ml, "remember"], project).split(" of ")[0].split()[-1].replace(",", ""))
    key = run([*ml, "key", "bench", "--scope", "predict"], project).split()[-1]
    return Project(project, key, packages, sizes / 1e6, events)


def run(command: Sequence[str], folder: Path) -> str:
    """Run a command; give what it prints."""
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, check=False, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
    return done.stdout


def measure(project: Project) -> dict[str, list[Load]]:
    """Ask all in turn, round after round."""
    loads: dict[str, list[Load]] = defaultdict(list)
    with ExitStack() as stack:
        others = {
            name: (
                rival,
                stack.enter_context(served(rival.command, rival.folder, rival.env, rival.ready)),
            )
            for name, rival in rivals(project.folder, project.script("B")).items()
        }
        mine = stack.enter_context(project.serve())
        for turn in track(range(ROUNDS), "rounds"):
            for name, (rival, server) in others.items():
                loads[name].append(ask(server, rival.path, rival.script))
            loads[STATELESS].append(ask(mine, "/v1/predict", project.script(f"S{turn}-")))
            loads[LIVE].append(ask(mine, "/v1/predict", project.script(f"L{turn}-", live=True)))
            many = project.script(f"M{turn}-", MANY)
            loads[THOUSAND].append(ask(mine, "/v1/predict", many, connections=4))
    return loads


def looks(project: Project, folder: Path) -> tuple[float, float]:
    """Give the microseconds of a look at a payment's past, for the first time and once more."""
    copy = shutil.copy(project.folder / "state.db", folder / "copy.db")
    rng, now = np.random.default_rng(1), datetime.fromisoformat(NOW)
    payments = [
        FraudRequest.model_validate(
            {
                "transaction": {
                    "transaction_id": "L",
                    "timestamp": now,
                    "customer_id": f"C{customer:07d}",
                    "terminal_id": f"T{terminal:07d}",
                    "amount": 1,
                }
            }
        )
        for customer, terminal in rng.integers(0, (5_000, 10_000), (LOOKS, 2))
    ]
    rows, state, seconds = API.rows(payments), State(copy, API.memory), list[float]()
    with state.transaction():
        for _ in range(2):
            start = perf_counter()
            for place in range(LOOKS):
                state.past(rows, place)
            seconds.append(perf_counter() - start)
    state.close()
    return seconds[0] / LOOKS * 1e6, seconds[1] / LOOKS * 1e6


def rates(loads: Mapping[str, Sequence[Load]]) -> str:
    """Give the table of all servers."""
    return report.table(
        ("server", "requests/s", "of bare", "by processor", "p50, ms", "p99, ms", "CPU, us"),
        (
            (
                name,
                f"{middle(mine, lambda load: load.requests):,.0f}",
                f"{ratio(loads, name, BARE, False):.2f}",
                f"{ratio(loads, name, BARE, True):.2f}",
                f"{middle(mine, lambda load: load.p50):.1f}",
                f"{middle(mine, lambda load: load.p99):.1f}",
                f"{middle(mine, lambda load: load.processor):,.0f}",
            )
            for name, mine in loads.items()
        ),
    )


def goals(project: Project, loads: Mapping[str, Sequence[Load]], sizes: Sizes) -> str:
    """Give the table of what was to be reached."""
    tail = middle(loads[LIVE], lambda load: load.p99 / load.p50)
    instances = middle(loads[THOUSAND], lambda load: load.requests) * MANY
    found = (
        ("stateless, of the bare endpoint", ratio(loads, STATELESS, BARE, False), ">=", 0.75, ""),
        ("the same by processor time", ratio(loads, STATELESS, BARE, True), ">=", 0.75, ""),
        (
            "stateless, times `mlflow models serve`",
            ratio(loads, STATELESS, MLFLOW, False),
            ">=",
            15,
            "",
        ),
        ("stateless, times BentoML", ratio(loads, STATELESS, BENTOML, False), ">=", 10, ""),
        ("live, of the bare endpoint", ratio(loads, LIVE, BARE, False), ">=", 0.40, ""),
        ("the same by processor time", ratio(loads, LIVE, BARE, True), ">=", 0.40, ""),
        ("live, p99 over p50", tail, "<", 10, ""),
        ("instances of bodies of 1,000", instances, ">=", 150_000, " a second"),
        ("start to first answer", sizes.start, "<", 1.5, " s"),
        ("resident memory before state", sizes.memory, "<", 160, " MB"),
        ("live state", sizes.event, "<=", 100, " bytes an event"),
        ("serving environment", project.megabytes, "<", 220, " MB"),
        ("packages in it", project.packages, "<=", 35, ""),
    )
    return report.table(
        ("measure", "measured", "to reach", "kept"),
        (
            (
                name,
                f"{value:,.4g}{unit}",
                f"{sign} {limit:,g}{unit}",
                "yes" if (value >= limit if sign == ">=" else value <= limit) else "no",
            )
            for name, value, sign, limit, unit in found
        ),
    )


def main() -> None:
    """Measure all and write the report."""
    if not shutil.which("wrk"):
        sys.exit("`wrk` is missing, which asks the servers: install it (apt-get install wrk).")
    with TemporaryDirectory() as name:
        project = make(Path(name))
        first, again = looks(project, Path(name))
        event = (project.folder / "state.db").stat().st_size / project.events
        with project.serve():  # whose start leaves compiled bytecode
            pass
        with project.serve(STATE_URL="empty.db") as server:
            sizes = Sizes(server.started, server.memory(), event)
        loads = measure(project)
        bare = rivals(project.folder, project.script("B"))[BARE]
        workers = measure_workers(bare, project, ROUNDS)
    parts = (
        "# The server: speed and size",
        report.measured_on(LIBRARIES, "make bench"),
        PROTOCOL,
        rates(loads),
        goals(project, loads, sizes),
        WORKERS,
        two_of_one(workers),
        f"The state remembered {project.events:,} payments. A look at the past of a card and a "
        f"terminal took {first:.0f} us when it had to be read, {again:.0f} us when it was there.",
    )
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
