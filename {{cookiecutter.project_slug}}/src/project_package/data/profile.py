"""Look at a table, given as text, and propose its schema, with warnings of what often goes wrong.

DuckDB reads a few columns of a long table at once, or many of a short one, under a memory limit.
"""

import re
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from .import_rows import quoted
from .table_rules import COMMA, EPOCHS, FORMAT_MARK, known_text
from .table_schema import LARGEST, LONGEST_CATEGORY, Column, Role, Schema, validated

NULLS = (
    *("NA", "N/A", "#N/A", "n/a", "n.a.", "<NA>", "NULL", "null", "None"),
    *("NaN", "nan", "NaT", "-", "?"),
)
DAYS = ("%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%d-%m-%Y")
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
NAMED = ("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y")
MONTHS = ("%Y-%m", "%m/%Y", "%b-%Y", "%b %Y", "%B %Y")
FORMATS = ["", *(day + clock for day in DAYS for clock in CLOCKS), *NAMED, *MONTHS]
"""Of dates: ISO 8601 is the first."""
CONDITIONS = {
    "known": "v IS NOT NULL",
    "numbers": "n IS NOT NULL",
    "floats": "TRY_CAST(v AS DOUBLE) IS NOT NULL",
    "whole": "n = round(n)",
    "commas": f"regexp_full_match(v, '{COMMA}')",
    "zeros": r"regexp_matches(v, '^0\d')",
    "grouped": r"regexp_full_match(v, '[+-]?(\d+|[1-9]\d{0,2}[.,]\d{3})')",
    "numeric": r"regexp_full_match(v, '[-+ $€£¥]*\d[\d.,'' ]*(e[-+]?\d+)?[ %$€£¥]*')",
    "booleans": "lower(v) IN ('true', 'false')",
    "pairs": "n IS NULL AND TRY_CAST(v AS BOOLEAN) IS NOT NULL",
    "nested": r"regexp_full_match(v, '(?s)[\[{].*[\]}]')",
    "days": "n BETWEEN 19e6 AND 21e6 AND try_strptime(n::BIGINT::VARCHAR, '%Y%m%d') IS NOT NULL",
}
"""What values can be read as: `grouped` may have marks of thousands, `numeric` are digits with
marks or units, `days` are numbers such as 20241231, `pairs` words such as yes and no."""
MOMENT = re.compile(r"date|time|epoch|stamp|(^|_)(ts|at)$", re.IGNORECASE)
"""Names of dates and times."""
CATEGORIES = 100  # values of a category that are listed, at most
SEEN = """CREATE OR REPLACE TEMP TABLE seen AS SELECT name, v, count(*) AS k
FROM texts UNPIVOT INCLUDE NULLS (v FOR name IN (COLUMNS(*))) GROUP BY ALL"""
NUMBERS = f"""TRY_CAST(replace(replace(v, '.', ''), ',', '.') AS DOUBLE) AS c,
CASE WHEN abs(TRY_CAST(v AS DOUBLE)) <= {LARGEST} THEN TRY_CAST(v AS DOUBLE) END AS n"""
COUNTED = f"""name, sum(k)::BIGINT AS rows, count(v) AS different,
{", ".join(f"coalesce(sum(k) FILTER ({c}), 0)::BIGINT AS {n}" for n, c in CONDITIONS.items())},
min(n) AS low, max(n) AS high, min(c) AS comma_low, max(c) AS comma_high,
coalesce(sum(k * length(v)) / sum(k) FILTER (v IS NOT NULL), 0)::DOUBLE AS length,
coalesce(max(length(v)), 0) AS longest, min(v) AS first, min(v) FILTER (n IS NULL) AS odd,
min_by({{'v': v, 'k': k}}, {{'n': -k, 'v': v}}, {CATEGORIES}) FILTER (v IS NOT NULL) AS top"""
"""Of the different texts v in k rows and their numbers, n with a decimal point and c with a comma:
`odd` is a value that is no number, `top` are the most frequent values."""
TEXTS = """v IS NOT NULL AND name IN (SELECT name FROM seen GROUP BY name
HAVING count(TRY_CAST(v AS DOUBLE)) = 0 AND max(length(v)) <= 35)"""
"""Selects columns without numbers, none longer than a time with nanoseconds and a zone."""
TIMES = ["TRY_CAST(v AS TIMESTAMPTZ)", *(f"try_strptime(v, '{f}')" for f in FORMATS[1:])]
FITS = ", ".join(f"coalesce(year({time}) > 999, false)" for time in TIMES)
"""Whether each of the formats fits a text."""
AT_ONCE = 2_000_000  # values that are read by one query: few columns of many rows, or many of few
IDENTIFIER = re.compile(r"(^|[\W_])(id|key|uuid|index)$|[a-z]I[dD]$|^column \d+$", re.ASCII)
"""Names of identifiers; a column without a name is often the index of a data frame."""
CLASSES = 10  # values of a whole number that is a class, at most
LONGEST = 100  # characters of a category on average, at most
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
    for name, counts in count(duck, nulls):
        counts.formats += number_formats(name, roles.get(name), counts)
        column = read_as(counts)
        few = name == target and counts.different <= (CLASSES if column.type == "integer" else 2)
        if classes.get(name, few and column.type in ("integer", "number")):
            others = counts.different > CATEGORIES
            column = Column(role="target", type="category", missing=column.missing, others=others)
        taken = {*roles.values(), *(c.role for c in columns.values())}
        role, why = (roles[name], "") if name in roles else guess_role(name, column, counts, taken)
        known = name in classes or role in ("id", "group")
        odd = () if known else oddities(role, column, counts)
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


def null_values(duck: DuckDBPyConnection) -> tuple[str, ...]:
    """Return the texts in the table that stand for a missing value."""
    listed = ", ".join(f"'{null}'" for null in NULLS)
    values = duck.sql("FROM own UNPIVOT (v FOR name IN (COLUMNS(*)))").project("trim(v) AS v")
    present = {text for (text,) in values.filter(f"v IN ({listed})").distinct().fetchall()}
    return tuple(null for null in NULLS if null in present)


def count(
    duck: DuckDBPyConnection, nulls: tuple[str, ...]
) -> Iterator[tuple[str, SimpleNamespace]]:
    """Yield the columns, and what their values can be read as."""
    table = duck.view("own")
    width = max(1, AT_ONCE // len(table))
    for start in range(0, len(table.columns), width):
        names = table.columns[start : start + width]
        known = ", ".join(f"{known_text(name, nulls)} AS {quoted(name)}" for name in names)
        table.project(known).create_view("texts")
        duck.execute(SEEN)
        seen = duck.table("seen").project(f"*, {NUMBERS}")
        counts = {row.pop("name"): row for row in seen.aggregate(COUNTED, "name").pl().to_dicts()}
        fits = seen.filter(TEXTS).project(f"name, k, [{FITS}] AS fits")
        fitting = fits.aggregate("name, fits, sum(k)::BIGINT").fetchall()
        for name in names:
            masks = [(mask, k) for column, mask, k in fitting if column == name]
            yield name, SimpleNamespace(**counts[name], formats=date_formats(masks))


def date_formats(masks: list[tuple[list[bool], int]]) -> list[str]:
    """Return what reads all dates, a format or a few, and formats that would fit too.

    `masks` are the formats that fit a date, with the rows of such dates. A column in which some
    dates have the day first and others the month is none of dates.
    """
    chosen: list[str] = []
    others: list[str] = []
    while masks:
        rows = [sum(k for mask, k in masks if mask[index]) for index in range(len(FORMATS))]
        best = rows.index(max(rows))
        fitting = [mask for mask, _ in masks if mask[best]]
        if not fitting:
            return []
        chosen.append(FORMATS[best])
        others += [name for name, *fits in zip(FORMATS, *fitting, strict=True) if all(fits)][1:]
        masks = [(mask, k) for mask, k in masks if not mask[best]]
    if not chosen or {"%d/%m", "%m/%d"} <= {name[:5] for name in chosen}:
        return []
    return [FORMAT_MARK.join(filter(None, chosen)), *others]


def number_formats(name: str, role: Role | None, counts: SimpleNamespace) -> list[str]:
    """Return the format of whole numbers that are dates; none of other numbers."""
    excluded = role != "time" and (role or IDENTIFIER.search(name))
    if excluded or counts.whole < counts.known:
        return []
    if counts.days == counts.known:
        return ["%Y%m%d"]
    likely = role == "time" or MOMENT.search(name)
    for unit, factor in EPOCHS.items():
        least = (631_152_000 if likely else 1_000_000_000) * 1000 / factor  # 1990, or ten digits
        if least <= counts.low and counts.high < 2_208_988_800 * 1000 / factor:  # 2040
            return [unit]
    return []


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
    short = counts.length <= LONGEST and counts.longest <= LONGEST_CATEGORY
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
    elif short and counts.different <= max(CATEGORIES, counts.known / 2):
        changes = {"type": "category", "others": counts.different > CATEGORIES}
    return column.model_copy(update=changes)


def guess_role(
    name: str, column: Column, counts: SimpleNamespace, taken: set[Role]
) -> tuple[Role, str]:
    """Return the role of a column, and why if it is not a feature."""
    named = IDENTIFIER.search(name)
    unique = counts.different == counts.rows > 1
    is_constant = counts.different == 1 and not column.missing
    if is_constant or counts.nested == counts.known:
        what = (
            "one value only" if is_constant else "lists or structs" if counts.known else "no values"
        )
        return "ignored", f"has {what}: it is ignored"
    numeric = 2 * counts.numeric > counts.known
    is_text = column.type in ("text", "category")
    if unique and (named or (is_text and counts.length <= 64 and not numeric)):
        role: Role = "ignored" if "id" in taken else "id"
        return role, f"is different in every row: it has the role {role}"
    if column.type == "text":
        kind = "is text" if numeric else "has long or many different texts"
        return "ignored", f"{kind}: it is ignored"
    if named and counts.different > CATEGORIES and "group" not in taken:
        return "group", "looks like an id that repeats: rows with the same stay together (group)"
    numbers = "differs in every row: if it numbers rows or orders, make it ignored"
    return "feature", numbers if column.type == "integer" and unique else ""


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
    if counts.different == 2 and column.type in ("boolean", "category"):
        rows = {value["v"]: value["k"] for value in counts.top}
        rarer = min(rows, key=lambda name: (rows[name], name))
        positive = next((name for name in rows if name.lower() in POSITIVE), rarer)
        if column.type == "boolean":
            positive = "true"
        if rows[rarer] < counts.rows / 20:
            warnings.append(f"only {rows[rarer]:,} of {counts.rows:,} rows have the target {rarer}")
    if column.missing:
        warnings.append(f"the target is missing in {column.missing:.2%} of the rows: left out")
    return positive, warnings
