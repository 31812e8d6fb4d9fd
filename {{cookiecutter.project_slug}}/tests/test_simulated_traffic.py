"""The simulated traffic of a use case: its server takes it, and a model can be trained on it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from pkgutil import resolve_name

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from servers import wait_until

import project_package
from project_package.cli import EntryPoint
from project_package.contract.simulation import Simulation
from project_package.lifecycle.make_dataset import make_dataset
from project_package.lifecycle.project import Project
from project_package.monitoring.monitor import find_reference
from project_package.monitoring.simulate import Stream
from project_package.monitoring.skew import find_skew
from project_package.monitoring.windows import read_windows
from project_package.params import Params
from project_package.prediction_log import open_log
from project_package.read_params import read_params
from project_package.serving.app import create_app

PACKAGE = project_package.__name__


@pytest.fixture
def copy(trained: Path, clone: Callable[[Path], Project]) -> Project:
    """Return a copy of the finished project with simulated traffic, to write to."""
    project = clone(trained)
    if project.training.simulation is None:
        pytest.skip("this use case has no simulated traffic")
    return project


@pytest.fixture
def simulation(copy: Project) -> Simulation:
    assert copy.training.simulation is not None
    return copy.training.simulation


@pytest.fixture
def stream(copy: Project, entry: EntryPoint) -> Iterator[Stream]:
    """Serve the copy, whose event store has the recent events."""
    opened = copy
    if entry.history:
        events = resolve_name(f"{PACKAGE}.lifecycle.event_store_access")
        opened = replace(copy, events=events)
        resolve_name(f"{PACKAGE}.lifecycle.backfill:backfill")(opened)
    settings = copy.settings.model_copy(update={"serve_keys": "off"})
    make_task = copy.training.make_task
    app = create_app(make_task, settings, copy.workspace.root, entry.open_events)
    with TestClient(app) as client:
        yield Stream(opened, client)


def test_the_server_takes_days_and_labels(stream: Stream, simulation: Simulation) -> None:
    days = simulation.label_days + 1
    sent = [stream.send() for _ in range(days)]
    assert min(sent) > 0
    assert stream.state.labelled == 1


def test_days_differ_and_are_the_same_each_time(copy: Project, simulation: Simulation) -> None:
    folder = copy.workspace.dataset().path
    first, second, again = (simulation.day(folder, number) for number in (0, 1, 0))
    assert first.equals(again)
    assert simulation.requests(first) != simulation.requests(second)


def test_each_damage_changes_a_day(copy: Project, simulation: Simulation) -> None:
    stream = Stream(copy, httpx2.Client())
    for damage in simulation.damages:
        stream.begin(damage)
    for number in range(len(simulation.damages)):
        rows = stream.rows(number)
        clean = simulation.day(copy.workspace.dataset().path, number)
        kinds = (simulation.requests, simulation.events, simulation.labels)
        assert any(kind(rows) != kind(clean) for kind in kinds if kind)


def test_the_server_computes_what_the_data_stage_does(
    stream: Stream, simulation: Simulation
) -> None:
    project = stream.project
    start = datetime.now(UTC)
    for _ in range(simulation.label_days + 2):
        stream.send()
    changes = stream.write_source(0)
    make_dataset(replace(project, params=with_changes(project, changes)))
    log = open_log(project.settings, project.workspace.root)
    assert log is not None
    sent = sum(day.sent for day in stream.state.days)
    wait_until(lambda: log.count_answers(start, datetime.now(UTC)) >= sent)
    reference = partial(find_reference, project)
    windows = read_windows(log, [(start, datetime.now(UTC))], reference, 1_000_000)
    skew = find_skew(project, log, windows)
    if project.events is None or not project.champion_task().id:
        assert skew is None
        return
    assert skew is not None
    assert skew.instances > 0
    assert max(skew.shares.values()) == 0
    (window,) = windows
    wrong = {**window.rows, **{name: np.roll(window.rows[name], 1) for name in skew.shares}}
    skewed = replace(window, rows=wrong)
    for pair, largest in (([window, skewed], 1), ([skewed, window], 0)):  # the newest counts
        skew = find_skew(project, log, pair)
        assert skew is not None
        assert round(max(skew.shares.values())) == largest
    few = replace(project, params=with_changes(project, ["monitor.min_rows=1000000"]))
    assert find_skew(few, log, windows) is None


def with_changes(project: Project, changes: Sequence[str]) -> Params:
    return read_params(type(project.params), project.workspace.root / "params.toml", changes)


def test_a_data_set_is_made_of_the_days(copy: Project, simulation: Simulation) -> None:
    folder = copy.workspace.dataset().path
    days = [simulation.day(folder, number) for number in range(simulation.collect_days)]
    rows = days[0].vstack(days[1])
    changes = simulation.write_source(folder, rows, copy.workspace.root / "more.parquet")
    before = copy.workspace.dataset().digest
    make_dataset(replace(copy, params=with_changes(copy, changes)))
    is_new = copy.champion_task().name != "support"  # whose days repeat questions of the data set
    assert (copy.workspace.dataset().digest != before) is is_new
