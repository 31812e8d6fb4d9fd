"""Quality of models that commands alone make from a table: writes tabular_quality.md beside it.

A table is written as a CSV file into a fresh folder, where `ml schema` and `ml pipeline` run as a
user would run them. The rival is fitted on the same training rows and scored on the same test rows,
which are found by a column with the number of the row.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import report
from cookiecutter.main import cookiecutter
from numpy.typing import NDArray
from public_tables import PACKAGES, TABLES, Table, load
from rich.progress import track
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from project_package.lifecycle.registry import EVALUATION
from project_package.lifecycle.scores import Evaluation, Score, number
from project_package.lifecycle.workspace import Workspace
from project_package.read_params import read_params
from project_package.tabular.training import PARAMS, make_training

TEMPLATE = Path(__file__).resolve().parents[1]
LIBRARIES = ("numpy", "pandas", "polars", "duckdb", "xgboost-cpu", *PACKAGES)
SEEDS, FILE, ROW = (1, 2, 3), "table.csv", "row"
PROTOCOL = f"""\
Public tables that packages hold as files, each written to a CSV file as it is, but for rows that
lack the target or the date. In a fresh folder with the default parameters, the command of the table
and `ml pipeline` did all the work; no file was edited. Each of {len(SEEDS)} seeds (`--set seed=`)
draws other test rows, a quarter, and starts the search and the models. Football has the newest
matches as test, so seeds change its models only. Every command also had `--id {ROW}`, an added
number by which the same rows are found again."""
MEANING = """\
Figures are means over the seeds, ± is the standard deviation over them. *No model* is the best
constant, the *simple baseline* a tree of three levels, *commands* the model of the pipeline. *By
hand* is what a data scientist tries first: pandas reads the table, identifiers and free text are
dropped, text becomes categories, dates become days, and scikit-learn's histogram gradient boosting
is fitted with its defaults to the same training rows. *For the metric* is the same with
`class_weight="balanced"`, or the absolute error as loss. *Gain* is that of the commands over *by
hand*, seed by seed; it is *equal* when it is less than the standard deviation of *by hand*.
*Chosen* is the best candidate on the folds, *promoted* how many seeds passed the gate; a seed that
was refused before the test is in no score. *Seconds* is the processor time of `ml pipeline` with
the first seed.

What this misses: tables with thousands of columns or millions of rows, free text that matters, and
longer work by hand. The tables are well known, and most were cleaned by others."""


@dataclass(frozen=True)
class Run:
    """What one seed gave."""

    score: Score | None
    """None when the gate refused before there was a score."""
    rivals: Sequence[float]
    candidate: str
    refused: Sequence[str]
    seconds: float


def ml(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the program in a folder; the gate may refuse."""
    command = [sys.executable, "-B", "-m", "project_package.tabular.entry_point", *arguments]
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    if done.returncode > 1:
        sys.exit(f"{' '.join(arguments)} failed: {done.stdout}{done.stderr}")
    return done


def run(table: Table, rows: pl.DataFrame, target: Path, seed: int) -> Run:
    """Run the commands in a new project, and fit the rivals on the same rows."""
    folder = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(target)))
    rows.with_row_index(ROW).write_csv(folder / FILE)
    ml(folder, "schema", FILE, "--target", table.target, *table.flags.split(), "--id", ROW)
    start = os.times()
    done = ml(folder, "pipeline", "--set", f"seed={seed}")
    seconds = sum(os.times()[2:4]) - sum(start[2:4])  # of child processes, in user and system
    path, score = folder / "reports" / EVALUATION, None
    if path.exists():
        evaluation = Evaluation.model_validate_json(path.read_text(encoding="utf-8"))
        score = evaluation.score(evaluation.goal)
    chosen = re.findall(r"^Version 1 is (\w+):", done.stdout, re.MULTILINE)
    refused = re.findall(r"(?:^  |: )([\w ]+): ", done.stderr, re.MULTILINE)
    with threadpool_limits(limits=1):  # other work on the machine makes two threads slow
        scores = fit_rivals(table, folder, seed)
    return Run(score, scores, "".join(chosen), refused, seconds)


def fit_rivals(table: Table, folder: Path, seed: int) -> list[float]:
    """Fit gradient boosting as a data scientist would; return its scores on the test rows."""
    # 1. Split as the program does.
    params: Any = read_params(PARAMS, folder / "params.toml", [f"seed={seed}"])
    training = make_training(params, folder)
    splits = training.split(params, Workspace(folder).dataset().path)
    # 2. Read text as categories, a date as days, and missing values as they are.
    frame = pd.read_csv(folder / FILE, parse_dates=[table.date] if table.date else [])
    unused = {table.target, "Unnamed: 1", *table.unused.split(", "), *table.flags.split()}
    frame = frame.drop(columns=list(unused - {table.date}), errors="ignore").set_index(ROW)
    if table.date:
        frame[table.date] = (frame[table.date] - pd.Timestamp(0)).dt.days
    frame = frame.astype(dict.fromkeys(frame.select_dtypes(exclude="number"), "category"))
    train, test = (frame.loc[part[ROW].astype(int)] for part in (splits.train, splits.test))
    # 3. Fit and score, with the defaults and with what suits the metric.
    classes, scores = training.goal.higher_is_better, []
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    for options in ({}, {"class_weight": "balanced"} if classes else {"loss": "absolute_error"}):
        model = kind(**options, random_state=seed).fit(train, splits.train[table.target])
        answers = {"prediction": model.predict(test)}
        if classes:
            answers["probabilities"] = model.predict_proba(test)
        scores.append(training.goal.score(splits.test, answers))
    return scores


def overview(sizes: Mapping[Table, str]) -> str:
    """Show what the tables are, and the commands of a user."""
    lines = []
    for table, size in sizes.items():
        command = f"ml schema {FILE} --target {table.target} {table.flags}".strip()
        lines.append([table.name, size, f"`{command}`", f"`{table.file}`", table.origin])
    header = ["table", "rows x columns", "command", "package and file", "source; licence"]
    return report.table(header, lines)


def score_line(table: Table, runs: Sequence[Run]) -> list[str]:
    """Return the scores of a table on its test rows, and how they came about."""
    scored = [(run.score, run.rivals) for run in runs if run.score]
    first = scored[0][0]
    numbers = [(s.naive, s.baseline, s.model, *rivals) for s, rivals in scored]
    none, simple, ours, plain, better = np.array(numbers).T
    gain = (ours - plain) * (1 if first.higher_is_better else -1)
    much = gain.mean() / max(plain.std(ddof=1), 1e-9)
    lost = ", lost with every seed" if (gain < 0).all() else ""
    chosen = Counter(run.candidate for run in runs if run.score).most_common()
    refused = {f"{rule} refused" for run in runs for rule in run.refused}
    return [
        f"{table.name}, {first.label.lower()}",
        number(float(none.mean())),
        *map(spread, (simple, plain, better, ours, gain)),
        "**worse**" if much < -1 else "better" if much > 1 else "equal" + lost,
        ", ".join(f"{name} {count}x" for name, count in chosen),
        ", ".join([f"{sum(not run.refused for run in runs)} of {len(runs)}", *refused]),
        f"{runs[0].seconds:.0f}",
    ]


def spread(values: NDArray[np.float64]) -> str:
    """Return mean and standard deviation."""
    return f"{number(float(values.mean()))} ± {number(float(values.std(ddof=1)))}"


def main() -> None:
    """Run the commands and the rivals on all tables and write the report."""
    sizes, lines = {}, []
    for table in track(TABLES, "tables"):
        rows, runs = load(table), []
        for seed in SEEDS:
            with TemporaryDirectory() as folder:
                runs.append(run(table, rows, Path(folder), seed))
        sizes[table] = f"{rows.height:,} x {rows.width}"
        lines.append(score_line(table, runs))
    models = ["no model", "simple baseline", "by hand", "for the metric", "commands", "gain", ""]
    parts = [
        "# Tables: quality without code",
        report.measured_on(LIBRARIES, "make bench"),
        PROTOCOL,
        overview(sizes),
        "## Compared with gradient boosting by hand",
        report.table(["on test rows", *models, "chosen", "promoted", "seconds"], lines),
        MEANING,
    ]
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
