"""MLflow shows answers to test questions with their passages and assessments."""

from collections.abc import Iterator

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Expectation, Feedback, Run, Trace
from mlflow.exceptions import MlflowException

from project_package.columns import Columns
from project_package.support.dataset import objects
from project_package.support.judge import JUDGEMENT
from project_package.support.log_answers import log_answers

ROWS: Columns = {
    "question": objects(["Fence?", "Price?", "Roof?"]),
    "answers": objects([("b.md",), ("a.md",), ()]),
}
FOUND: Columns = {
    "document": np.array([["a.md", "b.md"], ["b.md", "c.md"], ["a.md", "b.md"]], object),
    "title": np.full((3, 2), "Title", object),
    "text": np.full((3, 2), "It is high.", object),
    "cited": objects(["1", "0", ""]),
    "answer": objects(["It is high.", "It is low.", ""]),
    "refused": np.array([False, False, True]),
    "confidence": np.array([0.9, 0.8, 0.1], np.float32),
    "page": np.zeros((3, 2), np.int64),
    "link": np.full((3, 2), "", object),
    "similarity": np.full((3, 2), 0.5, np.float32),
    "by": objects(["extractive", "openai", "extractive"]),
    JUDGEMENT: objects(["yes yes", "budget", ""]),
}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return an experiment of an MLflow on SQLite."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")
    yield MlflowClient().create_experiment("shop")
    mlflow.set_tracking_uri(before)


@pytest.fixture
def run(experiment: str) -> str:
    """Return a finished run."""
    client = MlflowClient()
    run: str = client.create_run(experiment).info.run_id
    client.set_terminated(run)
    return run


def children(run: str) -> list[Run]:
    """Return the runs that evaluated the answers of a run."""
    client = MlflowClient()
    experiment = client.get_run(run).info.experiment_id
    return list(client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run}'"))


def traces_of(run: str) -> dict[str, Trace]:
    """Return the traces of the only evaluation of a run by question."""
    (child,) = children(run)
    return traces_in(child)


def traces_in(child: Run) -> dict[str, Trace]:
    """Return the traces of a run by question."""
    locations = [child.info.experiment_id]
    traces = MlflowClient().search_traces(locations=locations, run_id=child.info.run_id)
    found = {trace.data.spans[0].inputs["question"]: trace for trace in traces}
    assert len(found) == len(traces)
    return found


def assessments_of(trace: Trace) -> dict[str, object]:
    """Return the assessments and the expected documents of a trace."""
    found = [one for one in trace.info.assessments if isinstance(one, Feedback | Expectation)]
    return {one.name: one.value for one in found}


def test_each_answer_has_its_passages_and_assessments(
    run: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log_answers(run, ROWS, FOUND)
    assert capfd.readouterr() == ("", "")
    traces = traces_of(run)
    assert {name: assessments_of(trace) for name, trace in traces.items()} == {
        "Fence?": {
            "right": True,
            "grounded": True,
            "refused_right": True,
            "reciprocal_rank": 0.5,
            "judge": "yes yes",
            "documents": ["b.md"],
        },
        "Price?": {
            "right": False,
            "grounded": False,
            "refused_right": True,
            "reciprocal_rank": 0.0,
            "judge": "budget",
            "documents": ["a.md"],
        },
        "Roof?": {"right": True, "grounded": True, "refused_right": True, "documents": []},
    }
    outputs = traces["Fence?"].data.spans[0].outputs
    assert outputs["answer"] == "It is high."
    assert [passage["document"] for passage in outputs["passages"]] == ["a.md", "b.md"]


def test_later_evaluation_replaces_the_earlier(run: str) -> None:
    log_answers(run, ROWS, FOUND)
    other = objects(["It is wet.", "It is wet.", ""])
    log_answers(run, ROWS, {**FOUND, "answer": other})
    answers = {trace.data.spans[0].outputs["answer"] for trace in traces_of(run).values()}
    assert answers == {"It is wet.", ""}
    metrics = MlflowClient().get_run(run).data.metrics
    assert (metrics["test.grounded_quoted"], metrics["test.grounded_written"]) == (0.0, 0.0)
    assert (metrics["test.judged"], metrics["test.unjudged"]) == (1, 1)
    assert not [name for name in metrics if name.endswith("/mean")]  # of the worst only


def test_trained_run_stays_as_it_was_but_for_scores(run: str) -> None:
    before = MlflowClient().get_run(run)
    log_answers(run, ROWS, FOUND)
    after = MlflowClient().get_run(run)
    assert (after.info.status, after.info.end_time) == ("FINISHED", before.info.end_time)
    assert after.data.tags == before.data.tags
    assert after.inputs == before.inputs
    (child,) = children(run)
    assert (child.info.run_name, child.info.status) == ("evaluate answers", "FINISHED")


def test_evaluation_that_fails_leaves_the_earlier_one(run: str) -> None:
    log_answers(run, ROWS, FOUND)
    (earlier,) = children(run)
    none = {name: values[:0] for name, values in ROWS.items()}
    with pytest.raises(MlflowException):  # without questions there is nothing to evaluate
        log_answers(run, none, {name: values[:0] for name, values in FOUND.items()})
    assert MlflowClient().get_run(run).info.status == "FINISHED"
    failed, kept = children(run)
    assert (failed.info.status, kept.info.run_id) == ("FAILED", earlier.info.run_id)
    assert len(traces_in(kept)) == 3
    log_answers(run, ROWS, FOUND)
    assert len(traces_of(run)) == 3


def test_evaluation_that_was_killed_is_replaced(run: str) -> None:
    client = MlflowClient()
    experiment = client.get_run(run).info.experiment_id
    tags = {"mlflow.parentRunId": run}
    client.create_run(experiment, tags=tags, run_name="evaluate answers")
    trial = client.create_run(experiment, tags=tags, run_name="trial").info.run_id
    log_answers(run, ROWS, FOUND)
    evaluated, other = children(run)
    assert (evaluated.info.status, other.info.run_id) == ("FINISHED", trial)


def test_personal_data_is_masked(run: str) -> None:
    question = objects(["Does anna@example.com pay?", "Price?", "Roof?"])
    text = np.full((3, 2), "Call 08-123 456 78 or anna@example.com.", object)
    answer = objects(["Mail anna@example.com.", "It is low.", ""])
    log_answers(run, {**ROWS, "question": question}, {**FOUND, "text": text, "answer": answer})
    traces = traces_of(run)
    assert "anna" not in "".join(trace.to_json() for trace in traces.values())
    assert traces["Does [email] pay?"].data.spans[0].outputs["answer"] == "Mail [email]."
