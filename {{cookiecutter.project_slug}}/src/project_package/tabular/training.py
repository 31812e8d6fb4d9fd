"""Assemble the training for a table: a class or a value to predict."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import PARAMS as BUNDLED
from ..bundle import Bundle
from ..columns import Columns, length
from ..contract.about import Figure
from ..contract.checklist import Checklist
from ..contract.training import Outcome, Training
from ..data.table_schema import SCHEMA, read_schema
from ..xgboost_on_workers import share_fits
from . import dataset, figures, metrics
from .ablations import ablations
from .about import about
from .average import averages
from .decide_and_explain import DETAILS, Details
from .fitted import Fitted
from .groups import groups
from .importance import importance
from .lags import before_columns
from .learning_curve import learning, with_curve
from .models import candidates, finish
from .monitoring import make_monitoring
from .params import TabularParams
from .problem import Problem, find_problem
from .simulation import make_simulation
from .split import split
from .task import make_task

PARAMS = TabularParams
"""The type of the parameters."""


def incompatible(problem: Problem, params: TabularParams, bundle: Bundle) -> str:
    """Return what a bundle predicts or reads that this problem does not have; empty if nothing."""
    trained = Details.model_validate_json(bundle.files[DETAILS]).problem
    if (trained.target, trained.classes) != (problem.target, problem.classes):
        return f"predicts {trained.target}" + (
            f" ({', '.join(trained.classes)})" if trained.classes else ""
        )
    now = {name: column.type for name, column in problem.inputs.items()}
    other = [f"{n} ({c.type})" for n, c in trained.inputs.items() if c.type != now.get(n)]
    if before_columns(trained.table):
        gap = PARAMS.model_validate_json(bundle.files[BUNDLED]).split.gap_days
        other += [f"values {gap:g} days before"] if gap != params.split.gap_days else []
    return f"reads {', '.join(other)}" if other else ""


def make_training(params: TabularParams, root: Path) -> Training:
    """Read the schema; raise UserError when it does not fit the parameters."""
    schema = read_schema(root / SCHEMA)
    problem = find_problem(schema, params.data.target, params.data.positive)
    scores = metrics.find_metrics(problem, params)
    goal = scores[0]
    searched = metrics.SEARCHED.get(goal.name, goal.name)
    search_metric = next(metric for metric in scores if metric.name == searched)
    group = problem.column_of("group")

    def finished(params: Any, fitted: Fitted, rows: Columns, validation: Outcome) -> Fitted:
        complete = finish(params, fitted, rows, validation)
        return with_curve(search_metric, complete, rows, params.split.gap_days)

    def importances(rows: Columns, model: Any) -> tuple[Figure, ...]:
        found = importance(problem, goal, rows, model.predict)
        return (*found, *learning(search_metric, model.details.curve))

    return Training(
        make_task=make_task,
        load_data=partial(dataset.load_data, schema),
        split=partial(split, problem),
        candidates=share_fits(
            candidates(problem, absolute=searched == "mae"), params.xgboost.workers
        ),
        metrics=scores,
        naive=partial(metrics.naive, problem, params),
        about=partial(about, problem),
        read_batch=partial(dataset.read_batch, problem),
        batch_history=partial(dataset.batch_history, problem)
        if before_columns(problem.table)
        else None,
        batch_table=partial(dataset.batch_table, problem),
        examples=partial(dataset.examples, problem),
        search_metric=search_metric,
        combine=partial(averages, problem, params.seed),
        finish=finished,
        periods=partial(metrics.periods, problem),
        pooled=True,
        groups=(lambda rows: rows[group]) if group else (lambda rows: np.arange(length(rows))),
        slices=partial(metrics.slices, problem),
        summary=partial(figures.summary, problem, params),
        figures=partial(figures.figures, problem, params.decide),
        importance=importances,
        incompatible=partial(incompatible, problem, params),
        file_reasons=True,
        monitoring=make_monitoring(problem, scores),
        simulation=make_simulation(problem, params),
        checklist=make_checklist(problem),
    )


def make_checklist(problem: Problem) -> Checklist:
    """Say what the features are, for `ml checklist`."""
    return Checklist(
        ablations=partial(ablations, problem),
        feature_tests="tabular/test_problem.py",
        feature_modules=("tabular.problem",),
        new_feature_test="tabular/test_new_feature.py",
        groups=partial(groups, problem),
        requests=partial(dataset.requests_of, problem),
        time=problem.column_of("time"),
    )
