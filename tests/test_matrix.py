"""Every pair of choices makes a project that is complete, and has nothing of other choices."""

import itertools
import json
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import ANSWERS, TEMPLATE, bake_from, texts
from matrix import CHOICES, PAGE, PAIRS, RUNS, page
from test_bake import PLACEHOLDERS
from test_project import run
from yamllint.config import YamlLintConfig
from yamllint.linter import run as lint

pytestmark = pytest.mark.projects
EACH = pytest.mark.parametrize("answers", PAIRS, ids=lambda answers: "-".join(answers.values()))
STYLE = """
extends: default
rules:
  braces: {max-spaces-inside: 1}
  comments: {min-spaces-from-content: 2}
  comments-indentation: disable  # examples of lines
  document-start: disable
  indentation: {indent-sequences: whatever}
  line-length: disable
  truthy: {check-keys: false}
"""


@pytest.fixture
def project(answers: dict[str, str], tmp_path: Path) -> Path:
    """Generate the project of answers."""
    return bake_from(TEMPLATE, tmp_path, False, **answers)


def paths_of(answers: dict[str, str], chosen: bool) -> set[str]:
    """Return the paths of options that were chosen, or were not."""
    given = {f"{question}={answer}" for question, answer in answers.items()}
    options = ANSWERS["_options"].items()
    return {path for option, paths in options if (option in given) is chosen for path in paths}


@EACH
def test_project_has_what_was_chosen_and_nothing_else(
    answers: dict[str, str], project: Path
) -> None:
    found = texts(project)
    written = "\n".join([*map(str, found), *found.values()])
    paths = "\n".join(map(str, found))
    assert all(path in paths for path in paths_of(answers, chosen=True))
    assert not [path for path in paths_of(answers, chosen=False) if path in written]
    assert not [path for path, text in found.items() if PLACEHOLDERS.search(text)]
    assert "{{ cookiecutter" not in written


@EACH
def test_files_with_values_are_valid(project: Path) -> None:
    style = YamlLintConfig(STYLE)
    for path, text in texts(project).items():
        if path.suffix in {".yaml", ".yml"}:
            assert [*yaml.safe_load_all(text)]
            assert not [f"{path}: {problem}" for problem in lint(text, style)]
        elif path.suffix == ".toml":
            assert tomllib.loads(text)
        elif path.suffix in {".json", ".ipynb"}:
            assert json.loads(text)


@EACH
def test_checks_pass(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", sys.prefix)  # one for all projects
    monkeypatch.setenv("UV_NO_SYNC", "1")
    monkeypatch.setenv("UV_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))
    assert "0 broken" in run(project, "make", "check")


@EACH
def test_requirements_can_be_installed(answers: dict[str, str], project: Path) -> None:
    version = answers["python_version"]
    options = ("--quiet", "--all-extras", "--group=train", "--group=dev", "--no-header")
    pinned = run(
        project, "uv", "pip", "compile", *options, f"--python-version={version}", "pyproject.toml"
    )
    assert "\nmlflow==" in pinned


def test_each_pair_of_choices_is_in_a_row() -> None:
    for (one, first), (other, second) in itertools.combinations(CHOICES.items(), 2):
        together = {(row[one], row[other]) for row in PAIRS}
        assert together == {*itertools.product(first, second)}


def test_full_runs_have_each_choice_but_other_pythons() -> None:
    assert list(RUNS) == CHOICES["use_case"]
    for name in CHOICES.keys() - {"use_case", "python_version"}:
        assert {run.get(name, CHOICES[name][0]) for run in RUNS.values()} == {*CHOICES[name]}


def test_page_lists_the_answers() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), ".venv/bin/python -B tests/matrix.py"
    assert f"{len(PAIRS)} projects" in (TEMPLATE / "README.md").read_text(encoding="utf-8")
