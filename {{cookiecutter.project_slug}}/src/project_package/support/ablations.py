"""Remove a part of what questions say, for `ml checklist`."""

from collections.abc import Iterator

from ..columns import Columns
from ..contract.checklist import permuted
from .dataset import objects


def ablations(rows: Columns) -> Iterator[tuple[str, Columns]]:
    """Yield rows with other questions, and with every second word only."""
    yield from permuted(rows, {"question": ("question",)})
    halves = [" ".join(question.split()[::2]) for question in rows["question"]]
    yield "every second word", {**rows, "question": objects(halves)}
