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
    """Return the error that lists every broken rule, with example rows below each.

    `names` are those of the source, by our column names; columns without one have ours.
    """
    lines = [f"{what} cannot be used; fix these rows in the source:"]
    for broken in violations:
        rows = "1 row breaks" if broken.rows == 1 else f"{broken.rows:,} rows break"
        source = names.get(broken.column, broken.column)
        column = source if source == broken.column else f'{broken.column} (your "{source}")'
        lines.append(f"- {column} {broken.rule}: {rows} this rule")
        for example in broken.examples[:SHOWN]:
            values = (f"{names.get(n, n)}={_shown(value)}" for n, value in example.items())
            lines.append(f"    {', '.join(values)}")
    return UserError("\n".join(lines))


def _shown(value: object) -> str:
    if value is None:
        return "(missing)"
    return repr(value) if isinstance(value, str) else str(value)
