"""The registered MLflow model, as code: it answers raw instances as the server does.

MLflow stores this file with the package and the bundle, and runs it to load the model: nothing is
pickled. Instances are objects as POST /v1/predict takes them, in a list, in the rows of a data
frame, or column by column. An instance without history has no earlier events.
"""

import atexit
import json
import math
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from anyio.from_thread import start_blocking_portal
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from project_package.bundle import read_files, unpack
from project_package.contract.call_async_model import to_model
from project_package.contract.task import predict_requests
from project_package.model_store import Store
from project_package.settings import Settings


class BundleModel(PythonModel):
    """A bundle with its task."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle."""
        bundle = unpack(read_files(Path(context.artifacts["bundle"])), find_large)
        self.task = import_module(context.model_config["task"]).make_task(bundle)
        portal = start_blocking_portal()
        self.model = to_model(self.task.load(bundle), portal.__enter__())
        atexit.register(portal.__exit__, None, None, None)  # MLflow has no call that ends a model

    def predict(self, model_input: pd.DataFrame) -> list[dict[str, Any]]:  # type: ignore[override]
        """Answer instances; the error of pydantic names what is wrong with them."""
        texts = [json.dumps(instance, default=str) for instance in to_instances(model_input)]
        requests = [self.task.request.model_validate_json(text, strict=True) for text in texts]
        return predict_requests(self.task, self.model, requests)


def find_large(name: str) -> Path:
    """Return a large file of the model store, which MODEL_STORE names."""
    return Store(Settings().store(Path())).locate(name)


def to_instances(data: Any) -> list[dict[str, Any]]:
    """Turn what MLflow passes on into a list of instances without missing values."""
    if isinstance(data, pd.DataFrame):
        data = data.to_dict("records")
    elif isinstance(data, Mapping):
        columns = zip(*map(_to_json, data.values()), strict=True)
        data = [dict(zip(data, values, strict=True)) for values in columns]
    rows = [{name: _to_json(value) for name, value in row.items()} for row in data]
    return [
        {name: v for name, v in row.items() if not (isinstance(v, float) and math.isnan(v))}
        for row in rows
    ]


def _to_json(value: Any) -> Any:
    """Undo the numpy arrays that MLflow's server makes of JSON values."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


mlflow.models.set_model(BundleModel())
