"""The template itself: Python without Jinja, valid TOML, equal lists, and imports."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import ANSWERS, PROGRAM, TEMPLATE, USE_CASES, Bake, bake_from

CACHES = ("__pycache__", ".*_cache", ".hypothesis", ".ipynb_checkpoints", "mlruns", "*.db")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def tracked_files() -> list[Path]:
    """Return the files that git tracks or would add."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(git, cwd=TEMPLATE, capture_output=True, text=True, check=True).stdout
    return [TEMPLATE / name for name in names.split("\0") if name and (TEMPLATE / name).is_file()]


def requirements_of(project: Path) -> set[str]:
    """Return everything that a rendered project requires."""
    metadata = read_toml(project / "pyproject.toml")
    groups = metadata["dependency-groups"].values()
    return {*metadata["project"]["dependencies"], *itertools.chain(*groups)}


def test_python_of_the_program_has_no_jinja() -> None:
    for path in PROGRAM.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        ast.parse(text)
        assert not re.search(r"\{\{\s*cookiecutter|\{%|\{#", text), path


def test_hooks_are_valid_and_short() -> None:
    for hook in (TEMPLATE / "hooks").glob("*.py"):
        ast.parse(hook.read_text(encoding="utf-8"))
    lines = (TEMPLATE / "hooks" / "post_gen_project.py").read_text().splitlines()
    assert len(lines) <= 65


@pytest.mark.parametrize("path", sorted(PROGRAM.rglob("*.toml")), ids=lambda path: path.name)
def test_toml_is_valid_before_rendering(path: Path) -> None:
    assert read_toml(path)


@pytest.mark.parametrize("use_case", USE_CASES)
def test_toml_is_valid_after_rendering(use_case: str, bake: Bake) -> None:
    project = bake(use_case=use_case)
    assert all(read_toml(path) for path in project.rglob("*.toml"))


def test_lists_of_requirements_are_equal(tmp_path: Path) -> None:
    projects = [bake_from(TEMPLATE, tmp_path / name, use_case=name) for name in USE_CASES]
    projects += [bake_from(TEMPLATE, tmp_path / name, cloud=name) for name in ANSWERS["cloud"]]
    required = set().union(*(requirements_of(project) for project in projects))
    assert set(read_toml(TEMPLATE / "pyproject.toml")["dependency-groups"]["project"]) == required


def test_schema_of_the_tests_is_that_of_the_published_table() -> None:
    # A project's own schema.toml changes; its tests go on with the published table.
    shipped, tested = PROGRAM / "schema.tabular.toml", PROGRAM / "tests" / "tabular" / "schema.toml"
    assert tested.read_text(encoding="utf-8") == shipped.read_text(encoding="utf-8")


def test_both_environments_have_the_same_date() -> None:
    dates = {
        read_toml(folder / "pyproject.toml")["tool"]["uv"]["exclude-newer"]
        for folder in (TEMPLATE, PROGRAM)
    }
    assert len(dates) == 1


def test_program_has_no_caches() -> None:
    left = [path for pattern in CACHES for path in PROGRAM.rglob(pattern)]
    assert not left, "they would be copied into projects; `make clean` removes them"


def test_no_lock_file_and_no_index_is_committed() -> None:
    files = tracked_files()
    assert not [path for path in files if path.name == "uv.lock"]
    hosts = re.compile("|".join(["py" + "pi.org", "python" + "hosted.org"]))
    for path in files:
        if path.suffix in {".md", ".py", ".toml", ".yml", ".yaml", ""}:
            assert not hosts.search(path.read_text(encoding="utf-8")), path


def broken_contracts(project: Path) -> str:
    """Return what the import rules of a project find; empty when they are kept."""
    lint = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    path = {"PYTHONPATH": str(project / "src"), "PATH": ""}
    done = subprocess.run(lint, cwd=project, env=path, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""


@pytest.mark.parametrize("use_case", USE_CASES)
def test_imports_point_inward(use_case: str, bake: Bake) -> None:
    assert not broken_contracts(bake(use_case=use_case))


def test_monitoring_imports_stages_and_no_stage_imports_it(tmp_path: Path) -> None:
    project = bake_from(TEMPLATE, tmp_path, use_case="fraud", package_name="example")
    source = project / "src" / "example"
    assert not broken_contracts(project)
    for folder in ("contract", "lifecycle", "serving"):
        module = source / folder / "odd.py"
        module.write_text("from ..monitoring import retrain\n", encoding="utf-8")
        broken = broken_contracts(project)
        assert f"example.{folder} is not allowed to import example" in broken
        module.unlink()
