"""What the server needs: requests to rows, features from history, and the served model."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..bundle import Bundle, Files
from ..columns import EXPLAIN, TIMESTAMP, Columns, length, milliseconds, stack, take, to_rows
from ..contract.history import History, HistoryRows, HistoryTask
from ..contract.task import Task
from ..errors import ModelError
from ..explain import effects, strongest
from ..features.merge_history import merge_history
from ..features.windows import MILLISECONDS_A_DAY, meanings
from ..frozen import Frozen
from ..onnx_runtime import OnnxModel
from .features import (
    DESCRIPTIONS,
    ENTITIES,
    FEATURES,
    INPUTS,
    LEVEL,
    PRODUCT,
    WEEK_DAYS,
    feature_columns,
)
from .schemas import (
    MIN_HISTORY,
    SOLD,
    DemandRequest,
    DemandResponse,
    PastWeek,
    Plan,
    Reason,
    SoldWeek,
)

QUANTILES = {"low": 0.1, "value": 0.5, "high": 0.9}
DETAILS = "model.json"


class Details(Frozen):
    """What the served model needs beside its graphs."""

    features: tuple[str, ...] = INPUTS
    """The inputs of the graphs, in their order."""
    low_factor: float = 1
    high_factor: float = 1
    """What corrects the bounds, measured on validation weeks; 1 leaves a bound as it is."""
    typical: Mapping[str, float] = Field(default_factory=dict)
    """The median of each input over the training rows; empty in a bundle that gives no reasons."""

    def files(self) -> Files:
        """Return the file for a bundle."""
        return {DETAILS: self.model_dump_json().encode()}

    def stack(self, rows: Columns) -> NDArray[np.float32]:
        """Stack the inputs: (rows, features)."""
        return stack(rows, self.features)

    def to_units(self, ratios: Columns, rows: Columns) -> Columns:
        """Turn logarithms of (units + 1) / (level + 1) into value, low and high in units.

        The correction of the bounds is that of conformal quantile regression, one side at a time
        (Romano, Patterson and Candes 2019, theorem 2), for bounds that are wrong by a factor.

        Raises:
            ModelError: a level is not a number; the other inputs may be missing.
        """
        if not np.isfinite(rows[LEVEL]).all():
            raise ModelError(f"{LEVEL} of a row is not a number")
        level = rows[LEVEL].astype(np.float64) + 1
        raised = {name: np.maximum(np.exp(ratio) * level, 1) for name, ratio in ratios.items()}
        value = raised["value"] - 1
        low = np.clip(raised["low"] * self.low_factor - 1, 0, value)
        high = np.maximum(raised["high"] * self.high_factor - 1, value)
        return {"value": value, "low": low, "high": high}


UNCORRECTED = Details()


class DemandModel:
    """Three graphs, one for each quantile, which predict logarithms of ratios to the level."""

    def __init__(self, bundle: Bundle) -> None:
        """Load graphs and details from a bundle."""
        self._details = details = Details.model_validate_json(bundle.files[DETAILS])
        self._graphs = {
            name: OnnxModel(bundle.files[f"{name}.onnx"], lambda rows: {"X": details.stack(rows)})
            for name in QUANTILES
        }

    def predict(self, rows: Columns) -> Columns:
        """Return value, low and high in units, (rows,) each, and effects: (rows, inputs) float32.

        Effects on the value are in units, in the order of `INPUTS`. They are 0 for rows that do not
        have 1 in the column `explain`, and for inputs that are new.
        """
        all_effects = np.zeros((length(rows), len(INPUTS)), np.float32)
        typical = self._details.typical
        if EXPLAIN in rows and rows[EXPLAIN].any() and typical:
            wanted = np.flatnonzero(rows[EXPLAIN])
            inputs = take({name: rows[name] for name in typical}, wanted)
            columns = np.array([INPUTS.index(name) for name in typical])
            all_effects[np.ix_(wanted, columns)] = effects(self._values, inputs, typical)[:, :, 0]
        return {**self._details.to_units(self._ratios(rows), rows), "effects": all_effects}

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return the input of the graphs and their outputs, and the correction of the bounds."""
        factors = {"low": self._details.low_factor, "high": self._details.high_factor}
        return {
            "input": {"X": self._details.stack(rows)},
            "output": self._ratios(rows),
            "correction": {name: np.full(length(rows), one) for name, one in factors.items()},
            "prediction": self.predict(rows),
        }

    def _ratios(self, rows: Columns) -> Columns:
        """Return what each graph predicts, (rows,)."""
        return {name: graph.predict(rows)["variable"][:, 0] for name, graph in self._graphs.items()}

    def _values(self, rows: Columns) -> NDArray[np.float64]:
        """Return the median in units, which needs one graph: (rows, 1)."""
        ratio = self._graphs["value"].predict(rows)["variable"]
        return self._details.to_units(dict.fromkeys(QUANTILES, ratio[:, 0]), rows)["value"][:, None]


def to_raw_rows(requests: Sequence[DemandRequest]) -> Columns:
    """Turn requests into rows of the weekly table; what will be sold is not known: 0."""
    products = np.array([request.product_id for request in requests], object)
    plans = to_rows([request.plan for request in requests], Plan)
    return {
        PRODUCT: products,
        **plans,
        **{name: np.zeros(len(requests)) for name in SOLD},
        EXPLAIN: np.array([request.explain for request in requests]),
    }


def to_responses(_: Columns, predictions: Columns) -> list[DemandResponse]:
    """Turn predictions into responses."""
    columns = [predictions[name].tolist() for name in ("value", "low", "high")]
    effect = predictions["effects"]
    top = strongest(effect).tolist()
    responses = []
    for row, (value, low, high) in enumerate(zip(*columns, strict=True)):
        reasons = [
            Reason(
                feature=INPUTS[index],
                meaning=DESCRIPTIONS[INPUTS[index]],
                effect=round(float(effect[row, index]), 2),
            )
            for index in top[row]
            if index >= 0
        ]
        responses.append(DemandResponse(value=value, low=low, high=high, reasons=reasons))
    return responses


def monitored(rows: Columns, predictions: Columns) -> Columns:
    """Return level and naive forecast, what is planned, the forecast, and its width by level."""
    level = rows[LEVEL] + 1
    return {
        "level": rows[LEVEL],
        **{name: rows[name] for name in ("mean_4w", "ad", "display")},
        "value": predictions["value"],
        "width": (predictions["high"] - predictions["low"]) / level,
    }


def from_request(request: DemandRequest) -> HistoryRows:
    """Return the weeks that a request contains."""
    return {PRODUCT: to_rows(request.history, PastWeek)} if request.history else {}


def history_error(request: DemandRequest, history: HistoryRows) -> str:
    """Require the weeks right before the one to forecast, without a gap."""
    week = milliseconds([request.plan.week])
    known = history[PRODUCT]["timestamp"] if PRODUCT in history else ()
    needed = week - np.arange(1, MIN_HISTORY + 1) * WEEK_DAYS * MILLISECONDS_A_DAY
    if np.isin(needed, known).all():
        return ""
    return f"needs the {MIN_HISTORY} weeks before the plan's; send them to /v1/events"


def features(rows: Columns, histories: Sequence[HistoryRows]) -> Columns:
    """Compute the features of rows, each from the weeks before it."""
    return feature_columns(*merge_history(rows, histories, ENTITIES))


HISTORY = History(
    entities=ENTITIES,
    event=SoldWeek,
    key=(PRODUCT, TIMESTAMP),
    to_raw_rows=to_raw_rows,
    needs_store=lambda request: request.history is None,
    from_request=from_request,
    features=features,
    error=history_error,
    outcome=("units",),
)


def make_task(_: Bundle) -> Task:
    """Return the task, which is the same for every bundle."""
    return HistoryTask(
        name="demand",
        request=DemandRequest,
        response=DemandResponse,
        load=DemandModel,
        to_rows=HISTORY.to_rows,
        to_responses=to_responses,
        monitored=monitored,
        outputs=("value", "width"),
        entity=PRODUCT,
        id=HISTORY.key,
        meanings=meanings(FEATURES),
        history=HISTORY,
    )
