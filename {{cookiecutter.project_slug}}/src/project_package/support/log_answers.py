"""Show answers to test questions in MLflow, each with its passages and its assessments."""

import os
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any
from warnings import catch_warnings

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.genai.scorers import Scorer, scorer

from ..columns import Columns, take
from .judge import JUDGEMENT, agreement
from .metrics import grounded_shares, is_answerable, is_grounded, is_right, ranks, worst_first
from .task import to_responses
from .tracing import masked

RUN = "evaluate answers"
"""The name of the run that evaluates: a child of the one that trained."""
SHOWN = 50
"""Questions, the worst first: MLflow takes a tenth of a processor second for each."""
WORKERS = ("MLFLOW_GENAI_EVAL_MAX_WORKERS", "MLFLOW_GENAI_EVAL_MAX_SCORER_WORKERS")


def log_answers(run: str, rows: Columns, predictions: Columns) -> None:
    """Evaluate the worst answers by `mlflow.genai.evaluate` in a child of a run.

    The run gets how many answers are grounded, and how far the judge agrees with the labels. The
    children of earlier evaluations are deleted when the new one is complete.
    """
    found = {**grounded_shares(rows, predictions), **agreement(rows, predictions)}
    scores = {f"test.{name}": value for name, value in found.items() if np.isfinite(value)}
    mlflow.log_metrics(scores, run_id=run)
    client = MlflowClient()
    experiment = client.get_run(run).info.experiment_id
    of_run = f"tags.mlflow.parentRunId = '{run}' AND attributes.run_name = '{RUN}'"
    earlier = client.search_runs([experiment], of_run)
    scorers = [make_scorer(*named) for named in assessments(rows, predictions).items()]
    for name in WORKERS:  # 10 by default, which once took 366 s instead of 20 on SQLite
        os.environ.setdefault(name, "1")
    with (
        redirect_stdout(StringIO()),
        redirect_stderr(StringIO()),
        catch_warnings(action="ignore"),
        mlflow.start_run(experiment_id=experiment, run_name=RUN, parent_run_id=run),
    ):
        mlflow.genai.evaluate(worst_answers(rows, predictions), scorers)
    for child in earlier:
        delete_evaluation(client, experiment, child.info.run_id)


def worst_answers(rows: Columns, predictions: Columns) -> list[dict[str, Any]]:
    """Return what MLflow shows of the worst answers; personal data in texts is masked."""
    shown = worst_first(rows, predictions)[:SHOWN]
    answers = to_responses(rows, take(predictions, shown))
    return [
        {
            "inputs": {"question": masked(rows["question"][row]), "row": row},
            "outputs": masked(answer.model_dump(mode="json")),
            "expectations": {"documents": masked([*rows["answers"][row]])},
        }
        for row, answer in zip(shown.tolist(), answers, strict=True)
    ]


def assessments(rows: Columns, predictions: Columns) -> dict[str, list[Any]]:
    """Return the assessments of each row by name, from the functions that compute the metrics."""
    answerable = is_answerable(rows)
    judgements = predictions.get(JUDGEMENT, np.full(len(answerable), ""))
    none = np.array(None)
    return {
        "right": is_right(rows, predictions).tolist(),
        "grounded": is_grounded(rows, predictions).tolist(),
        "refused_right": (predictions["refused"] != answerable).tolist(),
        "reciprocal_rank": np.where(answerable, 1 / ranks(rows, predictions), none).tolist(),
        "judge": [text or None for text in judgements.tolist()],
    }


def make_scorer(name: str, values: list[Any]) -> Scorer:
    """Return a scorer with the value of each row; no mean of them, since the worst are chosen."""

    @scorer(name=name, aggregations=[])
    def value_of(inputs: dict[str, Any]) -> Any:
        return values[inputs["row"]]

    return value_of


def delete_evaluation(client: MlflowClient, experiment: str, run: str) -> None:
    """Delete a run and its traces."""
    traces = client.search_traces(locations=[experiment], run_id=run, include_spans=False)
    if traces:
        client.delete_traces(experiment, trace_ids=[trace.info.trace_id for trace in traces])
    client.delete_run(run)
