"""Count what a generated project holds, and name what exceeds its budgets.

`.venv/bin/python -B tests/budgets.py` prints the figures of all use cases. Lines and statements are
counted in Python only; SQL, pages and configuration count as files. *Core* is what at least three
use cases have; what fewer have counts for the use case. `monitoring/` and `checklist/` have
budgets of their own.
"""

import ast
import io
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from conftest import TEMPLATE, USE_CASES, cookiecutter_command
from limits import BUDGETS

WATCHED = ("monitoring", "simulation")
"""Modules of a use case that monitoring needs; they have a budget of their own."""
SHARED = 3  # use cases that have a file of the core
PACKAGE = "example"  # all projects give their package this name, so that their paths are equal
SOURCE = f"src/{PACKAGE}/"
TESTS = "tests/"
LAYOUT = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@dataclass(frozen=True)
class Count:
    """What a file holds; of another file than Python, nothing is counted.

    A line with a part of a statement is a line of code: each line of a string that is a value, and
    a line that ends in a comment. Other lines with text of a docstring, of a string below a field
    or of a comment are lines of docs. Blank lines in docstrings are neither.

    Attributes:
        code: Lines of code.
        docs: Lines of docs.
        statements: Statements, docstrings and the compound ones included.
        parallel: Parallel assignments such as `a, b = x, y`; `a, b = row` is none.
    """

    code: int = 0
    docs: int = 0
    statements: int = 0
    parallel: int = 0


Files = Mapping[str, Count]
"""The files of a project by path; the package is called PACKAGE, whatever its project is."""


@cache  # most files are equal in several projects
def count(text: str) -> Count:
    """Count lines and statements of a Python module."""
    statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
    strings = {(node.lineno, node.col_offset) for node in statements if is_documentation(node)}
    code: set[int] = set()
    docs: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        rows = range(token.start[0], token.end[0] + 1)
        if token.type == tokenize.COMMENT or token.start in strings:
            docs.update(rows)
        elif token.type not in LAYOUT:
            code.update(rows)
    blank = {row for row, line in enumerate(text.split("\n"), 1) if not line.strip()}
    parallel = sum(is_parallel(node) for node in statements)
    return Count(len(code), len(docs - code - blank), len(statements), parallel)


def is_documentation(node: ast.stmt) -> bool:
    """Return whether a statement is a docstring, or a string below a field."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def is_parallel(node: ast.stmt) -> bool:
    """Return whether a statement assigns values to as many targets, as `a, b = x, y` does."""
    display = ast.Tuple | ast.List
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.value, display)
        and any(isinstance(target, display) for target in node.targets)
    )


def files_of(project: Path) -> dict[str, Count]:
    """Return the files of a project that are not empty, without those of git."""
    paths = {path.relative_to(project).as_posix(): path for path in project.rglob("*")}
    return {
        name: count(path.read_text(encoding="utf-8")) if path.suffix == ".py" else Count()
        for name, path in paths.items()
        if not name.startswith(".git/") and path.is_file() and path.stat().st_size > 0
    }


def generate_all(folder: Path) -> dict[str, Files]:
    """Generate a project of each use case in a folder; return their files."""
    projects: dict[str, Files] = {}
    for use_case in USE_CASES:
        answers = (f"use_case={use_case}", f"package_name={PACKAGE}", "project_slug=project")
        options = ("--no-input", "--output-dir", str(folder / use_case))
        done = cookiecutter_command(*options, str(TEMPLATE), *answers)
        if done.returncode:
            raise RuntimeError(done.stdout)
        projects[use_case] = files_of(folder / use_case / "project")
    return projects


def below(folder: str, files: Files) -> dict[str, Count]:
    """Return the files in a folder of the project and in its folders."""
    return {name: file for name, file in files.items() if name.startswith(folder)}


def code_in(files: Files) -> int:
    """Return the lines of code of some files."""
    return sum(file.code for file in files.values())


def figures_of(use_case: str, projects: Mapping[str, Files]) -> dict[str, float]:
    """Return the figures of a project by the names of their budgets."""
    files = projects[use_case]
    uses = Counter(name for project in projects.values() for name in project)
    source = below(SOURCE, files)
    tests = below(TESTS, files)
    monitoring = below(f"{SOURCE}monitoring/", files)
    checklist = below(f"{SOURCE}checklist/", files)
    others = files.keys() - tests.keys() - monitoring.keys() - checklist.keys()
    core = {name: files[name] for name in others if uses[name] >= SHARED}
    watched = {f"{SOURCE}{use_case}/{module}.py" for module in WATCHED} & files.keys()
    agent = below(f"{SOURCE}{use_case}/agent/", files)
    rest = others - core.keys() - watched - agent.keys()
    own = {name: files[name] for name in source.keys() & rest}
    history = "with history" if below(f"{SOURCE}state/", files) else "without history"
    row = f"use case {use_case}"
    return {
        f"core {history}": code_in(below(SOURCE, core)),
        f"core: serving {history}": code_in(below(f"{SOURCE}serving/", core)),
        "core: lifecycle": code_in(below(f"{SOURCE}lifecycle/", core)),
        "core: state": code_in(below(f"{SOURCE}state/", core)),
        "monitoring": code_in(monitoring),
        "checklist": code_in(checklist),
        "use case: monitoring": code_in({name: files[name] for name in watched}),
        "use case: agent": code_in(agent),
        row if row in BUDGETS else "use case": code_in(own),
        "tests / source": code_in(tests) / code_in(source),
        "docs / code of source": sum(file.docs for file in source.values()) / code_in(source),
        "parallel assignments of source": parallel_per_1000(source),
        "parallel assignments of tests": parallel_per_1000(tests),
        "core: files": len(core),
    }


def parallel_per_1000(files: Files) -> float:
    """Return the parallel assignments per 1,000 statements of some files."""
    parallel = sum(file.parallel for file in files.values())
    statements = sum(file.statements for file in files.values())
    return 1_000 * parallel / statements if statements else 0


def exceeded(figures: Mapping[str, float]) -> Iterator[str]:
    """Yield a line for each figure that its budget does not allow."""
    for part, figure in figures.items():
        budget = BUDGETS[part]
        if not budget.allows(figure):
            bound = "at least" if budget.at_least else "at most"
            yield f"{part}: {text_of(figure)} instead of {bound} {text_of(budget.limit)}"


def text_of(figure: float | None) -> str:
    """Return a figure for people; empty if there is none."""
    if figure is None:
        return ""
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:.4g}"


def packages_of(use_case: str, files: Files) -> Counter[str]:
    """Return the lines of code in each folder of the package, and in the modules beside these."""
    lines: Counter[str] = Counter()
    for name, file in below(SOURCE, files).items():
        folder, _, module = name.removeprefix(SOURCE).partition("/")
        owner = "<use case>" if folder == use_case else folder
        lines[f"{owner}/" if module else "root modules"] += file.code
    return lines


def table_of(projects: Mapping[str, Files]) -> str:
    """Return a table of all figures, with limits and aims."""
    packages = {name: packages_of(name, files) for name, files in projects.items()}
    figures = {name: figures_of(name, projects) for name in projects}
    table = [row_of("", ("limit", "aim", *projects))]
    for folder in sorted({folder for lines in packages.values() for folder in lines}):
        lines = [text_of(project.get(folder)) for project in packages.values()]
        table.append(row_of(folder, ("", "", *lines)))
    for part, budget in BUDGETS.items():
        found = [project.get(part) for project in figures.values()]
        table.append(row_of(part, map(text_of, (budget.limit, budget.aim, *found))))
    return "".join(table)


def row_of(name: str, cells: Iterable[str]) -> str:
    """Return a line of a table."""
    return f"{name:31}{''.join(f'{cell:>11}' for cell in cells)}\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        sys.stdout.write(table_of(generate_all(Path(temporary))))
