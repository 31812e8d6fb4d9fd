"""The smallest use case: a CSV table of customers, without time, entities or history.

Of its two candidates, one goes into the bundle as JSON, the other as an ONNX graph.
"""

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from project_package.bundle import Bundle
from project_package.columns import Columns, length, take, to_rows
from project_package.contract.about import About
from project_package.contract.monitoring import Monitoring
from project_package.contract.simulation import Simulation
from project_package.contract.task import Model, Task
from project_package.contract.training import (
    Candidate,
    Fold,
    Hyperparameters,
    Metric,
    Outcome,
    Progress,
    Splits,
    Training,
)
from project_package.frozen import Frozen
from project_package.onnx_runtime import GRAPH, OnnxModel
from project_package.params import Params

TABLE = "customers.csv"
INPUTS = ("months", "bill", "plan")
WEIGHTS = "weights.json"


class Customer(Frozen):
    months: float
    bill: float
    plan: Literal["basic", "plus"]


class PastCustomer(Customer):
    left: bool


class Churn(Frozen):
    probability: float


class Label(Frozen):
    left: bool


class PlainParams(Params):
    csv: Path


def read_table(path: Path, model: type[Customer]) -> Columns:
    with path.open(encoding="utf-8", newline="") as file:
        return to_rows([model.model_validate(row) for row in csv.DictReader(file)], model)


def load_data(params: PlainParams, folder: Path, _: Progress) -> None:
    read_table(params.csv, PastCustomer)
    (folder / TABLE).write_bytes(params.csv.read_bytes())


def split(params: PlainParams, folder: Path) -> Splits:
    rows = read_table(folder / TABLE, PastCustomer)
    order = np.random.default_rng(params.seed).permutation(length(rows))
    train, valid, test = (take(rows, part) for part in np.array_split(order, 3))
    return Splits(train, (Fold(train, valid),), test)


def matrix(rows: Columns) -> NDArray[np.float32]:
    return np.array([rows["months"], rows["bill"], rows["plan"] == "plus"], np.float32).T


@dataclass(frozen=True)
class Linear:
    intercept: float
    weights: list[float]

    def predict(self, rows: Columns) -> Columns:
        logit = matrix(rows)[:, : len(self.weights)] @ np.array(self.weights) + self.intercept
        return {"probability": 1 / (1 + np.exp(-logit))}

    def files(self) -> dict[str, bytes]:
        return {WEIGHTS: json.dumps(asdict(self)).encode()}


@dataclass(frozen=True)
class Tree:
    model: DecisionTreeClassifier

    def predict(self, rows: Columns) -> Columns:
        return {"probability": self.model.predict_proba(matrix(rows))[:, 1]}

    def files(self) -> dict[str, bytes]:
        sample = np.zeros((1, 3), np.float32)
        return {GRAPH: to_onnx(self.model, sample, options={"zipmap": False}).SerializeToString()}


def fit_linear(rows: Columns, settings: Hyperparameters, *_: object) -> Linear:
    model = LogisticRegression().fit(matrix(rows)[:, : int(settings["inputs"])], rows["left"])
    return Linear(float(model.intercept_[0]), model.coef_[0].tolist())


def fit_tree(rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Tree:
    model = DecisionTreeClassifier(**settings, random_state=seed)
    return Tree(model.fit(matrix(rows), rows["left"]))


def load(bundle: Bundle) -> Model:
    if WEIGHTS in bundle.files:
        return Linear(**json.loads(bundle.files[WEIGHTS]))
    return OnnxModel(
        bundle.files[GRAPH],
        encode=lambda rows: {"X": matrix(rows)},
        decode=lambda _, outputs: {"probability": outputs["probabilities"][:, 1]},
    )


def make_task(_: Bundle) -> Task:
    return Task(
        name="plain",
        request=Customer,
        response=Churn,
        load=load,
        to_rows=to_rows,
        to_responses=lambda _, given: [Churn(probability=p) for p in given["probability"].tolist()],
        monitored=lambda rows, predictions: {**{n: rows[n] for n in INPUTS}, **predictions},
        label=Label,
    )


def roc_auc(rows: Columns, predictions: Columns, weights: NDArray[np.float64]) -> float:
    return float(roc_auc_score(rows["left"], predictions["probability"], sample_weight=weights))


def make_customers(random: np.random.Generator, count: int) -> pl.DataFrame:
    """Make customers of whom those with a high bill leave, and long-standing ones stay."""
    months = random.integers(1, 60, count)
    bill = random.uniform(0, 100, count).round(2)
    left = random.random(count) < 1 / (1 + np.exp(months / 10 - bill / 20))
    plan = random.choice(["basic", "plus"], count)
    return pl.DataFrame({"months": months, "bill": bill, "plan": plan, "left": left})


def write_source(_: Path, rows: pl.DataFrame, file: Path) -> tuple[str, ...]:
    rows.write_csv(file)
    return (f"csv={file}",)


MONITORING = Monitoring(
    metrics=("roc_auc",),
    read_answers=lambda logged: Outcome(logged, {"probability": logged["probability"]}),
    read_labels=lambda labels: {"left": np.array([label["left"] for label in labels])},
    write_labels=lambda rows: [{"left": bool(left)} for left in rows["left"]],
    target="left",
    probabilities=lambda predictions: np.stack(
        [1 - predictions["probability"], predictions["probability"]], axis=1
    ),
)
SIMULATION = Simulation(
    day=lambda _, number: make_customers(np.random.default_rng((1, number)), 400),
    damages={
        "shift": lambda rows, *_: rows.with_columns(pl.col("bill") / 2 + 50),
        "broken": lambda rows, *_: rows.with_columns(bill=pl.lit(-1.0)),
        "concept": lambda rows, *_: rows.with_columns(~pl.col("left")),
    },
    requests=lambda rows: rows.select(INPUTS).cast({"months": pl.Float64}).to_dicts(),
    labels=lambda rows: rows.select("left").to_dicts(),
    write_source=write_source,
)
PARAMS = PlainParams
TRAINING = Training(
    make_task=make_task,
    load_data=load_data,
    split=split,
    candidates=(
        Candidate("by_months", {"inputs": 1}, fit_linear),
        Candidate("linear", {"inputs": 3}, fit_linear),
        Candidate("tree", {"max_depth": 4}, fit_tree),
    ),
    metrics=(Metric("roc_auc", "ROC AUC", roc_auc),),
    naive=lambda rows: {"probability": np.zeros(length(rows))},
    about=lambda _: About("Churn", "Who leaves?", "", "", ""),
    read_batch=lambda _, path, __: read_table(path, Customer),
    batch_table=lambda rows, predictions: {**rows, **predictions},
    monitoring=MONITORING,
    simulation=SIMULATION,
    examples=lambda _, rows, count: [
        Customer.model_validate({name: rows[name][n] for name in Customer.model_fields})
        for n in range(min(count, length(rows)))
    ],
)


def make_training(_: PlainParams, __: Path) -> Training:
    return TRAINING
