"""Rows, features, model and responses: equal for table, batch and requests."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demand.tables import data_set, params
from hypothesis import given
from hypothesis import strategies as st
from multiplying import MANIFEST

from project_package.bundle import Bundle
from project_package.columns import Columns, length
from project_package.contract.training import Outcome
from project_package.demand.features import DESCRIPTIONS, INPUTS, LEVEL
from project_package.demand.models import CANDIDATES
from project_package.demand.schemas import DemandRequest
from project_package.demand.split import split
from project_package.demand.task import (
    DETAILS,
    HISTORY,
    DemandModel,
    Details,
    make_task,
    to_raw_rows,
)
from project_package.demand.training import batch_table, finish
from project_package.explain import REASONS
from project_package.features.windows import MILLISECONDS_A_DAY

POSITIVE = st.floats(0, 1000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def test_rows(folder: Path) -> Columns:
    return split(params(), folder).test


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    """Return the bundle of a finished baseline."""
    splits = split(params(), folder)
    candidate = CANDIDATES[0]
    fitted: Any = candidate.fit(splits.train, candidate.start, 7)
    validation = splits.folds[0].valid
    outcome = Outcome(validation, fitted.predict(validation))
    finished = finish(params(), fitted, splits.train, outcome)
    return Bundle(finished.files(), MANIFEST)


def test_model_takes_the_features_that_it_was_trained_on(
    bundle: Bundle, test_rows: Columns
) -> None:
    details = Details.model_validate_json(bundle.files[DETAILS])
    assert details.features == INPUTS
    newer = {**test_rows, "new_feature": np.zeros(length(test_rows))}
    turned = Details(features=INPUTS[::-1]).stack(newer)
    assert np.array_equal(turned[:, ::-1], details.stack(newer))


def test_finish_measures_the_correction_on_validation_weeks(test_rows: Columns) -> None:
    candidate = CANDIDATES[0]
    fitted: Any = candidate.fit(test_rows, candidate.start, 7)
    bounds = {name: np.full(999, bound) for name, bound in (("low", 50), ("high", 900))}
    outcome = Outcome({"units": np.arange(1.0, 1_000)}, {**bounds, "value": np.zeros(999)})
    finished = finish(params(), fitted, test_rows, outcome)
    details = Details.model_validate_json(finished.files()[DETAILS])
    assert details.low_factor == pytest.approx(101 / 51, abs=0.01)
    assert details.high_factor == pytest.approx(1, abs=0.01)


@given(
    st.lists(st.tuples(POSITIVE, POSITIVE, POSITIVE), min_size=1, max_size=5),
    st.sampled_from([0.8, 1.2]),
)
def test_bounds_never_cross_and_are_never_negative(
    rows: list[tuple[float, ...]], factor: float
) -> None:
    ratios = dict(zip(("low", "value", "high"), np.log(np.array(rows).T / 100 + 0.01), strict=True))
    details = Details(low_factor=factor, high_factor=0.9)
    level = np.full(len(rows), 20.0)
    found = details.to_units(ratios, {LEVEL: level})
    assert (found["low"] >= 0).all()
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()


def test_bounds_are_multiplied_by_their_factors() -> None:
    ratios = {name: np.log([r]) for name, r in (("low", 0.5), ("value", 1.1), ("high", 2.0))}
    found = Details(low_factor=0.9, high_factor=1.2).to_units(ratios, {LEVEL: np.array([9.0])})
    assert found["value"] == pytest.approx([10])
    assert found["low"] == pytest.approx([3.5])
    assert found["high"] == pytest.approx([23])


def test_effects_are_units_against_the_training_median(bundle: Bundle, test_rows: Columns) -> None:
    model = DemandModel(bundle)
    asked = {**test_rows, "explain": np.arange(length(test_rows)) % 2 == 1}
    found = model.predict(asked)
    typical = Details.model_validate_json(bundle.files[DETAILS]).typical
    assert tuple(typical) == INPUTS
    for index, name in enumerate(INPUTS):
        median = np.full_like(test_rows[name], typical[name])
        moved = found["value"] - model.predict({**test_rows, name: median})["value"]
        expected = np.where(asked["explain"], moved, 0)
        assert found["effects"][:, index] == pytest.approx(expected, abs=1e-3)


def test_rows_that_do_not_ask_and_old_bundles_have_no_effects(
    bundle: Bundle, test_rows: Columns
) -> None:
    assert not DemandModel(bundle).predict(test_rows)["effects"].any()
    details = Details.model_validate_json(bundle.files[DETAILS]).model_dump(exclude={"typical"})
    older = replace(bundle, files={**bundle.files, DETAILS: json.dumps(details).encode()})
    asked = {**test_rows, "explain": np.ones(length(test_rows), np.bool_)}
    assert not DemandModel(older).predict(asked)["effects"].any()


def test_answer_and_file_have_the_three_strongest_reasons(
    bundle: Bundle, test_rows: Columns
) -> None:
    rows = {**test_rows, "explain": np.ones(length(test_rows), np.bool_)}
    predictions = DemandModel(bundle).predict(rows)
    answer: Any = make_task(bundle).to_responses(rows, predictions)[0]
    largest = np.sort(np.abs(predictions["effects"][0]))[: -1 - REASONS : -1]
    assert [abs(reason.effect) for reason in answer.reasons] == pytest.approx(largest, abs=0.01)
    assert answer.reasons[0].meaning == DESCRIPTIONS[answer.reasons[0].feature]
    file = batch_table(rows, predictions)
    assert [file[f"reason_{rank}"][0] for rank in (1, 2, 3)] == [r.feature for r in answer.reasons]
    assert list(batch_table(test_rows, predictions)) == [
        *("product_id", "week"),
        *("value", "low", "high"),
    ]


def test_history_must_have_the_eight_weeks_before_the_plan() -> None:
    body = {"product_id": "P", "plan": {"week": "2024-05-06"}}
    request = DemandRequest.model_validate(body)
    week = to_raw_rows([request])["timestamp"][0]

    def error(*weeks_ago: int) -> str:
        times = week - np.array(weeks_ago) * 7 * MILLISECONDS_A_DAY
        return HISTORY.error(request, {"product_id": {"timestamp": times}})

    needs = "needs the 8 weeks before the plan's; send them to /v1/events"
    assert HISTORY.needs_store(request)
    assert error(9, 8, 7, 6, 5, 4, 3, 2, 1) == error(8, 7, 6, 5, 4, 3, 2, 1, 0) == ""
    assert error(7, 6, 5, 4, 3, 2, 1) == error(9, 8, 7, 6, 5, 4, 3, 1) == needs
    assert HISTORY.error(request, {}) == needs


def test_answers_the_forecast_and_monitors_it(bundle: Bundle) -> None:
    task = make_task(bundle)
    plans = {"mean_4w": np.array([9.0]), "ad": np.array([0.5]), "display": np.array([0.0])}
    rows = {LEVEL: np.array([10.0]), **plans}
    predictions = {"value": np.array([21.0]), "low": np.array([10.0]), "high": np.array([32.0])}
    predictions["effects"] = np.zeros((1, len(INPUTS)), np.float32)
    (response,) = task.to_responses(rows, predictions)
    assert response.model_dump() == {"value": 21, "low": 10, "high": 32, "reasons": []}
    found = task.monitored(rows, predictions)
    assert {name: values.tolist() for name, values in found.items()} == {
        "level": [10],
        "mean_4w": [9],
        "ad": [0.5],
        "display": [0],
        "value": [21],
        "width": [2],
    }
