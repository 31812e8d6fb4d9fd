"""What a command prints: progress bars on a terminal, else plain lines; nothing when quiet."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..contract import Progress as Report


class Console:
    """Standard output of a command. Errors go to standard error, always."""

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
    def step(self, name: str) -> Iterator[Report]:
        """Show a step: the body reports the share that is done, from 0 to 1."""
        start = time.perf_counter()
        with self._progress() as progress:
            task = progress.add_task(name, total=1.0)
            yield lambda done: progress.update(task, completed=done)
            progress.update(task, completed=1.0)
        self.seconds[name] = time.perf_counter() - start
        if not self._rich.is_terminal:
            self.print(f"{name}: {self.seconds[name]:.1f} s")

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description:<9}"), BarColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self._rich, disable=not self._rich.is_terminal)
