"""debug: predict a logged prediction again, step by step, and compare the answers.

The version that answered predicts the logged row, or else the row of a request file. Its answer
must be the logged one to the last digit.
"""

import json
from datetime import timedelta
from math import isclose
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from ..bundle import EXAMPLES, Bundle, example_requests
from ..columns import EPOCH, EXPLAIN, TIMESTAMP, Columns, from_json_rows
from ..contract.task import Model, Task, steps_of
from ..errors import MissingColumn, ModelError, UserError
from .project import Project, find_log

SHOWN = 6  # values of an array
CHARACTERS = 200  # of a value
CLOSE = 1e-4  # how far sums of float32 can be from each other, relative and absolute
LOGGED = "the prediction log"
Table: TypeAlias = list[tuple[str, ...]]


def debug(project: Project, prediction: str, request: Path | None = None) -> None:
    """Print the steps of a logged prediction, and whether it has the same answer again.

    Raises:
        UserError: the prediction, its row or its version is not found, or the answer differs.
    """
    # 1. Find the prediction, and the version that answered.
    logged = find_log(project).find(prediction)
    if logged is None:
        raise UserError(
            f"The prediction log has no {prediction}: it is none of the `prediction_ids` of an "
            "answer, or it was erased, or it is older than LOG_DAYS "
            f"({project.settings.log_days:g} days)."
        )
    bundle = project.store.bundle(int(logged.version))
    task = project.training.make_task(bundle)
    model = project.load(bundle)
    show_table = project.console.table
    show_table(f"prediction {prediction}", ("what", "value"), origin(logged, bundle))
    # 2. Restore its row.
    rows, source = find_row(project, task, bundle, logged, request)
    values = {name: text_of(name, column[0]) for name, column in rows.items()}
    raw = [(name, text) for name, text in values.items() if name not in task.meanings]
    features = [(n, values[n], text) for n, text in task.meanings.items() if n in values]
    show_table(f"row, from {source}", ("column", "value"), raw)
    if features:
        show_table("features", ("feature", "value", "meaning"), features)
    # 3. Predict it again, and compare the answers.
    try:
        answer = show_steps(project, task, model, rows)
    except Exception as error:  # the model may raise any
        raise ModelError(f"Version {logged.version} cannot predict the row: {error!r}") from error
    if different := first_difference(logged.answer, answer):
        raise UserError(f"The answer is not the logged one: {explain(*different, source)}")
    project.console.print("The answer equals the logged one, to the last digit.")


def show_steps(project: Project, task: Task, model: Model, rows: Columns) -> dict[str, Any]:
    """Print the steps of the prediction of one row, reasons and the answer; return the answer.

    The reasons are also those for which the request did not ask.
    """
    steps = dict(steps_of(model, rows))
    explained = {**rows, EXPLAIN: np.ones(1, np.bool_)} if EXPLAIN in rows else rows
    predictions = model.predict(explained)
    known = {name for columns in steps.values() for name in columns}
    if further := {name: v for name, v in predictions.items() if name not in known}:
        steps["further predictions"] = further
    header = ("name", "shape", "type", "values")
    for step, columns in steps.items():
        arrays = [(n, str(v.shape), str(v.dtype), text_of("", v)) for n, v in columns.items()]
        project.console.table(step, header, arrays)
    for name, items in to_json_answer(task, explained, predictions).items():
        if isinstance(items, list) and items and isinstance(items[0], dict):
            cells = [tuple(map(str, item.values())) for item in items]
            project.console.table(name, tuple(items[0]), cells)
    answer = to_json_answer(task, rows, model.predict(rows))
    project.console.print(f"answer: {json.dumps(answer, ensure_ascii=False)}")
    return answer


def origin(logged: Any, bundle: Bundle) -> Table:
    """Return when a prediction was made, and by which model."""
    manifest = bundle.manifest
    return [
        ("time", f"{logged.time:%Y-%m-%d %H:%M:%S} UTC"),
        ("version", f"{logged.version}, {manifest.candidate}"),
        ("role", logged.role),
        ("trained", manifest.created),
        ("data", manifest.data),
        ("commit", manifest.commit or "none: the files had no commit"),
    ]


def find_row(
    project: Project, task: Task, bundle: Bundle, logged: Any, path: Path | None
) -> tuple[Columns, str]:
    """Return the row of a prediction, and where it is from; raise UserError if it is nowhere."""
    reason = "is not logged"
    if logged.row is not None:
        examples = json.loads(bundle.files[EXAMPLES])
        requests = example_requests(task.request, examples, logged.version)
        if requests:
            return restore(logged.row, task.to_rows(requests)), LOGGED
        reason = "cannot be read without examples in the bundle (train.examples)"
    if path is None:
        raise UserError(
            f"The row of this prediction {reason}: give its request, as in `ml debug "
            f"{logged.prediction} request.json`. LOG_ROWS=on logs the rows of later predictions."
        )
    request = read_request(task, path)
    if project.events and (rows := project.events.to_rows(project, task, request)):
        return rows, f"{path.name} and the event store, which may have another history than then"
    return task.to_rows([request]), path.name


def restore(row: Any, like: Columns) -> Columns:
    """Return a logged row with the types of other rows; raise UserError if it does not fit."""
    try:
        return from_json_rows([row], like)
    except MissingColumn as error:
        reason = f"has no column {error}"
    except (TypeError, ValueError) as error:
        reason = f"cannot be read: {error}"
    raise UserError(f"The logged row {reason}: use the code that it was predicted with.")


def read_request(task: Task, path: Path) -> BaseModel:
    """Read the request of one instance, or a body with one; raise UserError if it is not valid."""
    try:
        body = from_json(path.read_bytes(), allow_inf_nan=False)
        is_body = isinstance(body, dict) and [*body] == ["instances"]
        (instance,) = body["instances"] if is_body else [body]
        return task.request.model_validate_json(to_json(instance), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} must have one instance, as JSON: {error}.") from error


def to_json_answer(task: Task, rows: Columns, predictions: Columns) -> dict[str, Any]:
    """Return the response to one row as a JSON object."""
    (response,) = task.to_responses(rows, predictions)
    answer: dict[str, Any] = json.loads(response.model_dump_json())
    return answer


def text_of(name: str, value: Any) -> str:
    """Return a value of a column for people, shortened."""
    text = str(value)
    if name == TIMESTAMP:
        text = f"{value}: {EPOCH + timedelta(milliseconds=int(value)):%Y-%m-%d %H:%M:%S} UTC"
    elif isinstance(value, tuple):
        text = f"{len(value)}: {value}"
    elif isinstance(value, np.ndarray):
        text = ", ".join(map(str, value.ravel()[:SHOWN]))
        if value.size > SHOWN:
            numbers = value[np.isfinite(value)] if value.dtype.kind in "biuf" else value[:0]
            span = f" from {numbers.min()} to {numbers.max()}" if numbers.size else ""
            text = f"{text}, ... ({value.size} values{span})"
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]}..."


def first_difference(logged: Any, found: Any, where: str = "") -> tuple[str, Any, Any] | None:
    """Return the first field in which two JSON values differ, and its values; None if equal."""
    if isinstance(logged, dict) and isinstance(found, dict) and [*logged] == [*found]:
        parts = [(f"{where}.{name}", value, found[name]) for name, value in logged.items()]
    elif isinstance(logged, list) and isinstance(found, list) and len(logged) == len(found):
        pairs = enumerate(zip(logged, found, strict=True))
        parts = [(f"{where}.{index}", *pair) for index, pair in pairs]
    else:
        is_equal = type(logged) is type(found) and logged == found
        return None if is_equal else (where.removeprefix(".") or "all of it", logged, found)
    differences = (first_difference(one, other, name) for name, one, other in parts)
    return next(filter(None, differences), None)


def explain(where: str, logged: Any, found: Any, source: str) -> str:
    """Return a difference of answers as the end of a sentence, and what may be the reason."""
    floats = isinstance(logged, float) and isinstance(found, float)
    if floats and isclose(logged, found, rel_tol=CLOSE, abs_tol=CLOSE):
        reason = "Such a small difference can come from the other rows of the server's batch."
    elif source == LOGGED:
        reason = "The log was changed, or the code or a library has changed since."
    else:
        reason = f"Compare {source} with the request that was sent."
    return f"{where} is {found!r}, and was {logged!r}. {reason}"
