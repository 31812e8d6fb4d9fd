"""Speed and size of the server of a fraud project: writes serving_speed.md beside this file.

It generates a project, installs its serving environment, trains the champion with the default
parameters and fills the event store. Then `wrk`, which must be on the PATH, sends requests to that
server, a bare endpoint, `mlflow models serve` and BentoML in turn. Ratios are taken within a round,
since the speed of the machine changes. With `--before FOLDER`, a project that an earlier version of
the template generated (installed and trained) is measured in the same rounds; its event stores are
filled again.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import report
from cookiecutter.main import cookiecutter
from load import SECONDS, Load, median_of, ratio, send, served
from rich.progress import track
from rivals import BARE, BENTOML, MLFLOW, rivals
from traffic import (
    BODIES,
    CONNECTIONS,
    EVENTS,
    MANY,
    SCOPES,
    STATELESS,
    STORED,
    Project,
)

HERE = Path(__file__).resolve().parent
LIBRARIES = ("fastapi", "uvicorn", "pydantic", "onnxruntime", "numpy", "mlflow")
ROUNDS = 3
PROTOCOL = f"""\
A fraud project with default parameters; one worker on one core, `wrk` on the other, with 16 open
connections (4 for the bodies of {MANY:,}), {SECONDS} seconds for each server in turn, {ROUNDS}
rounds; figures are medians of the rounds. *History in the request* sends an empty history; *event
store* sends none, so the server reads the history of card and terminal from SQLite, stores the
payment and waits for the disk. *Skewed* draws cards and terminals by Zipf's law, the k-th with a
chance proportional to 1/k; the store has {EVENTS:,} events that were drawn so, 8 % of them of the
busiest card. API keys, limits, metrics and prediction log are on. The bare endpoint is FastAPI with
the same body and response types and a constant answer, on the same uvicorn settings (h11, uvloop).
`mlflow models serve` gets the same requests and runs the same code; BentoML gets computed features.
*By processor* compares the processor time per request of all processes of a server, which other
work on the machine changes less than the clock."""
OVERLOAD = """\
With more connections than requests in flight (256, and 224 that need the event store) the server
refuses requests. Answered requests per processor second, as a share of the best of a round:"""
BEFORE = " Rows *before* are of the project of an earlier version (`--before`)."


@dataclass(frozen=True)
class Sizes:
    """Sizes of a new server, and of what it needs."""

    start: float
    memory: float
    event: float
    megabytes: float
    packages: int


def make(folder: Path) -> tuple[Project, float, int]:
    """Generate a project, install its server, train and fill its event store.

    Returns the project, the size of the serving environment in MB, and its number of packages.
    """
    answers = {"use_case": "fraud"}
    project = Path(
        cookiecutter(str(HERE.parent), no_input=True, output_dir=str(folder), extra_context=answers)
    )
    run(["uv", "sync", "--quiet", "--no-default-groups"], project)
    installed = [path for path in (project / ".venv").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in installed if "__pycache__" not in path.parts)
    packages = sum(path.name == "METADATA" for path in installed) - 1  # the project is one
    ml = [sys.executable, "-m", "project_package.fraud.entry_point"]
    run([*ml, "pipeline"], project)
    run([*ml, "backfill"], project)
    key = run([*ml, "key", "bench", *SCOPES], project).split()[-1]
    return Project(project, key), size / 1e6, packages


def run(command: Sequence[str], folder: Path) -> str:
    """Run a command; return what it prints."""
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, check=False, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
    return done.stdout


def measure(project: Project, before: Project | None) -> dict[str, list[Load]]:
    """Measure all servers in turn, round after round."""
    loads: dict[str, list[Load]] = defaultdict(list)
    with ExitStack() as stack:
        others = {
            name: (
                rival,
                stack.enter_context(served(rival.command, rival.folder, rival.env, rival.ready)),
            )
            for name, rival in rivals(project.folder, project.script("B")).items()
        }
        mine = stack.enter_context(project.serve_both())
        earlier = stack.enter_context(before.serve_both()) if before else None
        for turn in track(range(ROUNDS), "rounds"):
            for name, (rival, server) in others.items():
                loads[name].append(send(server, rival.path, rival.script))
            found = project.measure(mine, turn)
            if before and earlier:
                found |= before.measure(earlier, turn, "before: ")
            for name, load in found.items():
                loads[name].append(load)
    return loads


def overloads(rounds: Sequence[Mapping[str, Mapping[int, Load]]]) -> str:
    """Return the table of answers per processor second, as shares of the best of a round."""

    def share(loads: Mapping[int, Load], connections: int) -> float:
        return min(load.processor for load in loads.values()) / loads[connections].processor

    return report.table(
        ("connections", STATELESS, STORED),
        (
            (
                str(connections),
                *(
                    f"{median(share(loads[name], connections) for loads in rounds):.2f}"
                    for name in (STATELESS, STORED)
                ),
            )
            for connections in CONNECTIONS
        ),
    )


def speeds(loads: Mapping[str, Sequence[Load]]) -> str:
    """Return the table of all servers."""
    header = ("server", "requests/s", "of bare", "by processor", "p50, ms", "p99, ms", "CPU, us")
    return report.table(
        header,
        (
            (
                name,
                f"{median_of(mine, lambda load: load.requests):,.0f}",
                f"{ratio(loads, name, BARE, False):.2f}",
                f"{ratio(loads, name, BARE, True):.2f}",
                f"{median_of(mine, lambda load: load.p50):.1f}",
                f"{median_of(mine, lambda load: load.p99):.1f}",
                f"{median_of(mine, lambda load: load.processor):,.0f}",
            )
            for name, mine in loads.items()
        ),
    )


def targets(loads: Mapping[str, Sequence[Load]], sizes: Sizes) -> str:
    """Return the table of targets."""
    instances = MANY * ratio(loads, BODIES, BARE, False)
    found = (
        ("history in the request, of bare", ratio(loads, STATELESS, BARE, False), ">=", 0.6),
        ("event store, of bare", ratio(loads, STORED, BARE, False), ">=", 0.2),
        ("instances/s in bodies of 1,000, of bare requests/s", instances, ">=", 4.5),
        ("history in the request, of `mlflow`", ratio(loads, STATELESS, MLFLOW, False), ">=", 3),
        ("history in the request, of BentoML", ratio(loads, STATELESS, BENTOML, False), ">=", 3),
        ("start to first answer, s", sizes.start, "<", 1.5),
        ("resident memory, MB", sizes.memory, "<", 160),
        ("event store, bytes an event", sizes.event, "<", 160),
        ("serving environment, MB", sizes.megabytes, "<", 220),
        ("packages in it", sizes.packages, "<=", 40),
    )
    return report.table(
        ("measure", "measured", "target", "met"),
        (
            (
                name,
                f"{value:,.3g}",
                f"{sign} {limit:g}",
                "yes" if (value >= limit if sign == ">=" else value <= limit) else "no",
            )
            for name, value, sign, limit in found
        ),
    )


def main() -> None:
    """Measure all and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a project of an earlier version")
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("`wrk` is missing, which sends the requests: apt-get install wrk.")
    before = None
    if arguments.before:
        folder = arguments.before.resolve()
        ml, name = str(folder / ".venv/bin/ml"), f"bench-{os.getpid()}"
        for path in [*folder.glob("state.db*"), *folder.glob("skewed.db*")]:
            path.unlink()  # the payments of an earlier run would be repeated ones
        run([ml, "backfill"], folder)
        key = run([ml, "key", name, *SCOPES], folder).split()[-1]
        before = Project(folder, key)
    with TemporaryDirectory() as name:
        project, megabytes, packages = make(Path(name))
        database = project.folder / "state.db"
        with sqlite3.connect(database) as connection:
            ((count,),) = connection.execute("SELECT count(*) FROM events")
        event = database.stat().st_size / count
        with project.serve():  # its start leaves compiled bytecode
            pass
        with project.serve(STATE_URL="empty.db") as server:
            sizes = Sizes(server.started, server.memory(), event, megabytes, packages)
        loads = measure(project, before)
        with project.serve() as server:
            overload = [project.overload(server, turn) for turn in range(ROUNDS)]
    parts = (
        "# The server: speed and size",
        report.measured_on(LIBRARIES, "make bench"),
        PROTOCOL + (BEFORE if before else ""),
        speeds(loads),
        targets(loads, sizes),
        OVERLOAD,
        overloads(overload),
    )
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
