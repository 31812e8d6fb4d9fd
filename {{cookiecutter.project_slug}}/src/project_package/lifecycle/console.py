"""What a command prints: progress bars on a terminal, else plain lines; nothing when quiet."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import progress
from rich.console import Console as RichConsole
from rich.table import Table

from ..training import Progress


class Console:
    """Standard output of a command; errors go to standard error."""

    def __init__(self, quiet: bool = False) -> None:
        self._rich = RichConsole(quiet=quiet, highlight=False, soft_wrap=True)
        self.seconds: dict[str, float] = {}
        """How long each step took."""

    def print(self, text: str) -> None:
        """Print one line."""
        self._rich.print(text, markup=False)

    def table(self, title: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Print a table."""
        table = Table(title=title, title_justify="left")
        for index, name in enumerate(header):
            numbers = all(row[index][:1] in "0123456789-–" for row in rows)  # noqa: RUF001
            table.add_column(name, justify="right" if numbers else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        self._rich.print(table)

    @contextmanager
    def step(self, name: str) -> Iterator[Progress]:
        """Show a step: the body reports the share that is done, from 0 to 1."""
        start, terminal = time.perf_counter(), self._rich.is_terminal
        text, elapsed = progress.TextColumn(f"{name:<9}"), progress.TimeElapsedColumn()
        columns = (text, progress.BarColumn(), elapsed)
        with progress.Progress(*columns, console=self._rich, disable=not terminal) as bar:
            task = bar.add_task(name, total=1.0)
            yield lambda done: bar.update(task, completed=done)
            bar.update(task, completed=1.0)
        self.seconds[name] = time.perf_counter() - start
        if not terminal:
            self.print(f"{name}: {self.seconds[name]:.1f} s")
