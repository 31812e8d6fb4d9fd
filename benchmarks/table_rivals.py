"""What others make of the same rows: gradient boosting by hand, tuned LightGBM, and FLAML."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import lightgbm  # type: ignore[import-not-found]
import numpy as np
import optuna
import pandas as pd  # type: ignore[import-untyped]
from flaml import AutoML  # type: ignore[import-not-found]
from numpy.typing import NDArray
from public_tables import Table
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from project_package.columns import Columns

TRIALS = 30  # of LightGBM
PATIENCE = 30  # rounds without a better score, after which LightGBM stops
CATEGORIES = 254  # of a column, at most, that scikit-learn's boosting can read
FLAML_METRICS = {"average_precision": "ap", "f1_macro": "macro_f1", "mae": "mae"}


@dataclass(frozen=True)
class Problem:
    """Features as pandas has them, and targets of the training rows, sorted by time if any."""

    train: pd.DataFrame
    target: NDArray[Any]
    test: pd.DataFrame
    metric: str
    by_time: bool
    seed: int
    seconds: float
    """Of processor time, which `ml pipeline` took."""

    @property
    def classes(self) -> bool:
        """Whether the target is a class."""
        return self.metric != "mae"

    def answers(self, model: Any) -> Columns:
        """Return the predictions of the test rows."""
        answers = {"prediction": np.asarray(model.predict(self.test))}
        if self.classes:
            answers["probabilities"] = np.asarray(model.predict_proba(self.test))
        return answers


def features(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Read text as categories and a date as its parts; leave out what the commands leave out."""
    unused = {table.target, "Unnamed: 1", *table.unused.split(", "), *table.flags.split()}
    frame = rows.drop(columns=list(unused - {table.date}), errors="ignore")
    if table.date:
        date = frame.pop(table.date)
        for part in ("weekday", "month", "dayofyear", "hour"):
            frame[part] = getattr(date.dt, part)
        if "--time" not in table.flags:
            frame["days"] = (date - pd.Timestamp(0)).dt.days
    return frame.astype(dict.fromkeys(frame.select_dtypes(exclude="number"), "category"))


def merged(problem: Problem) -> Problem:
    """Leave out all but the most frequent values of categories that have too many."""
    train, test = problem.train.copy(), problem.test.copy()
    for name in train.select_dtypes("category"):
        if len(train[name].cat.categories) > CATEGORIES:
            frequent = list(train[name].value_counts().index[:CATEGORIES])
            train[name] = train[name].cat.set_categories(frequent)
            test[name] = test[name].cat.set_categories(frequent)
    return replace(problem, train=train, test=test)


def by_hand(problem: Problem, **options: Any) -> Columns:
    """Fit scikit-learn's histogram gradient boosting, with its defaults but for options."""
    problem = merged(problem)
    kind = HistGradientBoostingClassifier if problem.classes else HistGradientBoostingRegressor
    model = kind(**options, random_state=problem.seed, categorical_features="from_dtype")
    return problem.answers(model.fit(problem.train, problem.target))


def for_the_metric(problem: Problem) -> Columns:
    """Fit the same for the metric: with balanced classes, or the absolute error."""
    balanced = {"class_weight": "balanced"}
    return by_hand(problem, **(balanced if problem.classes else {"loss": "absolute_error"}))


def tuned_lightgbm(problem: Problem) -> Columns:
    """Tune LightGBM on a quarter of the training rows, the newest if they have a time."""
    count = len(problem.train)
    order = np.arange(count)
    if not problem.by_time:
        np.random.default_rng(problem.seed).shuffle(order)
    fitted, held_out = np.split(order, [3 * count // 4])
    kind = lightgbm.LGBMClassifier if problem.classes else lightgbm.LGBMRegressor
    shared = {"random_state": problem.seed, "n_jobs": 1, "verbose": -1}
    several = len(np.unique(problem.target)) > 2
    score = ("multi_logloss" if several else "average_precision") if problem.classes else "l1"

    def objective(trial: optuna.Trial) -> float:
        settings: dict[str, Any] = {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 128, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 3, 100, log=True),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 30, log=True),
        }
        if not problem.classes:
            settings["objective"] = trial.suggest_categorical("objective", ["l1", "l2"])
        model = kind(**settings, **shared, n_estimators=1000)
        model.fit(
            problem.train.iloc[fitted],
            problem.target[fitted],
            eval_set=[(problem.train.iloc[held_out], problem.target[held_out])],
            eval_metric=score,
            callbacks=[lightgbm.early_stopping(PATIENCE, first_metric_only=True, verbose=False)],
        )
        trial.set_user_attr("settings", settings | {"n_estimators": model.best_iteration_})
        return float(model.best_score_["valid_0"][score])

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=problem.seed)
    higher = score == "average_precision"
    study = optuna.create_study(sampler=sampler, direction="maximize" if higher else "minimize")
    study.optimize(objective, TRIALS)
    model = kind(**study.best_trial.user_attrs["settings"], **shared)
    return problem.answers(model.fit(problem.train, problem.target))


def flaml(problem: Problem) -> Columns:
    """Let FLAML choose among its models for as long as `ml pipeline` took, on one core."""
    model = AutoML()
    model.fit(
        problem.train,
        problem.target,
        task="classification" if problem.classes else "regression",
        metric=FLAML_METRICS[problem.metric],
        time_budget=problem.seconds,
        split_type="time" if problem.by_time else "auto",
        n_jobs=1,
        seed=problem.seed,
        verbose=0,
    )
    return problem.answers(model)


RIVALS: Mapping[str, Callable[[Problem], Columns]] = {
    "by hand": by_hand,
    "for the metric": for_the_metric,
    "LightGBM": tuned_lightgbm,
    "FLAML": flaml,
}
