"""The candidates: cells of recency, frequency and spending, and k-means; each as one graph.

Both standardise the positions of households. k-means looks at them along the axes in which they
vary most (principal components); how many axes and how many segments is searched, by silhouette
times stability on households that it was not fitted on. Each is fitted `RESAMPLES` times more, on
households drawn with replacement, and all of these clusterings travel in the graph: how often they
agree tells how sure an answer is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ..contract import Candidate, Columns, Hyperparameters, Suggest, length, take
from .metrics import RESAMPLES
from .features import INPUTS, positions

Numbers = NDArray[Any]
Step: TypeAlias = tuple[str, list[str], str, dict[str, Any]]
"""A node of a graph: operator, inputs, output, attributes."""

CELLS_OF = ("recency", "baskets", "spending")
"""The classic three: each is above or below its median."""
OPSET = 18


@dataclass(frozen=True)
class Cells:
    """The eight cells: where the medians lie, for the households and for each resample of them."""

    medians: Numbers
    """Of positions: shape (1 + resamples, 3)."""
    mean: Numbers
    scale: Numbers
    centres: Numbers
    """Standardised, of each cell: shape (8, features)."""


def resample(rows: Columns, seed: int) -> list[Columns]:
    """Give the rows, and samples of as many, drawn with replacement."""
    random, count = np.random.default_rng(seed), length(rows)
    drawn = [take(rows, random.integers(0, count, count)) for _ in range(RESAMPLES)]
    return [rows, *drawn]


def fit_cells(rows: Columns, _: Hyperparameters, seed: int) -> Cells:
    """Take the medians; the cell of nobody has its centre in the middle of all."""
    places = [INPUTS.index(name) for name in CELLS_OF]
    samples = [positions(sample) for sample in resample(rows, seed)]
    medians = np.array([np.median(sample[:, places], axis=0) for sample in samples])
    scaler = StandardScaler().fit(samples[0])
    standard, cell = scaler.transform(samples[0]), cells(samples[0], medians)[:, 0]
    centres = np.zeros((2 ** len(CELLS_OF), len(INPUTS)))
    for number in np.unique(cell):
        centres[number] = standard[cell == number].mean(axis=0)
    return Cells(medians, scaler.mean_, scaler.scale_, centres)


def cells(placed: Numbers, medians: Numbers) -> Numbers:
    """Give the cell of each row for each line of medians: shape (rows, lines)."""
    above = placed[:, None, [INPUTS.index(name) for name in CELLS_OF]] > medians
    return np.asarray(above @ bits(), np.int64)


def bits() -> Numbers:
    """Give what each of the three counts in the number of a cell."""
    return 2 ** np.arange(len(CELLS_OF))


def predict_cells(model: Cells, rows: Columns) -> Columns:
    """Give segment, distances and resampled."""
    placed = positions(rows)
    found = cells(placed, model.medians)
    distances = cdist((placed - model.mean) / model.scale, model.centres)
    return {"segment": found[:, 0], "distances": distances, "resampled": found[:, 1:]}


def fit_kmeans(rows: Columns, settings: Hyperparameters, seed: int) -> Sequence[Pipeline]:
    """Fit to the rows, and to resamples whose segments get the numbers of the first ones."""
    with threadpool_limits(1):  # in several threads sums differ from run to run
        first, *others = (
            make_pipeline(
                StandardScaler(),
                PCA(int(settings["axes"]), random_state=seed),
                KMeans(int(settings["segments"]), n_init=10, random_state=seed),
            ).fit(positions(sample))
            for sample in resample(rows, seed)
        )
    return [first, *(_renumbered(other, centres(first)) for other in others)]


def centres(fitted: Pipeline) -> Numbers:
    """Give the centres as positions: shape (segments, features)."""
    scaler, axes, kmeans = (step for _, step in fitted.steps)
    return np.asarray(scaler.inverse_transform(axes.inverse_transform(kmeans.cluster_centers_)))


def _renumbered(fitted: Pipeline, reference: Numbers) -> Pipeline:
    """Give each segment the number of the nearest reference centre that no other one has."""
    apart = cdist(reference / fitted[0].scale_, centres(fitted) / fitted[0].scale_)
    order = linear_sum_assignment(apart)[1]
    fitted[-1].cluster_centers_ = fitted[-1].cluster_centers_[order]
    return fitted


def predict_kmeans(model: Sequence[Pipeline], rows: Columns) -> Columns:
    """Give segment, distances and resampled."""
    placed = positions(rows)
    distances = [fitted.transform(placed) for fitted in model]
    segments = np.stack([apart.argmin(axis=1) for apart in distances], axis=1)
    return {"segment": segments[:, 0], "distances": distances[0], "resampled": segments[:, 1:]}


def kmeans_space(suggest: Suggest) -> Hyperparameters:
    """Suggest how many segments, and along how many axes they are apart."""
    return {
        "segments": suggest.suggest_int("segments", 4, 8),
        "axes": suggest.suggest_int("axes", 2, 6),
    }


def export_cells(model: Cells, _: Columns) -> bytes:
    """Give the ONNX graph of the cells: comparisons with medians, weighed by the bits."""
    constants = {
        "medians": model.medians,
        "bits": bits().astype(np.float64),
        "mean": model.mean,
        "scale": model.scale,
        "centres": model.centres,
    }
    places = [INPUTS.index(name) for name in CELLS_OF]
    nodes: list[Step] = [
        ("Gather", ["positions", "places"], "three", {"axis": 1}),
        ("Unsqueeze", ["three", "middle"], "each", {}),
        ("Greater", ["each", "medians"], "above", {}),
        ("Cast", ["above"], "ones", {"to": TensorProto.DOUBLE}),
        ("Mul", ["ones", "bits"], "counts", {}),
        ("ReduceSum", ["counts", "last"], "number", {"keepdims": 0}),
        ("Cast", ["number"], "segments", {"to": TensorProto.INT64}),
        ("Sub", ["positions", "mean"], "moved", {}),
        ("Div", ["moved", "scale"], "standard", {}),
        ("Unsqueeze", ["standard", "middle"], "from", {}),
        ("Sub", ["from", "centres"], "between", {}),
        *_lengths("between", "distances"),
    ]
    return graph(nodes, constants, {"places": places}, len(model.centres))


def export_kmeans(model: Sequence[Pipeline], _: Columns) -> bytes:
    """Give the ONNX graph: each clustering is one projection, side by side, and its centres."""
    steps = [[step for _, step in fitted.steps] for fitted in model]
    slopes = [axes.components_.T / scaler.scale_[:, None] for scaler, axes, _ in steps]
    origins = [
        (scaler.mean_ / scaler.scale_ + axes.mean_) @ axes.components_.T
        for scaler, axes, _ in steps
    ]
    shape = [-1, len(model), 1, len(origins[0])]
    constants = {
        "slopes": np.concatenate(slopes, axis=1),
        "origins": np.concatenate(origins),
        "centres": np.stack([kmeans.cluster_centers_ for _, _, kmeans in steps]),
    }
    nodes: list[Step] = [
        ("MatMul", ["positions", "slopes"], "turned", {}),
        ("Sub", ["turned", "origins"], "flat", {}),
        ("Reshape", ["flat", "shape"], "along", {}),
        ("Sub", ["along", "centres"], "between", {}),
        *_lengths("between", "all_distances"),
        ("ArgMin", ["all_distances"], "segments", {"axis": 2, "keepdims": 0}),
        ("Gather", ["all_distances", "main"], "distances", {"axis": 1}),
    ]
    return graph(nodes, constants, {"shape": shape}, constants["centres"].shape[1])


def _lengths(differences: str, name: str) -> list[Step]:
    """Give the nodes from differences along the axes, the last of them, to distances."""
    return [
        ("Mul", [differences, differences], f"{name}_squares", {}),
        ("ReduceSum", [f"{name}_squares", "last"], f"{name}_sum", {"keepdims": 0}),
        ("Sqrt", [f"{name}_sum"], name, {}),
    ]


def graph(
    nodes: Sequence[Step],
    constants: Mapping[str, Numbers],
    whole: Mapping[str, Any],
    count: int,
) -> bytes:
    """Put nodes that give `segments` and `distances` before those that take them apart.

    `segments` is of shape (rows, 1 + resamples), the first column that of all households, and
    `distances` of shape (rows, count), where count is the number of segments.
    """
    whole = {"last": [-1], "middle": [1], "main": 0, "others": [1], "end": [1 + RESAMPLES], **whole}
    values = {name: np.asarray(value, np.float64) for name, value in constants.items()}
    values |= {name: np.asarray(value, np.int64) for name, value in whole.items()}
    steps: list[Step] = [
        *nodes,
        ("Gather", ["segments", "main"], "segment", {"axis": 1}),
        ("Slice", ["segments", "others", "end", "middle"], "resampled", {}),
    ]
    outputs: dict[str, tuple[int, list[Any]]] = {
        "segment": (TensorProto.INT64, ["rows"]),
        "distances": (TensorProto.DOUBLE, ["rows", count]),
        "resampled": (TensorProto.INT64, ["rows", RESAMPLES]),
    }
    used = {name for _, inputs, _, _ in steps for name in inputs}
    made = helper.make_graph(
        [helper.make_node(kind, inputs, [out], **more) for kind, inputs, out, more in steps],
        "segments",
        [helper.make_tensor_value_info("positions", TensorProto.DOUBLE, ["rows", len(INPUTS)])],
        [
            helper.make_tensor_value_info(name, kind, shape)
            for name, (kind, shape) in outputs.items()
        ],
        [numpy_helper.from_array(value, n) for n, value in values.items() if n in used],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


CANDIDATES = (
    Candidate("cells", {}, None, fit_cells, predict_cells, export_cells),
    Candidate(
        "kmeans",
        {"segments": 4, "axes": 3},
        kmeans_space,
        fit_kmeans,
        predict_kmeans,
        export_kmeans,
    ),
)
