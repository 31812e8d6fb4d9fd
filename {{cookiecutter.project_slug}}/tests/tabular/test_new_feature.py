"""A feature is added by one entry of schema.toml: requests and the model have it."""

from typing import cast

import numpy as np
from tabular.tables import COLUMNS, bundle_of, params, rows

from project_package.contract.task import predict_requests
from project_package.contract.training import Outcome
from project_package.data.table_schema import Column, Schema
from project_package.tabular.fitted import Fitted
from project_package.tabular.models import candidates, finish
from project_package.tabular.problem import find_problem
from project_package.tabular.task import make_task

REQUEST = {"家": 3, "month": "2024-02-01"}


def test_feature_is_added_by_its_entry() -> None:
    declared = {**COLUMNS, "height": Column(role="feature", type="number")}
    problem = find_problem(Schema(columns=declared), "left")
    train = dict(rows())
    train["height"] = train["left"] + np.random.default_rng(0).normal(0, 0.1, len(train["left"]))
    one = candidates(problem)[1]
    fitted = one.fit(train, one.start, 7)
    validation = Outcome(train, fitted.predict(train))
    finished = finish(params(), cast(Fitted, fitted), train, validation)
    bundle = bundle_of(finished.files())
    task = make_task(bundle)
    model = task.load(bundle)
    requests = [task.request.model_validate({**REQUEST, "height": value}) for value in (0, 1)]
    answers = predict_requests(task, model, requests)  # type: ignore[arg-type]  # no AsyncModel
    assert [answer["prediction"] for answer in answers] == ["false", "true"]
