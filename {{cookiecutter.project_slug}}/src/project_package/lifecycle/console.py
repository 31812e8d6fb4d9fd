"""What a command prints: plain lines, and on a terminal a progress bar; nothing when quiet."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.progress import Progress
from rich.table import Table

from ..contract import training


class Console:
    """Standard output of a command; errors go to standard error."""

    def __init__(self, quiet: bool = False) -> None:
        self._rich = RichConsole(quiet=quiet, highlight=False, markup=False, soft_wrap=True)
        self.seconds: dict[str, float] = {}
        """How long each step took."""

    def print(self, text: str) -> None:
        """Print one line."""
        self._rich.print(text)

    def table(self, title: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Print a table."""
        table = Table(title=title, title_justify="left")
        for index, name in enumerate(header):
            numbers = all(row[index][:1] in "0123456789-–" for row in rows)  # noqa: RUF001
            table.add_column(name, justify="right" if numbers else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        self._rich.print(table)

    def epoch(self, what: str, epoch: int, scores: Mapping[str, float]) -> None:
        """Print the scores of an epoch, which is counted from 0, above the progress bar."""
        text = ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
        self.print(f"{what}, epoch {epoch + 1}: {text}")

    @contextmanager
    def step(self, name: str) -> Iterator[training.Progress]:
        """Show a step: the body reports the share that is done, from 0 to 1."""
        start = time.perf_counter()
        hidden = not self._rich.is_terminal
        with Progress(console=self._rich, disable=hidden, transient=True) as bar:
            task = bar.add_task(name, total=1.0)
            yield lambda done: bar.update(task, completed=done)
        self.seconds[name] = time.perf_counter() - start
        self.print(f"{name}: {self.seconds[name]:.1f} s")
