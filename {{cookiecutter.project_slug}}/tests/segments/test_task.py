"""Rows, features, model and responses: equal for table and requests."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from multiplying import MANIFEST
from segments.tables import data_set, params

from project_package.bundle import Bundle
from project_package.columns import Columns, length, take
from project_package.contract.training import Outcome
from project_package.errors import ModelError
from project_package.segments.dataset import examples
from project_package.segments.features import DESCRIPTIONS, INPUTS
from project_package.segments.models import CANDIDATES
from project_package.segments.schemas import SegmentsRequest
from project_package.segments.split import split
from project_package.segments.task import (
    HISTORY,
    Clusterings,
    load,
    make_task,
    to_raw_rows,
)
from project_package.segments.training import finish


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def test_rows(folder: Path) -> Columns:
    return split(params(), folder).test


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    """Return the bundle of a finished k-means."""
    train = split(params(), folder).train
    candidate = CANDIDATES[1]
    fitted: Any = candidate.fit(train, candidate.start, 7)
    return Bundle(finish(params(), fitted, train, Outcome({}, {})).files(), MANIFEST)


def test_order_of_baskets_does_not_matter(folder: Path, test_rows: Columns) -> None:
    request, *_ = examples(folder, test_rows, 1)
    baskets = request.baskets or []
    turned = request.model_copy(update={"baskets": baskets[3:] + baskets[2::-1]})
    one, two = (
        HISTORY.features(to_raw_rows([asked]), [HISTORY.from_request(asked)])
        for asked in (request, turned)
    )
    assert all(np.array_equal(one[name], two[name]) for name in INPUTS)


def test_many_rows_are_predicted_in_chunks(test_rows: Columns, bundle: Bundle) -> None:
    model = load(bundle)
    count = length(test_rows)
    many = take(test_rows, np.arange(25_000) % count)
    found = model.predict(many)
    expected = model.predict(test_rows)
    assert np.array_equal(found["segment"], np.resize(expected["segment"], 25_000))
    assert model.predict(take(test_rows, np.arange(0)))["resampled"].shape == (0, 20)


def test_nearest_centre_gives_segment_distance_and_certainty() -> None:
    centres = np.array([[[0.0], [1.0]], [[0.0], [1.0]], [[1.0], [0.0]], [[0.0], [0.5]]])
    clusterings = Clusterings(("fresh_share",), np.ones((1, 4, 1)), np.zeros((4, 1)), centres)
    found = clusterings.predict({"fresh_share": np.array([0.01, 0.64])})  # positions are roots
    assert found["segment"].tolist() == [0, 1]
    assert found["distance"] == pytest.approx([0.1, 0.2])
    assert found["resampled"].tolist() == [[0, 1, 0], [1, 0, 1]]
    assert found["certainty"] == pytest.approx([2 / 3, 2 / 3])
    with pytest.raises(ModelError, match="no column 'fresh_share'"):
        clusterings.predict({"recency": np.ones(1)})


def test_response_shows_what_is_typical(test_rows: Columns, bundle: Bundle) -> None:
    model = load(bundle)
    predictions = model.predict(test_rows)
    response = make_task(bundle).to_responses(test_rows, predictions)[5].model_dump()
    segment = model.profiles.segments[response["segment"]]
    assert response["name"] == segment.name
    assert response["distance"] == predictions["distance"][5]
    for typical, feature in zip(response["typical"], segment.distinctive, strict=True):
        assert typical == {
            "feature": feature,
            "meaning": DESCRIPTIONS[feature],
            "household": test_rows[feature][5],
            "segment": segment.medians[feature],
            "everyone": model.profiles.medians[feature],
        }


def test_history_needs_four_baskets_in_the_half_year() -> None:
    request = SegmentsRequest.model_validate({"household_id": "H", "as_of": "2024-07-01T00:00:00"})
    moment = to_raw_rows([request])["timestamp"][0]

    def error(*days: float) -> str:
        times = np.array([moment - int(ago * 86_400_000) for ago in days])
        return HISTORY.error(request, {"household_id": {"timestamp": times}})

    needs = "needs 4 baskets in the 182 days before as_of; send them to /v1/events"
    assert HISTORY.needs_store(request)
    assert error(181.9, 3, 2, 0) == ""
    assert error(182, 3, 2, 0) == needs
    assert HISTORY.error(request, {}) == needs
