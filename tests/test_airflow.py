"""The DAG of the option `airflow` runs the pipeline of a small project, in Airflow."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import PROGRAM, TEMPLATE, bake_from
from demo import environment, free_port, get, running_python
from documents import commands_of
from machine import listens, wait_for
from test_project import run

pytestmark = pytest.mark.projects
USE_CASE, PACKAGE = "fraud", "cards"
DAG = f"retrain_{PACKAGE}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate a project that trains in seconds, and install it and Airflow as its page says."""
    project = bake_from(
        TEMPLATE,
        tmp_path_factory.mktemp("airflow"),
        use_case=USE_CASE,
        airflow="yes",
        package_name=PACKAGE,
        python_version=running_python(),
    )
    shutil.copy(PROGRAM / "tests" / USE_CASE / "tiny.toml", project / "params.toml")
    dag = project / "deploy" / "airflow" / "retrain.py"
    waits = dag.read_text(encoding="utf-8")
    dag.write_text(waits.replace("timedelta(minutes=5)", "timedelta(seconds=1)"), encoding="utf-8")
    run(project, "make", "airflow")
    return project


@pytest.fixture(scope="module")
def first_run(project: Path) -> dict[str, str]:
    """Run the command of the page, and kill the training once; return the states of its tasks."""
    document = (project / "deploy" / "airflow" / "README.md").read_text(encoding="utf-8")
    (command,) = (one for one in commands_of(document) if "dags test" in one)
    killed: list[int] = []
    killer = threading.Thread(target=kill, args=(project, "train", killed), daemon=True)
    killer.start()
    output = run(project, "bash", "-c", command)
    assert killed
    assert "`ml train` ended with -9" in output
    return states(project)


def kill(project: Path, command: str, killed: list[int]) -> None:
    """Wait for a command of `ml`, and kill it."""
    wanted = [str(project / ".venv" / "bin" / "ml"), command]
    deadline = time.monotonic() + 300
    while not killed and time.monotonic() < deadline:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found = path.read_text(encoding="utf-8").split("\0")
            except OSError:  # it has ended
                continue
            if found[-3:-1] == wanted:
                os.kill(int(path.parent.name), signal.SIGKILL)
                killed.append(int(path.parent.name))
        time.sleep(0.05)


def airflow(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Airflow with the settings of the project."""
    return subprocess.run(
        ["sh", "deploy/airflow/airflow.sh", *arguments],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def run_dag(project: Path, *changes: str) -> dict[str, str]:
    """Run the DAG with changed parameters; return the states of its tasks."""
    airflow(project, "dags", "test", DAG, "--conf", json.dumps({"changes": changes}))
    return states(project)


def states(project: Path) -> dict[str, str]:
    """Return the state of each task of the last run."""
    last = max(listed(project, "dags", "list-runs", DAG), key=lambda run: str(run["start_date"]))
    tasks = listed(project, "tasks", "states-for-dag-run", DAG, last["run_id"])
    return {task["task_id"]: task["state"] for task in tasks}


def listed(project: Path, *arguments: str) -> list[dict[str, str]]:
    """Return what a command of Airflow lists; warnings come before it."""
    output = airflow(project, *arguments, "--output", "json").stdout
    rows: list[dict[str, str]] = json.loads(output[output.index("[{") :])
    return rows


def champion(project: Path) -> str:
    """Return the version that is the champion."""
    path = project / "store" / "champion.json"
    return str(json.loads(path.read_text(encoding="utf-8"))["version"])


def test_killed_task_is_tried_again_until_there_is_a_champion(
    project: Path, first_run: dict[str, str]
) -> None:
    done = ("monitor", "data", "train", "evaluate", "promote", "new_champion")
    skipped = ("champion_stays", "challenger_refused")
    expected = {**dict.fromkeys(done, "success"), **dict.fromkeys(skipped, "skipped")}
    assert first_run == expected
    assert champion(project) == "1"


@pytest.mark.usefixtures("first_run")
def test_nothing_is_trained_without_a_reason(project: Path) -> None:
    found = run_dag(project)
    assert found["champion_stays"] == "success"
    assert found["data"] == found["new_champion"] == "skipped"


@pytest.mark.usefixtures("first_run")
def test_refused_version_takes_the_other_branch(project: Path) -> None:
    old, slow = "monitor.stale_days=0.00001", "promote.max_latency_ms=0.001"
    found = run_dag(project, old, slow)
    assert found["train"] == found["challenger_refused"] == "success"
    assert found["new_champion"] == found["champion_stays"] == "skipped"
    assert champion(project) == "1"


@pytest.mark.usefixtures("first_run")
def test_what_a_person_has_to_do_is_not_tried_again(project: Path) -> None:
    done = airflow(project, "dags", "test", DAG, "--conf", '{"changes": ["data.customers=0"]}')
    assert done.stdout.count("`ml monitor` ended with 2") == 1
    assert states(project)["monitor"] == "failed"


@pytest.mark.usefixtures("first_run")
def test_scheduler_of_the_page_runs_the_dag(project: Path, tmp_path: Path) -> None:
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "deploy/airflow/airflow.sh", "standalone"],
            cwd=project,
            env={**environment(), "AIRFLOW_PORT": str(port)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        health = f"http://127.0.0.1:{port}/api/v2/monitor/health"
        wait_for(lambda: listens(port) and get(health)["scheduler"]["status"] == "healthy")
        before = len(listed(project, "dags", "list-runs", DAG))
        airflow(project, "dags", "unpause", DAG)
        wait_for(lambda: len(listed(project, "dags", "list-runs", DAG)) > before)
        wait_for(lambda: states(project).get("champion_stays") == "success")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
