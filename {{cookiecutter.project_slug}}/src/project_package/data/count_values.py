"""Count what the values of a table's columns, given as text, can be read as.

DuckDB reads a few columns of a long table at once, or many of a short one, under a memory limit. It
looks at different values only, with their numbers of rows.
"""

from collections.abc import Iterator
from types import SimpleNamespace

from duckdb import DuckDBPyConnection

from .import_rows import quoted
from .table_rules import COMMA, FORMAT_MARK, known_text
from .table_schema import LARGEST

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
    "sentences": r"regexp_matches(v, '(?s)(\pL\pL\S*\s(.*\s)?[^\pL\s]*){4}\pL\pL')",
    "nested": r"regexp_full_match(v, '(?s)[\[{].*[\]}]')",
    "days": "n > 19e6 AND year(try_strptime(TRY_CAST(n AS INT)::VARCHAR, '%Y%m%d')) < 2100",
}
"""What values can be read as: `grouped` may have marks of thousands, `numeric` are digits with
marks or units, `sentences` have five words of two letters or more, `days` are numbers such as
20241231, `pairs` words such as yes and no."""
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


def null_values(duck: DuckDBPyConnection) -> tuple[str, ...]:
    """Return the texts in the table that stand for a missing value."""
    listed = ", ".join(f"'{null}'" for null in NULLS)
    values = duck.sql("FROM own UNPIVOT (v FOR name IN (COLUMNS(*)))").project("trim(v) AS v")
    present = {text for (text,) in values.filter(f"v IN ({listed})").distinct().fetchall()}
    return tuple(null for null in NULLS if null in present)


def count(duck: DuckDBPyConnection, nulls: tuple[str, ...]) -> Iterator[SimpleNamespace]:
    """Yield the name of each column, and what its values can be read as."""
    table = duck.view("own")
    width = max(1, AT_ONCE // len(table))
    for start in range(0, len(table.columns), width):
        names = table.columns[start : start + width]
        known = ", ".join(f"{known_text(name, nulls)} AS {quoted(name)}" for name in names)
        table.project(known).create_view("texts")
        duck.execute(SEEN)
        seen = duck.table("seen").project(f"*, {NUMBERS}")
        counts = {row["name"]: row for row in seen.aggregate(COUNTED, "name").pl().to_dicts()}
        fits = seen.filter(TEXTS).project(f"name, k, [{FITS}] AS fits")
        fitting = fits.aggregate("name, fits, sum(k)::BIGINT").fetchall()
        for name in names:
            masks = [(mask, k) for column, mask, k in fitting if column == name]
            yield SimpleNamespace(**counts[name], formats=date_formats(masks))


def date_formats(masks: list[tuple[list[bool], int]]) -> list[str]:
    """Return what reads all dates, a format or a few, and formats that would fit too.

    `masks` are the formats that fit a date, with the rows of such dates. A column in which some
    dates have the day first and others the month has no format.
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
