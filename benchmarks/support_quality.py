"""Quality of the support assistant: writes support_quality.md beside this file.

There are five seeds; the first is the default of projects. A seed draws the topics of the test;
weights and threshold are chosen on the questions about the others.
"""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import report
from numpy.typing import NDArray
from scipy.stats import rankdata

from project_package.columns import Columns, concatenate, take
from project_package.contract.training import Metric, Outcome, Splits
from project_package.lifecycle.gate import processor_milliseconds
from project_package.support import dataset
from project_package.support.confidence import finish
from project_package.support.metrics import METRICS
from project_package.support.models import candidates
from project_package.support.params import SupportParams
from project_package.support.split import split

LIBRARIES = ("llama-index-core", "onnxruntime", "scikit-learn", "tokenizers")
SEEDS = (1, 2, 3, 4, 5)
WORDS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0)
"""Shares of BM25, of which the folds choose one."""
RRF = 60  # of the method's authors
NAMES = {
    "plain words": "BM25, without expansions",
    "plain dense": "MiniLM, without expansions",
    "words": "BM25, the simple baseline (doc2query)",
    "dense": "MiniLM",
    "rrf": "reciprocal rank fusion of both",
    "hybrid": "weighted sum of both",
}
PROTOCOL = """\
Each of five seeds draws half of the topics as test; the weight of BM25, confidence and threshold
are chosen on three folds of the others. The rivals are BM25 on documents expanded by questions
(doc2query: Nogueira and others 2019), and the fusion of both rankings by 1 / (60 + rank) (Cormack
and others 2009). ± is the standard deviation over the seeds, whose tests share questions."""
GOALS = """\
The goals: recall@5 of .85, and of the questions without an answer 90% refused (75% of the near
ones) while 90% of the others are answered. Near ones are about a subject of the documents."""
fill = partial(textwrap.fill, width=100, break_on_hyphens=False)


class Run(NamedTuple):
    """One seed: test questions, predictions by system, the chosen weight, and ms a question."""

    rows: Columns
    predictions: Mapping[str, Columns]
    words: float
    milliseconds: float


def fit(params: SupportParams, root: Path, splits: Splits, number: int, words: float) -> Any:
    """Fit a candidate with a weight of BM25; return it with confidence, and its validation."""
    candidate = candidates(params, root)[number]
    settings = {**candidate.start, "words": words} if number == 2 else candidate.start
    fitted = candidate.fit(splits.train, settings, params.seed)
    parts = [fold.valid for fold in splits.folds]
    outcome = Outcome(concatenate(parts), concatenate([fitted.predict(part) for part in parts]))
    return finish(params, fitted, splits.train, outcome), outcome


def fuse(model: Any, rows: Columns) -> Columns:
    """Return the documents by the sum of reciprocal ranks."""
    retriever = model.retriever
    found = []
    for question in rows["question"]:
        similar = retriever.index.similarities(retriever.encoder.embed([question])[0])
        lists = (similar, retriever.index.word_scores(question))
        scores = sum(1 / (RRF + rankdata(-values, "ordinal")) for values in lists)
        order = np.argsort(-scores, kind="stable")
        names = dict.fromkeys(retriever.index.passages[number].document for number in order)
        found.append([*names][:5])
    return {"document": np.array(found, object)}


def measure(params: SupportParams, root: Path) -> Run:
    """Choose on the folds with a seed, and predict the test."""
    splits = split(params, root)
    none = params.passages.model_copy(update={"questions": 0})
    plain = params.model_copy(update={"passages": none})
    predictions = {}
    for number, name in enumerate(("words", "dense")):
        for prefix, used in (("plain ", plain), ("", params)):
            model, _ = fit(used, root, splits, number, 0)
            predictions[prefix + name] = model.predict(splits.test)
    tried = {words: fit(params, root, splits, 2, words) for words in WORDS}
    best = max(WORDS, key=lambda words: METRICS[0].score(tried[words][1].rows, tried[words][1].predictions))
    model = tried[best][0]
    predictions["hybrid"] = model.predict(splits.test)
    predictions["rrf"] = fuse(model.model, splits.test)
    one = partial(served(model).predict, take(splits.test, np.arange(1)))
    return Run(splits.test, predictions, best, processor_milliseconds(one))


def part(runs: Sequence[Run], name: str, metric: Metric, mask: Callable[[Columns], Any]) -> str:
    """Return mean and spread of a metric on the questions of a mask."""
    scores = []
    for run in runs:
        rows = mask(run.rows)
        scores.append(metric.score(take(run.rows, rows), take(run.predictions[name], rows)))
    return report.spread(scores)


def main() -> None:
    """Measure everything and write the report."""
    params = SupportParams(name="benchmark")
    with TemporaryDirectory() as name:
        root = Path(name)
        dataset.load_data(params, root, lambda _: None)
        runs = [measure(params.model_copy(update={"seed": seed}), root) for seed in SEEDS]


if __name__ == "__main__":
    main()
