"""Simulated traffic: rows of the test again, a day at a time, as they are or changed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..contract.simulation import Json, Simulation
from ..errors import UserError
from .dataset import stored_rows
from .lags import before_columns
from .params import TabularParams
from .problem import OTHER, Problem
from .split import raw_test_rows

ROWS_A_DAY = 350


class Traffic:
    """Days of a table, whose first feature that is a number is what damages change."""

    def __init__(self, problem: Problem, params: TabularParams) -> None:
        self.problem = problem
        self.params = params
        self.names = problem.table.of_role("feature", "time", "id", "group", "target", "outcome")

    def day(self, folder: Path, number: int) -> pl.DataFrame:
        """Return other rows of the test each day, their dates moved to it.

        After all of them they come again, so that with a small test a drill trains on later rows.
        """
        if before_columns(self.problem.table):
            raise UserError("The rows of a table with lags cannot be drawn: send your own.")
        test = raw_test_rows(self.problem, self.params, folder)
        order = np.random.default_rng(self.params.seed).permutation(len(test))
        rows = test[np.take(order, number * ROWS_A_DAY + np.arange(ROWS_A_DAY), mode="wrap")]
        for name in self.problem.table.of_role("id"):
            own = pl.format("S{}-{}", pl.lit(number), pl.int_range(pl.len()))
            rows = rows.with_columns(own.alias(name))
        if time := self.problem.column_of("time"):
            later = test[time].max() - pl.col(time) + pl.duration(days=number + 1)
            dates = [n for n in rows.columns if rows.schema[n].is_temporal()]
            rows = rows.with_columns(pl.col(n) + later for n in dates)
        return rows

    def requests(self, rows: pl.DataFrame) -> list[Json]:
        """Return the columns of requests, without those that are missing."""
        texts = rows.select(self.problem.requested).with_columns(
            pl.col(pl.Datetime).dt.to_string("iso:strict")
        )
        return [{n: v for n, v in row.items() if v is not None} for row in texts.to_dicts()]

    def labels(self, rows: pl.DataFrame) -> list[Json]:
        """Return the targets, as classes or numbers."""
        target = rows[self.problem.target]
        if classes := self.problem.classes:
            target = target.cast(pl.String)
            target = target.set(~target.is_in(classes), OTHER)
        return [{self.problem.target: value} for value in target]

    def write_source(self, folder: Path, rows: pl.DataFrame, file: Path) -> tuple[str, ...]:
        """Write the rows alone: they are enough, and older ones follow another pattern."""
        known = stored_rows(self.problem, folder)
        rows.select(known.columns).cast(known.schema).write_parquet(file)
        return (f"data.source={json.dumps(str(file))}", "data.columns={}", "data.read={}")

    @property
    def column(self) -> str:
        """The column that damages change."""
        numbers = [
            name
            for name in self.problem.table.of_role("feature")
            if self.problem.table.columns[name].type in ("number", "integer")
        ]
        if not numbers:
            raise UserError("No feature is a number, so there is nothing to damage.")
        return numbers[0]

    def shift(self, rows: pl.DataFrame, strength: float, _: np.random.Generator) -> pl.DataFrame:
        """Add a standard deviation to the column, as after a change of its unit or its source."""
        moved = pl.col(self.column) + (strength * pl.col(self.column).std()).round()
        return rows.with_columns(moved)

    def zero(
        self, rows: pl.DataFrame, strength: float, random: np.random.Generator
    ) -> pl.DataFrame:
        """Set the column to -1 in a share of the rows, as a system does that has failed."""
        is_broken = pl.lit(pl.Series(random.random(len(rows)) < strength))
        return rows.with_columns(
            pl.when(is_broken).then(-1.0).otherwise(self.column).alias(self.column)
        )

    def population(
        self, rows: pl.DataFrame, strength: float, random: np.random.Generator
    ) -> pl.DataFrame:
        """Draw rows with a large value of the column more often: other instances arrive."""
        rank = rows[self.column].rank("random", seed=0).to_numpy() / len(rows)
        weights = np.exp(3 * strength * rank)
        chosen = random.choice(len(rows), len(rows), p=weights / weights.sum())
        return rows[np.sort(chosen)]

    def concept(
        self, rows: pl.DataFrame, strength: float, random: np.random.Generator
    ) -> pl.DataFrame:
        """Reverse how the target depends on the column: the same instances turn out otherwise.

        Rows with the smallest value swap targets with those that have the largest, and so on.
        """
        order = np.argsort(rows[self.column].rank("random", seed=0).to_numpy())
        half = len(order) // 2
        chosen = np.flatnonzero(random.random(half) < strength)
        taken = np.arange(len(rows))
        taken[order[chosen]] = order[::-1][chosen]
        taken[order[::-1][chosen]] = order[chosen]
        target = self.problem.target
        return rows.with_columns(rows[target].gather(taken).alias(target))


def make_simulation(problem: Problem, params: TabularParams) -> Simulation:
    """Return how the traffic of a table is simulated."""
    traffic = Traffic(problem, params)
    damages: Any = {
        "shift": traffic.shift,
        "broken": traffic.zero,
        "population": traffic.population,
        "concept": traffic.concept,
    }
    return Simulation(
        day=traffic.day,
        damages=damages,
        requests=traffic.requests,
        labels=traffic.labels,
        write_source=traffic.write_source,
    )
