"""A version with its test rows and their predictions, which are kept as evidence of its run.

`evaluate` predicts the test rows and keeps the predictions in MLflow; `promote` reads them. They
are not published to the model store.
"""

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from ..bundle import PARAMS, Bundle, sha256
from ..columns import digest
from ..contract.call_async_model import to_model
from ..contract.task import Model
from ..contract.training import Splits
from ..errors import UserError
from .project import Project
from .registry import Version
from .scores import BASELINE, MODEL, NAIVE, Predictions
from .tracking import log_files

FOLDER = "predictions"
"""The folder of a run with the two files."""
TABLES = "test.parquet"
ORIGIN = "origin.json"
"""The hash of the other file, and that of the code and the parameters that predicted."""


@dataclass(frozen=True)
class PredictedVersion:
    """A version, the rows of its training and test, and the predictions of its test rows."""

    version: Version
    bundle: Bundle
    model: Model
    splits: Splits
    predictions: Predictions
    """By the model, the simple baseline and no model."""
    is_kept: bool
    """The predictions are those of the evaluation, and not computed again by other code."""


def predict_version(project: Project, version: Version) -> PredictedVersion:
    """Predict the test rows of a version, and keep the predictions.

    Raises:
        UserError: its test rows are not available.
    """
    predicted = _open(project, version, None)
    try:
        content = to_parquet(predicted.predictions)
    except PolarsError as error:
        project.console.print(f"The predictions are not kept, `ml promote` repeats them: {error}.")
    else:
        log_files({TABLES: content, ORIGIN: _origin(project, content)}, FOLDER, version.run)
    return predicted


def read_version(project: Project, version: Version) -> PredictedVersion:
    """Return a version with the predictions that were kept; predict again when there are none.

    Raises:
        UserError: its test rows are not available.
    """
    return _open(project, version, kept_predictions(project, version))


def kept_predictions(project: Project, version: Version) -> Predictions | None:
    """Return the kept predictions of a version's test rows.

    None if there are none, as of an older version, if they are damaged, or if the code of the use
    case or its parameters have changed: it may decide otherwise.
    """
    files = project.registry.files(version, FOLDER)
    content = files.get(TABLES, b"")
    if files.get(ORIGIN) != _origin(project, content):
        return None
    return from_parquet(content)


def splits_of(project: Project, bundle: Bundle) -> Splits:
    """Return the rows that a bundle's training used and left out; raise UserError if it cannot."""
    dataset = project.workspace.dataset(bundle.manifest.data)
    splits = project.training.split(project.params, dataset.path)
    if digest(splits.test) != bundle.manifest.test:
        raise UserError(
            "These parameters select other test rows than those that this model's training left "
            f"out: restore its parameters ({PARAMS} in its bundle) or run `ml train` again."
        )
    return splits


def to_parquet(predictions: Predictions) -> bytes:
    """Return a Parquet file with the columns of all contenders, such as `model/score`.

    Raises:
        PolarsError: a column has objects other than texts, which Parquet cannot store.
    """
    columns = {
        f"{contender}/{name}": values
        for contender, table in predictions.items()
        for name, values in table.items()
    }
    buffer = BytesIO()
    pl.DataFrame(columns).write_parquet(buffer)
    return buffer.getvalue()


def from_parquet(content: bytes) -> Predictions:
    """Return the predictions of a file: values, types and shapes are those that were stored."""
    predictions: dict[str, dict[str, NDArray[Any]]] = {}
    for column in pl.read_parquet(BytesIO(content)):
        contender, _, name = column.name.partition("/")
        predictions.setdefault(contender, {})[name] = column.to_numpy()
    return {**predictions}


def _open(project: Project, version: Version, known: Predictions | None) -> PredictedVersion:
    """Load a version; predict its test rows unless their predictions are known."""
    bundle = project.registry.bundle(version)
    splits = splits_of(project, bundle)
    model = project.load(bundle)
    predictions = known
    if predictions is None:
        baseline = project.load(project.registry.bundle(version, BASELINE))
        predictions = {
            MODEL: model.predict(splits.test),
            BASELINE: baseline.predict(splits.test),
            NAIVE: project.training.naive(splits.test),
        }
        if judge := project.training.judge(project.params):
            rows = {**splits.test, **predictions[MODEL]}
            judged = to_model(judge, project.portal).predict(rows)
            predictions |= {MODEL: {**predictions[MODEL], **judged}}
    return PredictedVersion(version, bundle, model, splits, predictions, known is not None)


def _origin(project: Project, content: bytes) -> bytes:
    return json.dumps({"sha256": sha256(content), "identity": project.identity}).encode()
