"""What holds of the template itself: Python without Jinja, papers that parse, lists that agree."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from conftest import PROGRAM, TEMPLATE, USE_CASES, Bake, bake_from

CACHES = ("__pycache__", ".*_cache", ".hypothesis", ".ipynb_checkpoints", "mlruns", "*.db")
MOST_LINES = 4_700  # that hold something: nobody reads a blank line
MOST_SERVER_LINES = 3_000
SERVER = ("keeper", "keys", "packed", "state", "state_redis", "state_sqlite")
"""Modules of the server that the stages read too, beside the folder `serving`."""
MOST_FILES = 100  # beside the tests, which mirror the code by path and so follow from it


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def tracked_files() -> list[Path]:
    """Give the files that git knows or would add."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(git, cwd=TEMPLATE, capture_output=True, text=True, check=True).stdout
    return [TEMPLATE / name for name in names.split("\0") if name and (TEMPLATE / name).is_file()]


def requirements_of(project: Path) -> set[str]:
    """Give all that a rendered project requires."""
    metadata = read_toml(project / "pyproject.toml")
    groups = metadata["dependency-groups"].values()
    return {*metadata["project"]["dependencies"], *itertools.chain(*groups)}


def test_python_of_the_program_holds_no_jinja() -> None:
    for path in PROGRAM.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        ast.parse(text)
        assert not re.search(r"\{\{\s*cookiecutter|\{%|\{#", text), path


def test_hooks_parse_and_stay_short() -> None:
    for hook in (TEMPLATE / "hooks").glob("*.py"):
        ast.parse(hook.read_text(encoding="utf-8"))
    lines = (TEMPLATE / "hooks" / "post_gen_project.py").read_text().splitlines()
    assert len(lines) < 60


@pytest.mark.parametrize("path", sorted(PROGRAM.rglob("*.toml")), ids=lambda path: path.name)
def test_toml_is_valid_before_rendering(path: Path) -> None:
    assert read_toml(path)


@pytest.mark.parametrize("use_case", USE_CASES)
def test_toml_is_valid_after_rendering(use_case: str, bake: Bake) -> None:
    project = bake(use_case=use_case)
    assert all(read_toml(path) for path in project.rglob("*.toml"))


def test_both_lists_of_requirements_agree(tmp_path: Path) -> None:
    projects = [bake_from(TEMPLATE, tmp_path / name, use_case=name) for name in USE_CASES]
    required = set().union(*(requirements_of(project) for project in projects))
    assert set(read_toml(TEMPLATE / "pyproject.toml")["dependency-groups"]["project"]) == required


def test_both_environments_are_of_one_date() -> None:
    dates = {
        read_toml(folder / "pyproject.toml")["tool"]["uv"]["exclude-newer"]
        for folder in (TEMPLATE, PROGRAM)
    }
    assert len(dates) == 1


def test_package_may_not_hide_a_required_library() -> None:
    hook = (TEMPLATE / "hooks" / "pre_gen_project.py").read_text()
    refused = set(re.findall(r"\w+", hook))
    required = {
        re.split(r"[\[<>=]", requirement)[0].replace("_", "-").lower()
        for requirement in read_toml(TEMPLATE / "pyproject.toml")["dependency-groups"]["project"]
    }
    modules = {
        module
        for module, distributions in packages_distributions().items()
        if required & {name.replace("_", "-").lower() for name in distributions}
        if re.fullmatch(r"[a-z][a-z0-9_]+", module)
    }
    assert modules - refused == set()


def test_nothing_was_left_in_the_program() -> None:
    left = [path for pattern in CACHES for path in PROGRAM.rglob(pattern)]
    assert not left, "these would be copied into projects; `make clean` removes them"


def test_no_lock_and_no_machine_path_is_committed() -> None:
    files = tracked_files()
    assert not [path for path in files if path.name == "uv.lock"]
    hosts = re.compile("|".join(["py" + "pi.org", "python" + "hosted.org"]))
    for path in files:
        if path.suffix in {".md", ".py", ".toml", ".yml", ".yaml", ""}:
            assert not hosts.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("use_case", USE_CASES)
def test_project_is_read_in_an_afternoon_and_its_server_in_another(
    use_case: str, bake: Bake
) -> None:
    project = bake(use_case=use_case)
    lines = {path: lines_of(path) for path in (project / "src").rglob("*.py")}
    server = sum(count for path, count in lines.items() if is_of_the_server(path))
    beside = {".git", "tests"}
    files = [path for path in project.rglob("*") if path.is_file() and not beside & {*path.parts}]
    assert server < MOST_SERVER_LINES
    assert sum(lines.values()) - server < MOST_LINES
    assert sum(path.stat().st_size > 0 for path in files) < MOST_FILES


def lines_of(path: Path) -> int:
    """Count the lines of a file that hold something."""
    return sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())


def is_of_the_server(path: Path) -> bool:
    """Tell whether only a server needs a module."""
    return path.parent.name == "serving" or path.stem in SERVER


@pytest.mark.parametrize("use_case", USE_CASES)
def test_arrows_point_inward(use_case: str, bake: Bake) -> None:
    project = bake(use_case=use_case)
    lint = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    path = {"PYTHONPATH": str(project / "src"), "PATH": ""}
    done = subprocess.run(lint, cwd=project, env=path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
