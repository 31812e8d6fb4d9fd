"""drill: show the closed loop on this machine, from normal traffic to a new champion.

A server starts; days of traffic are sent to it, from some day on with a damage; monitoring raises
an alarm; a new model is trained on the days since, passes the gate, and the server takes it while
it answers. reports/drill.json has the timeline, drill.svg the quality over time.
"""

import json
import os
import shutil
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, chdir, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from pkgutil import resolve_name
from typing import TypeAlias

import httpx2

from ..bundle import EXAMPLES
from ..errors import UserError, require_known
from ..lifecycle.pipeline import pipeline
from ..lifecycle.project import Project
from ..model_store import CHAMPION
from .drill_server import serving, wait_for
from .findings import Findings
from .monitor import watch
from .retrain import retrain
from .simulate import Stream
from .timeline import Event, Timeline, write
from .windows import Times

NORMAL = 4
WAIT = 3
AFTER = 3
"""Days of normal traffic; days in which an alarm is expected after the first labels of the damage;
days with labels after the new champion."""
FOLDER = "build/drill"
ADDRESSES = ("LOG_URL", "MLFLOW_TRACKING_URI", "MODEL_STORE", "OPTUNA_STORAGE", "STATE_URL")
LIFECYCLE = pipeline.__module__.rpartition(".")[0]
OpenProject: TypeAlias = Callable[[Sequence[str]], AbstractContextManager[Project]]


class Drill:
    """Traffic to a server, and what monitoring sees of it after each day."""

    def __init__(self, project: Project, client: httpx2.Client) -> None:
        self.project = project
        self.client = client
        self.stream = Stream(project, client)
        self.times: list[Times] = []
        self.events: list[Event] = []
        self.requests = 0
        self.found: Findings

    def day(self, damage: str = "") -> tuple[str, ...]:
        """Send a day, and monitor all days so far; return the reasons to train."""
        start = datetime.now(UTC)
        self.stream.send(damage)
        time.sleep(0.3)  # the log is written every 100 ms
        self.times.append((start, datetime.now(UTC)))
        self.found = watch(self.project, self.newest)
        return tuple(alarm.reason for alarm in self.found.alarms if alarm.retrain)

    @property
    def newest(self) -> list[Times]:
        """The newest day, and the newest whose labels have arrived."""
        late = self.stream.simulation.label_days
        return [*self.times[-late - 1 : -late], self.times[-1]]

    def note(self, what: str) -> None:
        """Add an event."""
        self.events.append(Event(day=len(self.times), what=what))
        self.project.console.print(f"day {len(self.times)}: {what}")

    def ask(self, stop: threading.Event) -> None:
        """Send requests until the event is set; raise HTTPError if one fails."""
        bundle = self.project.store.load(CHAMPION)[1]
        requests = [example["request"] for example in json.loads(bundle.files[EXAMPLES])]
        while not stop.wait(0.02):
            body = {"instances": requests[:1]}
            self.client.post("/v1/predict", json=body).raise_for_status()
            self.requests += 1


def drill(open_project: OpenProject, package: str, damage: str) -> None:
    """Run the drill in a folder of its own, so that no model, log or event of the project changes.

    Args:
        open_project: opens the project of the working folder with changes of its parameters.
        package: that of the use case.
        damage: what changes in the traffic.

    Raises:
        UserError: no alarm was raised, or a request failed.
        GateRefused: the new model is no better.
    """
    home = Path.cwd()
    own = own_source(home)

    def opened(changes: Sequence[str]) -> AbstractContextManager[Project]:
        return open_project([*own, *changes])

    with own_folder(home), opened(()) as project:
        damages = project.training.simulation.damages if project.training.simulation else {}
        require_known("The damage", [damage], "a damage", damages)
        # 1. Train a first champion; its server knows the recent events.
        pipeline(project)
        if project.events:
            resolve_name(f"{LIFECYCLE}.backfill:backfill")(project)
        with serving(project, package) as client:
            timeline = run_days(opened, Drill(project, client), damage)
        write(project, home, timeline)


def own_source(home: Path) -> list[str]:
    """Return the changes that name files of the project by their absolute path."""
    data = tomllib.loads((home / "params.toml").read_text("utf-8")).get("data", {})

    def absolute(source: str | list[str]) -> str | list[str]:
        if isinstance(source, list):
            return [str(absolute(one)) for one in source]
        is_own = not Path(source).is_absolute() and any(home.glob(source))
        return str(home / source) if is_own else source

    named = {key: data[key] for key in ("source", "sources") if data.get(key)}
    return [f"data.{key}={json.dumps(absolute(value))}" for key, value in named.items()]


@contextmanager
def own_folder(home: Path) -> Iterator[None]:
    """Work in an empty folder with the parameters of the project, and none of its addresses."""
    folder = home / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in home.glob("*.toml"):
        shutil.copy(path, folder)
    for name in ADDRESSES:
        os.environ.pop(name, None)
    with chdir(folder):
        yield


def run_days(open_project: OpenProject, run: Drill, damage: str) -> Timeline:
    """Send days of traffic, and train when there is a reason; return what happened."""
    simulation = run.stream.simulation
    # 1. Normal traffic: there must be no alarm.
    for _ in range(NORMAL):
        if reasons := run.day():
            run.note(f"a false alarm: {', '.join(reasons)}")
    # 2. The damage begins; wait for the alarm.
    run.note(f"{damage} begins")
    for _ in range(simulation.label_days + WAIT):
        if reasons := run.day(damage):
            run.note(f"alarm: {', '.join(reasons)}")
            break
    else:
        raise UserError(f"No alarm in {len(run.times) - NORMAL} days of {damage}.")
    # 3. Collect days with labels, and train on those with the damage.
    while run.stream.state.labelled < NORMAL + simulation.collect_days:
        run.day(damage)
    changes = run.stream.write_source(NORMAL)
    with open_project(changes) as newer, asking(run):
        is_needed = retrain(newer, run.newest) is not None
        version = str(newer.store.load(CHAMPION)[0])
        wait_for(run.client, version)
    run.note(f"version {version} answers" if is_needed else "no reason to train any more")
    # 4. The same traffic, answered by the new version.
    for _ in range(AFTER + simulation.label_days - 1):
        run.day(damage)
    found = watch(run.project, run.times)
    return Timeline(
        damage=damage, windows=found.windows, events=tuple(run.events), requests=run.requests
    )


@contextmanager
def asking(run: Drill) -> Iterator[None]:
    """Send requests in a thread while the body runs; raise UserError if one fails."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(run.ask, stop)
        try:
            yield
        finally:
            stop.set()
    if error := asked.exception():
        raise UserError(f"A request failed while the model changed: {error!r}")
