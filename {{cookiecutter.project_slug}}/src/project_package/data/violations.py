"""Rules that rows break, and the error that lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UserError

SHOWN = 3  # example rows below each broken rule


@dataclass(frozen=True)
class Violation:
    """A rule that some rows break."""

    column: str
    rule: str
    """What the column must be, as the end of a sentence: `must be a number`."""
    rows: int
    """How many rows break the rule."""
    examples: Sequence[Mapping[str, object]] = ()
    """A few of these rows, column by column."""


def violations_error(
    what: str, violations: Sequence[Violation], names: Mapping[str, str]
) -> UserError:
    """Return the error that lists every broken rule, with example rows below.

    Rules that the same rows break stand together, above these rows.

    `names` are those of the source, by our column names; columns without one have ours.
    """
    rules: dict[tuple[str, ...], list[str]] = {}
    for broken in violations:
        rows = "1 row breaks" if broken.rows == 1 else f"{broken.rows:,} rows break"
        source = names.get(broken.column, broken.column)
        column = source if source == broken.column else f'{broken.column} (your "{source}")'
        shown = tuple(_shown(example, names) for example in broken.examples[:SHOWN])
        rules.setdefault(shown, []).append(f"- {column} {broken.rule}: {rows} this rule")
    lines = (line for shown, broken_rules in rules.items() for line in (*broken_rules, *shown))
    return UserError("\n".join([f"{what} cannot be used; fix these rows in the source:", *lines]))


def _shown(row: Mapping[str, object], names: Mapping[str, str]) -> str:
    texts = {n: repr(v) if isinstance(v, str) else str(v) for n, v in row.items() if v is not None}
    return "    " + ", ".join(f"{names.get(n, n)}={texts.get(n, '(missing)'):.100}" for n in row)
