"""Look at a table, given as text, and propose its schema, with warnings of what may go wrong."""

import re
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from .count_values import CATEGORIES, count, null_values
from .import_rows import quoted
from .table_rules import EPOCHS
from .table_schema import LARGEST, MOST_CHARACTERS, Column, Role, Schema, validated

MOMENT = re.compile(r"date|time|epoch|stamp|(^|_)(ts|at)$", re.IGNORECASE)
"""Names of dates and times."""
OWNER = "customer|client|patient|user|member|household|person|subject|student|employee|device"
NUMBERED = (
    rf"({OWNER}|account|card|case|contract|invoice|order|policy)[\W_]?(no|nr|num|number|code)"
)
IDENTIFIER = re.compile(
    rf"(^|[\W_])(id|Id|ID|key|uuid|index|(?i:{OWNER}|{NUMBERED}))$|[a-z]I[dD]$|^column \d+$",
    re.ASCII,
)
"""Names of identifiers; a column without a name is often the index of a data frame."""
LAST = 2_208_988_800_000  # milliseconds since 1970: the year 2040
RARE = 10  # rows of a class, with fewer of which a part of the split may have none
CLASSES = 10  # values of a whole number that is a class, at most
LONGEST = 100  # characters of a category on average, at most
REPEATS = 10  # rows with the same sentence on average, at most; other categories need two
POSITIVE = ("true", "yes", "y", "1", "1.0")


class Profile(NamedTuple):
    """The proposed schema, the positive class of two, and the warnings."""

    schema: Schema
    positive: str
    warnings: list[str]


def profile(
    duck: DuckDBPyConnection,
    target: str,
    roles: Mapping[str, Role],
    classes: Mapping[str, bool],
    merge_rare: int = 0,
) -> Profile:
    """Profile the view `own`, a table whose columns are all text.

    `roles` are known, by column, and so may be whether the numbers of a column are classes. Classes
    of the target with fewer than `merge_rare` rows are not listed.
    """
    table = duck.view("own")
    nulls = null_values(duck)
    warnings: list[str] = []
    columns: dict[str, Column] = {}
    roles = {**roles, target: "target"}
    for counts in count(duck, nulls):
        name: str = counts.name
        counts.formats += number_formats(name, roles.get(name), counts)
        column = read_as(counts)
        few = name == target and counts.different <= (CLASSES if column.type == "integer" else 2)
        if classes.get(name, few and column.type in ("integer", "number")):
            others = counts.different > CATEGORIES
            column = Column(role="target", type="category", missing=column.missing, others=others)
        taken = {*roles.values(), *(c.role for c in columns.values())}
        role, why = (roles[name], "") if name in roles else guess_role(name, column, counts, taken)
        odd = () if name in classes or role in ("id", "group") else oddities(role, column, counts)
        warnings += [f"{name} {text}" for text in (why, *odd) if text]
        if role in ("id", "group") or column.type == "text":  # no example: it may be personal
            column = Column(role=role, type="text", missing=column.missing)
        if column.type == "category":
            column = with_categories(column, counts, merge_rare if name == target else 0)
        if name == target:
            positive, about_rows = about_target(column, counts)
        columns[name] = column.model_copy(update={"role": role})
    schema = validated({"null_values": nulls, "columns": columns})
    names = ", ".join(map(quoted, table.columns))
    rows, different = table.aggregate(f"count(*), count(DISTINCT hash({names}))").fetchall()[0]
    if different < rows:
        about_rows.append(f"rows that repeat another row exactly: {rows - different:,}")
    return Profile(schema, positive, warnings + about_rows)


def number_formats(name: str, role: Role | None, counts: SimpleNamespace) -> list[str]:
    """Return the format of whole numbers that are dates; none of other numbers."""
    if counts.whole < counts.known or (role != "time" and (role or IDENTIFIER.search(name))):
        return []
    if counts.days == counts.known:
        return ["%Y%m%d"]
    likely = role == "time" or MOMENT.search(name)
    least = 631_152_000_000 if likely else 1_000_000_000_000  # 1990, or ten digits of a second
    return [u for u, ms in EPOCHS.items() if least <= counts.low * ms <= counts.high * ms < LAST]


def with_categories(column: Column, counts: SimpleNamespace, least: int) -> Column:
    """List the most frequent categories with at least so many rows; others are not listed."""
    listed = tuple(value["v"] for value in counts.top or () if value["k"] >= least)
    others = len(listed) < counts.different
    changes = {"categories": listed, "others": others, "example": next(iter(listed), None)}
    return column.model_copy(update=changes)


def read_as(counts: SimpleNamespace) -> Column:
    """Return the column with the type that all of its values have."""
    share = 1 - counts.known / counts.rows
    missing = max(round(share, 4), 0.0001) if share else 0
    column = Column(role="ignored", type="text", missing=missing, example=counts.first)
    repeats = REPEATS if has_sentences(counts) else 2
    short = counts.length <= LONGEST and counts.longest <= MOST_CHARACTERS["category"]
    changes: dict[str, Any] = {}
    if not counts.known:
        changes = {"type": "category"}
    elif counts.known in (counts.booleans, counts.pairs if counts.different > 2 else None):
        changes = {"type": "boolean", "example": True}
    elif counts.formats:
        changes = {"type": "date", "format": counts.formats[0]}
    elif counts.floats == counts.known and counts.numbers:
        kind = "integer" if counts.whole == counts.numbers else "number"
        changes = {"type": kind, "min": counts.low, "max": counts.high, "example": counts.low}
    elif counts.commas == counts.known > counts.grouped:
        changes = {"type": "number", "min": counts.comma_low, "max": counts.comma_high}
        changes |= {"decimal": ",", "example": counts.comma_low}
    elif short and counts.different <= max(CATEGORIES, counts.known / repeats):
        changes = {"type": "category", "others": counts.different > CATEGORIES}
    return column.model_copy(update=changes)


def guess_role(
    name: str, column: Column, counts: SimpleNamespace, taken: set[Role]
) -> tuple[Role, str]:
    """Return the role of a column, and why if it is not a feature."""
    named = IDENTIFIER.search(name)
    unique = counts.different == counts.rows > 1
    differs = counts.different > 0.9 * counts.rows  # an order may have several rows
    nearly = "" if unique else "nearly "
    is_constant = counts.different == 1 and not column.missing
    if is_constant or counts.nested == counts.known:
        what = (
            "one value only" if is_constant else "lists or structs" if counts.known else "no values"
        )
        return "ignored", f"has {what}: it is ignored"
    numeric = 2 * counts.numeric > counts.known
    is_text = column.type in ("text", "category")
    if column.type == "text" and has_sentences(counts) and not named:
        why = "has sentences, whose words are features now: they may be personal data"
        return "feature", f'{why}; role = "ignored" leaves them out'
    if (differs and named) or (unique and is_text and counts.length <= 64 and not numeric):
        role: Role = "ignored" if "id" in taken else "id"
        return role, f"is different in {nearly}every row: it has the role {role}"
    if named and counts.different > CATEGORIES and "group" not in taken:
        return "group", "looks like an id that repeats: rows with the same stay together (group)"
    if column.type == "text":
        kind = "is text" if numeric else "has long or many different texts"
        return "ignored", f'{kind}: it is ignored; role = "feature" makes its words features'
    numbers = "differs in every row: if it numbers rows or orders, make it ignored"
    return "feature", numbers if column.type == "integer" and unique else ""


def has_sentences(counts: SimpleNamespace) -> bool:
    """Return whether most values are sentences, none too long for a feature."""
    return bool(counts.known < 2 * counts.sentences and counts.longest <= MOST_CHARACTERS["text"])


def oddities(role: Role, column: Column, counts: SimpleNamespace) -> Iterator[str]:
    """Yield what people should look at in a column."""
    is_number = column.type in ("number", "integer") and column.decimal == "."
    is_text = column.type in ("text", "category")
    if (is_number or is_text) and 2 * counts.numeric > counts.known > counts.numbers:
        then = f"it is a {column.type} until all numbers are written as 1234.5"
        then = f"rows with numbers beyond {LARGEST:g} are refused" if is_number else then
        yield (
            f"looks like numbers, but {counts.known - counts.numbers:,} of {counts.known:,} values "
            f'are not, such as "{counts.odd}": {then}; a text that means a missing value can be '
            "added to null_values"
        )
    if column.type == "number" and column.decimal == "." and counts.grouped == counts.known:
        yield 'has three digits after each point: if it separates thousands, add decimal = ","'
    if column.format:
        others = "".join(f"; {also or 'ISO 8601'} would fit too" for also in counts.formats[1:2])
        kind = "numbers" if counts.numbers else "text"
        yield f"has dates as {kind}, read as {column.format}{others}"
    if column.type == "boolean" and counts.booleans < counts.known:
        yield f'has {counts.different} spellings of true and false, such as "{counts.first}"'
    if column.type == "date" and not column.missing and role == "feature":
        yield "has a date in every row: if it says when a row was true, add --time for it"
    if column.type == "integer" and counts.zeros:
        yield "has leading zeros: if it is a code, add --category for it"
    if column.others:
        yield f"has {counts.different:,} different values, of which {CATEGORIES} are listed"


def about_target(column: Column, counts: SimpleNamespace) -> tuple[str, list[str]]:
    """Return the positive class of two, and warnings about the target."""
    positive = ""
    warnings = []
    rows = {value["v"]: value["k"] for value in counts.top or ()}
    if counts.different == 2 and column.type in ("boolean", "category"):
        rarer = min(rows, key=lambda name: (rows[name], name))
        positive = next((name for name in rows if name.lower() in POSITIVE), rarer)
        if column.type == "boolean":
            positive = "true"
        if rows[rarer] < counts.rows / 20:
            warnings.append(f"only {rows[rarer]:,} of {counts.rows:,} rows have the target {rarer}")
    rare = sum(rows[name] < RARE for name in column.categories)
    if len(column.categories) > 2 and rare:
        warnings.append(
            f"classes with fewer than {RARE} rows: {rare}; --merge-rare {RARE} merges them"
        )
    if column.missing:
        warnings.append(f"the target is missing in {column.missing:.2%} of the rows: left out")
    return positive, warnings
