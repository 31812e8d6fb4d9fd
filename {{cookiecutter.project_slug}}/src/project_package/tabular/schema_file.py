"""schema: look at a table, write schema.toml, and name its source and target in params.toml."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from tempfile import TemporaryDirectory

import tomlkit
from duckdb import DuckDBPyRelation

from ..data.completejourney import PURCHASES
from ..data.import_rows import open_duckdb, quoted
from ..data.open_files import CSV_ENDINGS, decoded, find_files
from ..data.profile import Profile, profile
from ..data.table_rules import cleaned
from ..data.table_schema import SCHEMA, DatePart, Role, Schema
from ..errors import UserError, require_known
from ..read_params import read_params
from .dataset import copy_source
from .leaks import without_leaks
from .params import TabularData, TabularParams
from .problem import find_classes

QUERY = re.compile(r"\s*(select|with)\s", re.IGNORECASE)
FEW_DAYS = 21  # different days: with fewer, weekdays are chance
YEAR = 365  # days: what is shorter has no day of the year twice
HEAD = """\
The columns of the table, as `ml schema` found them. Review them: nothing is guessed later, and
rows that break a rule are refused.
role: feature, target, outcome (known only afterwards), id, group (rows with the same stay
together), time (the test has the newest rows) or ignored
type: number, integer, boolean, category, date or text
"""


@dataclass(frozen=True)
class SchemaOptions:
    """What the caller of `ml schema` says about the table."""

    source: str
    """A path, a pattern, or an SQL query."""
    target: str
    roles: Mapping[str, Role]
    """Of columns."""
    classes: Mapping[str, bool]
    """Whether the numbers of a column are names of classes."""
    merge_rare: int = 0
    """Classes with fewer rows become one."""


def propose(
    root: Path, options: SchemaOptions, overwrite: bool, write: Callable[[Path, str], None]
) -> Iterator[str]:
    """Write schema.toml and params.toml of a project's folder; yield lines for people.

    A schema of an own table stays as it is, and the differences are yielded, unless `overwrite`.

    Raises:
        UserError: a source or a target that cannot be used, or a column that is not there.
    """
    path = root / SCHEMA
    params = root / "params.toml"
    before = read_params(TabularParams, params).data
    is_query = QUERY.match(options.source)
    source = {"source": "sql", "query": options.source} if is_query else {"source": options.source}
    source |= {"target": options.target, "encoding": encoding_of(options.source, before.encoding)}
    data = before.model_copy(update={**source, "columns": {}})
    described = look(data, options)
    yield from (f"- {warning}" for warning in described.warnings)
    if described.schema.columns[options.target].others and not options.merge_rare:
        raise UserError(
            f'"{options.target}" has more classes than can be predicted: merge those with few rows '
            "by --merge-rare, or predict a number."
        )
    classes = find_classes(described.schema, options.target)
    if classes and options.classes.get(options.target) is False:
        raise UserError(f'--task regression: "{options.target}" has values that are not numbers.')
    old = path.read_text("utf-8", "replace") if path.exists() else ""
    new = schema_text(described.schema)
    if old and before.source != PURCHASES and not overwrite:
        differences = unified_diff(old.splitlines(), new.splitlines(), SCHEMA, "found", lineterm="")
        yield "\n".join(differences) or "Nothing differs."
        yield f"{SCHEMA} and params.toml stay as they are; --overwrite replaces both."
        return
    write(path, new)
    is_new = before.source == PURCHASES or before.target != data.target
    changes = own_params(described.schema, classes) if is_new and data.source != PURCHASES else {}
    data = data.model_copy(update={"positive": described.positive})
    write(params, params_text(params.read_text("utf-8"), data, changes, bool(classes)))
    yield from results(described, classes, changes)


def results(
    described: Profile, classes: Sequence[str], changes: Mapping[str, object]
) -> Iterator[str]:
    """Yield what is set in the files, and what to do next."""
    if changes:
        yield f"- Set in params.toml: {', '.join(f'{n} = {v}' for n, v in changes.items())}"
    if len(classes) == 2:
        yield f'- The class to find is "{described.positive}": data.positive names it'
    features = len(described.schema.of_role("feature"))
    yield f"Features in {SCHEMA}: {features}. Review it, then run `ml pipeline`."


def encoding_of(source: str, before: str) -> str:
    """Return the first of likely encodings that all CSV files have; empty for UTF-8."""
    paths = [] if source == PURCHASES or QUERY.match(source) else find_files(source)
    texts = [path for path in paths if path.name.lower().endswith(CSV_ENDINGS)]
    for codec in ("utf-8-sig", "utf-16", before, "cp1252"):
        with suppress(UnicodeError, LookupError):
            for stream in (decoded(path, codec) for path in texts):
                while stream.read(2**20):
                    pass
            return codec.replace("utf-8-sig", "")
    return "latin-1"


def look(data: TabularData, options: SchemaOptions) -> Profile:
    """Profile the table of a source."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "text.parquet"
        copy_source(data, None, path)
        with open_duckdb(Path(folder), data.duckdb_mib) as duck:
            table = duck.read_parquet(str(path)).create_view("own")
            named = [options.target, *options.roles, *options.classes]
            require_known("ml schema", named, "a column of the table", table.columns)
            described = profile(
                duck, options.target, options.roles, options.classes, options.merge_rare
            )
            if codec := data.encoding:
                described.warnings.append(f"data.encoding is {codec}: check letters such as ä")
            described.warnings.extend(lag_advice(described.schema, options.target, table))
            return without_leaks(with_date_parts(described, table), table, options.target)


def with_date_parts(described: Profile, table: DuckDBPyRelation) -> Profile:
    """Make features of the time of the rows, if there is one: those of its parts that vary."""
    schema = described.schema
    columns = {**schema.columns}
    for name in schema.of_role("time"):
        parts = varying_parts(table, cleaned(schema, name, columns[name]))
        columns[name] = columns[name].model_copy(update={"parts": parts})
    schema = schema.model_copy(update={"columns": columns})
    return Profile(schema, described.positive, described.warnings)


def lag_advice(schema: Schema, target: str, table: DuckDBPyRelation) -> Iterator[str]:
    """Yield that lags can be declared, if a number has one value for each time, in each group."""
    if schema.of_role("time") and schema.columns[target].type in ("number", "integer"):
        keys = ", ".join(map(quoted, schema.of_role("time", "group")))
        if table.aggregate(f"count(*) = count(DISTINCT ({keys}))").fetchall()[0][0]:
            where = f"[columns.{target}]"
            yield f"{target} is a series: lags = [1, 7] in {where} make features (months: [1, 12])"


def varying_parts(table: DuckDBPyRelation, date: str) -> tuple[DatePart, ...]:
    """Return the parts of a date, given as SQL, that say something about rows of other dates."""
    moments = table.project(f"TRY_CAST({date} AS TIMESTAMPTZ) AS m")
    days, months, span, hours = moments.aggregate(
        "count(DISTINCT date_trunc('day', m)), count(DISTINCT date_trunc('month', m)),"
        "date_diff('day', min(m), max(m)),"
        "count(DISTINCT hour(m))"
    ).fetchall()[0]
    varies: Mapping[DatePart, bool] = {
        "weekday": days >= FEW_DAYS and days > 2 * months,
        "month": span > YEAR,
        "day_of_year": span > YEAR and days >= FEW_DAYS,
        "hour": hours > 1,
        "elapsed": days >= FEW_DAYS,
    }
    return tuple(part for part, does in varies.items() if does)


def schema_text(schema: Schema) -> str:
    """Return the schema as TOML, with one table for each column."""
    document = tomlkit.document()
    for line in HEAD.splitlines():
        document.add(tomlkit.comment(line))
    if schema.null_values:
        document.add("null_values", list(schema.null_values))
    columns = tomlkit.table(is_super_table=True)
    for name, column in schema.columns.items():
        values = column.model_dump(mode="json", exclude_defaults=True)
        columns.add(name, {key: _whole(value) for key, value in values.items()})
    document.add("columns", columns)
    return tomlkit.dumps(document)


def params_text(text: str, data: TabularData, changes: Mapping[str, object], is_class: bool) -> str:
    """Return params.toml with source and target of the data, and changes by their dotted names.

    Comments stay as they are.
    """
    document = tomlkit.parse(text)
    named = {"source", "target", "positive", "query", "encoding", "columns"}
    values = data.model_dump(include=named)
    section = document.setdefault("data", tomlkit.table())
    for name, value in values.items():
        if name in section or value != TabularData.model_fields[name].default:
            section[name] = value
    for name, change in changes.items():
        place, _, key = name.partition(".")
        document.setdefault(place, tomlkit.table())[key] = change
    if is_class:  # after a table with a number to predict
        document.get("promote", {}).get("worst", {}).pop("coverage_gap", None)
    return tomlkit.dumps(document)


def own_params(schema: Schema, classes: Sequence[str]) -> dict[str, object]:
    """Return parameters for the first own table or another target, by their dotted names.

    Errors cost the same. The intervals of a number have a largest error of coverage.
    """
    if classes:
        return {"decide.false_positive": 1.0, "decide.false_negative": 1.0}
    return {"promote.worst": {"coverage_gap": 0.2 if schema.of_role("time") else 0.1}}


def _whole(value: object) -> object:
    """Return a whole number without a fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
