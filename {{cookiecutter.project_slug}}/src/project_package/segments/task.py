"""What the server needs: requests to rows, features from history, and the served model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle, Files
from ..columns import TIMESTAMP, Columns, milliseconds, to_rows
from ..contract.history import History, HistoryRows, HistoryTask
from ..contract.task import Task
from ..errors import OTHER_CODE, ModelError
from ..features.merge_history import merge_history
from ..features.windows import MILLISECONDS_A_DAY, meanings
from ..frozen import Frozen
from .features import (
    DAYS,
    DESCRIPTIONS,
    ENTITIES,
    FEATURES,
    HOUSEHOLD,
    INPUTS,
    MIN_BASKETS,
    SPENT,
    feature_columns,
    to_positions,
)
from .schemas import Basket, BoughtBasket, SegmentsRequest, SegmentsResponse, Typical

CLUSTERINGS = "clusterings.json"
PROFILES = "profiles.json"
OUTPUTS = ("distance", "certainty", "name")
"""What is monitored of answers."""
ARRAYS = ("slopes", "origins", "centres")
ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Clusterings:
    """Clusterings of households: the first of all, the others of resamples.

    A clustering projects the positions of households on a few axes, and assigns each household to
    the nearest of its centres.
    """

    features: tuple[str, ...]
    """The features that positions are made of."""
    slopes: NDArray[Any]
    """(features, clusterings, axes)"""
    origins: NDArray[Any]
    """(clusterings, axes)"""
    centres: NDArray[Any]
    """(clusterings, segments, axes)"""

    def predict(self, rows: Columns) -> Columns:
        """Return segment, its distance and certainty, (rows,), and resampled: (rows, resamples).

        Raises:
            ModelError: a feature is missing, or is not a number.
        """
        try:
            positions = to_positions(rows, self.features)
        except KeyError as error:
            raise ModelError(f"the rows have no column {error}, {OTHER_CODE}") from error
        if not np.isfinite(positions).all():
            raise ModelError("a feature of a row is not a number")
        chunks = np.array_split(positions, len(positions) // ROWS_AT_ONCE + 1)
        nearest = [self._nearest(chunk) for chunk in chunks]
        segments, distances = (np.concatenate(parts) for parts in zip(*nearest, strict=True))
        segment = segments[:, 0]
        resampled = segments[:, 1:]
        certainty = (resampled == segment[:, None]).mean(axis=1)
        answers = {"segment": segment, "distance": distances[:, 0], "certainty": certainty}
        return {**answers, "resampled": resampled}

    def _nearest(self, positions: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the nearest centre in each clustering and its distance: (rows, clusterings)."""
        along = np.tensordot(positions, self.slopes, axes=1) - self.origins
        distances = np.linalg.norm(along[:, :, None] - self.centres, axis=3)
        return distances.argmin(axis=2), distances.min(axis=2)

    def files(self) -> Files:
        """Return the file for a bundle."""
        arrays = {name: getattr(self, name).tolist() for name in ARRAYS}
        return {CLUSTERINGS: json.dumps({"features": self.features, **arrays}).encode()}


class Profile(Frozen):
    """A segment as it was when the model was trained."""

    name: str
    share: float
    medians: dict[str, float]
    distinctive: tuple[str, ...]
    """The features that set it apart, the most distinctive first."""


class Profiles(Frozen):
    """The segments in the order of their numbers."""

    medians: dict[str, float]
    """Of all households."""
    segments: tuple[Profile, ...]


@dataclass(frozen=True)
class SegmentsModel:
    """Clusterings, and the profiles of their segments."""

    clusterings: Clusterings
    profiles: Profiles

    def predict(self, rows: Columns) -> Columns:
        """Return what the clusterings do, and the name of the segment."""
        predictions = self.clusterings.predict(rows)
        names = np.array([profile.name for profile in self.profiles.segments], object)
        return {**predictions, "name": names[predictions["segment"]]}

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return the positions of households, and what is predicted."""
        positions = to_positions(rows, self.clusterings.features)
        return {"input": {"positions": positions}, "prediction": self.predict(rows)}

    def files(self) -> Files:
        """Return the files for a bundle."""
        return {**self.clusterings.files(), PROFILES: self.profiles.model_dump_json().encode()}


def load(bundle: Bundle) -> SegmentsModel:
    """Load the model of a bundle."""
    values = json.loads(bundle.files[CLUSTERINGS])
    arrays = {name: np.array(values[name]) for name in ARRAYS}
    clusterings = Clusterings(tuple(values["features"]), **arrays)
    return SegmentsModel(clusterings, Profiles.model_validate_json(bundle.files[PROFILES]))


def to_raw_rows(requests: Sequence[SegmentsRequest]) -> Columns:
    """Turn requests into rows: moments, at which nothing is bought."""
    count = len(requests)
    return {
        TIMESTAMP: milliseconds([request.as_of for request in requests]),
        HOUSEHOLD: np.array([request.household_id for request in requests], object),
        "is_now": np.ones(count),
        **{name: np.zeros(count) for name in SPENT},
    }


def to_responses(profiles: Profiles, rows: Columns, predictions: Columns) -> list[SegmentsResponse]:
    """Turn predictions into responses, each with what is typical of its segment."""
    names = ("segment", "name", "distance", "certainty")
    responses = []
    for row, values in enumerate(zip(*(predictions[n].tolist() for n in names), strict=True)):
        segment = profiles.segments[values[0]]
        typical = [
            Typical(
                feature=feature,
                meaning=DESCRIPTIONS[feature],
                household=float(rows[feature][row]),
                segment=segment.medians[feature],
                everyone=profiles.medians[feature],
            )
            for feature in segment.distinctive
        ]
        answer = dict(zip(names, values, strict=True))
        responses.append(SegmentsResponse(**answer, typical=typical))
    return responses


def monitored(rows: Columns, predictions: Columns) -> Columns:
    """Return the features, distance, certainty and name of the segment."""
    answers = {name: predictions[name] for name in OUTPUTS}
    return {**{name: rows[name] for name in INPUTS}, **answers}


def from_request(request: SegmentsRequest) -> HistoryRows:
    """Return the baskets that a request contains, in order of time."""
    if request.baskets is None:
        return {}
    baskets = sorted(request.baskets, key=lambda basket: basket.timestamp)
    return {HOUSEHOLD: to_rows(baskets, Basket)}


def history_error(request: SegmentsRequest, history: HistoryRows) -> str:
    """Require some baskets in the half year before the moment."""
    since = milliseconds([request.as_of]) - DAYS * MILLISECONDS_A_DAY
    times = history[HOUSEHOLD][TIMESTAMP] if HOUSEHOLD in history else np.array([])
    if np.sum(times > since) >= MIN_BASKETS:
        return ""
    return f"needs {MIN_BASKETS} baskets in the {DAYS} days before as_of; send them to /v1/events"


def features(rows: Columns, histories: Sequence[HistoryRows]) -> Columns:
    """Compute the features of households, each from its baskets."""
    return feature_columns(*merge_history(rows, histories, ENTITIES))


HISTORY = History(
    entities=ENTITIES,
    event=BoughtBasket,
    key=("basket_id",),
    to_raw_rows=to_raw_rows,
    needs_store=lambda request: request.baskets is None,
    from_request=from_request,
    features=features,
    error=history_error,
)


def make_task(bundle: Bundle) -> Task:
    """Return the task, whose responses quote the profiles of the bundle."""
    profiles = Profiles.model_validate_json(bundle.files[PROFILES])
    return HistoryTask(
        name="segments",
        request=SegmentsRequest,
        response=SegmentsResponse,
        load=load,
        to_rows=HISTORY.to_rows,
        to_responses=partial(to_responses, profiles),
        monitored=monitored,
        outputs=OUTPUTS,
        entity=HOUSEHOLD,
        meanings=meanings(FEATURES),
        history=HISTORY,
    )
