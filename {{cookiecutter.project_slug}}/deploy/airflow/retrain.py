"""Every day: monitor the champion; if there is a reason, train a version and judge it.

monitor ──> data ──> train ──> evaluate ──> promote ──> new_champion
   └──> champion_stays                         └──> challenger_refused

Each task runs a command of `ml` in the project's own environment, so Airflow needs none of its
libraries, but the project's folder with `.venv`. Data, runs and models are at the addresses in the
project's settings. A command that crashed or was killed is tried again, and continues.
"""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Asset, Param, dag, task
from airflow.sdk.exceptions import AirflowFailException

NAME = "project_package"
FOLDER = Path(os.environ.get(f"{NAME}_FOLDER".upper()) or Path(__file__).parents[2])
GATE_REFUSED, PERSON_NEEDED, MODEL_NEEDED = 1, 2, 3
"""Exit codes of `ml`."""


def ml(command: str, changes: list[str], *expected: int) -> int:
    """Run a command of `ml`; return its exit code, which is 0 or expected.

    Raises:
        AirflowFailException: a person has to act; the task is not tried again.
        RuntimeError: the command crashed or was killed; the task is tried again.
    """
    options = [option for change in changes for option in ("--set", change)]
    done = subprocess.run([FOLDER / ".venv/bin/ml", command, *options], cwd=FOLDER, check=False)
    if done.returncode in {0, *expected}:
        return done.returncode
    error = AirflowFailException if done.returncode == PERSON_NEEDED else RuntimeError
    raise error(f"`ml {command}` ended with {done.returncode}.")


@dag(
    dag_id=f"retrain_{NAME}",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,  # two would write the same data set and reports
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    params={
        "train": Param(False, type="boolean", description="Train without a reason: the first run"),
        "changes": Param([], type="array", description="Parameters, such as train.trials=50"),
    },
    doc_md=__doc__,
)
def retrain() -> None:
    """Declare the tasks and their order."""

    @task.branch
    def monitor(params: dict[str, Any]) -> str:
        if params["train"] or ml("monitor", params["changes"], MODEL_NEEDED) == MODEL_NEEDED:
            return "data"
        return "champion_stays"

    @task
    def stage(command: str, params: dict[str, Any]) -> None:
        ml(command, params["changes"])

    @task.branch
    def promote(params: dict[str, Any]) -> str:
        refused = ml("promote", params["changes"], GATE_REFUSED) == GATE_REFUSED
        return "challenger_refused" if refused else "new_champion"

    data, train, evaluate = (
        stage.override(task_id=name)(name) for name in ("data", "train", "evaluate")
    )
    gate = promote()
    watch = monitor()
    watch >> EmptyOperator(task_id="champion_stays")
    watch >> data >> train >> evaluate >> gate
    gate >> EmptyOperator(task_id="new_champion", outlets=[Asset(f"champion_{NAME}")])
    gate >> EmptyOperator(task_id="challenger_refused")


retrain()
