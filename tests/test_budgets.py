"""Budgets: what is counted, and that the project of each use case keeps them."""

import pytest
from budgets import SOURCE, Count, count, exceeded, figures_of, generate_all
from conftest import USE_CASES
from limits import BUDGETS

Figures = dict[str, dict[str, float]]


@pytest.fixture(scope="session")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """Generate a project of each use case; return its figures."""
    projects = generate_all(tmp_path_factory.mktemp("budgets"))
    return {use_case: figures_of(use_case, projects) for use_case in USE_CASES}


@pytest.mark.parametrize("use_case", USE_CASES)
def test_project_keeps_its_budgets(use_case: str, figures: Figures) -> None:
    problems = [*exceeded(figures[use_case])]
    assert not problems, "\n".join([use_case, *problems])


def test_each_budget_finds_its_part(figures: Figures) -> None:
    may_be_empty = {"use case support"}
    may_be_empty |= {part for part in BUDGETS if part.startswith("parallel")}
    found = {part for project in figures.values() for part, figure in project.items() if figure}
    assert BUDGETS.keys() - found <= may_be_empty


@pytest.mark.parametrize("part", BUDGETS)
def test_figure_beyond_its_limit_is_named(part: str) -> None:
    budget = BUDGETS[part]
    beyond = budget.limit / 2 if budget.at_least else 2 * budget.limit
    assert not [*exceeded({part: budget.limit})]
    (problem,) = exceeded({part: beyond})
    bound = "at least" if budget.at_least else "at most"
    assert problem == f"{part}: {beyond:,} instead of {bound} {budget.limit:,}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\n\n\nb = 2\n", Count(code=2, statements=2)),
        ('"""Of a module.\n\nMore.\n"""\n', Count(docs=3, statements=1)),
        ('def f():\n    """Of a function."""\n', Count(code=1, docs=1, statements=2)),
        ('a: int = 1\n"""Below a field."""\n', Count(code=1, docs=1, statements=2)),
        ('a = """A\n\nvalue."""\n', Count(code=3, statements=1)),
        ('f(\n    """an argument"""\n)\n', Count(code=3, statements=1)),
        ('f"""An f-string\nof {two} lines."""\n', Count(code=2, statements=1)),
        ("# alone\na = 1  # beside\n", Count(code=1, docs=1, statements=1)),
        ("f(\n    # within\n\n    1,\n)\n", Count(code=3, docs=1, statements=1)),
        ("a = b = '# no comment'; c = 3\n", Count(code=1, statements=2)),
        ("if a:\n    pass\nelse:\n    pass\n", Count(code=4, statements=3)),
        ("", Count()),
    ],
)
def test_lines_and_statements_are_counted(text: str, expected: Count) -> None:
    assert count(text) == expected


@pytest.mark.parametrize(
    ("statement", "parallel"),
    [
        ("a, b = x, y", 1),
        ("a, b = b, a", 1),
        ("(a, b) = [1, 2]", 1),
        ("c = a, b = x, y", 1),
        ("self.a, b[0] = x, *y", 1),
        ("def f():\n    a, b = x, y", 1),
        ("a, b = f(x, y)", 0),
        ("a, *b = row", 0),
        ("for a, b in ((1, 2), (3, 4)): f(a, b)", 0),
        ("a = b = 1", 0),
        ("a = x, y", 0),
    ],
)
def test_parallel_assignments_are_counted(statement: str, parallel: int) -> None:
    assert count(statement).parallel == parallel


FILE = Count(code=10, docs=2, statements=8, parallel=4)


def projects_of(*use_cases: str, paths: tuple[str, ...]) -> dict[str, dict[str, Count]]:
    """Return projects of use cases that have the same files."""
    return {use_case: dict.fromkeys(paths, FILE) for use_case in use_cases}


def test_core_is_what_three_use_cases_share() -> None:
    paths = (f"{SOURCE}cli.py", f"{SOURCE}serving/app.py", "README.md", "tests/test_cli.py")
    projects = projects_of("a", "b", "c", paths=paths)
    own = {f"{SOURCE}serving/own.py": Count(code=5), f"{SOURCE}a/data.py": Count(code=7)}
    projects["a"] |= own
    projects["b"] |= own
    found = figures_of("a", projects)
    assert found["core without history"] == 20
    assert found["core: serving without history"] == 10
    assert found["core: files"] == 3
    assert found["use case"] == 12
    del projects["c"]
    fewer = figures_of("a", projects)
    assert fewer["core without history"] == fewer["core: files"] == 0
    assert fewer["use case"] == 32


def test_core_has_another_budget_with_history() -> None:
    paths = tuple(f"{SOURCE}{folder}/base.py" for folder in ("lifecycle", "serving", "state"))
    found = figures_of("a", projects_of("a", "b", "c", paths=paths))
    assert found["core with history"] == 30
    assert found["core: serving with history"] == 10
    assert found["core: lifecycle"] == found["core: state"] == 10
    assert not {part for part in found if "without" in part}


@pytest.mark.parametrize("folder", ["monitoring", "checklist"])
def test_folder_with_a_budget_counts_for_itself_only(folder: str) -> None:
    paths = (f"{SOURCE}cli.py", f"{SOURCE}{folder}/drift.py")
    projects = projects_of("a", "b", "c", paths=paths)
    projects["a"][f"{SOURCE}{folder}/own.py"] = FILE
    found = figures_of("a", projects)
    assert found[folder] == 20
    assert found["core without history"] == 10
    assert found["core: files"] == 1
    assert found["use case"] == 0


def test_what_monitoring_needs_of_a_use_case_counts_for_itself() -> None:
    paths = tuple(f"{SOURCE}a/{name}.py" for name in ("monitoring", "simulation", "data"))
    found = figures_of("a", projects_of("a", paths=paths))
    assert (found["use case: monitoring"], found["use case"]) == (20, 10)


def test_use_case_with_a_row_of_its_own_has_that_budget() -> None:
    found = figures_of("tabular", projects_of("tabular", paths=(f"{SOURCE}tabular/data.py",)))
    assert found["use case tabular"] == 10
    assert "use case" not in found


def test_ratios_are_of_the_source_or_of_the_tests() -> None:
    projects = projects_of("a", paths=(f"{SOURCE}a/data.py",))
    projects["a"] |= {"tests/test_data.py": Count(code=5, docs=9, statements=4, parallel=1)}
    found = figures_of("a", projects)
    assert found["tests / source"] == 0.5
    assert found["docs / code of source"] == 0.2
    assert found["parallel assignments of source"] == 500
    assert found["parallel assignments of tests"] == 250
