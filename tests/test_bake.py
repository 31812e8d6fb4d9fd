"""A fresh project, for every use case and all kinds of answers."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import USE_CASES, Bake, bake_from, texts
from cookiecutter.exceptions import FailedHookException
from packaging.requirements import Requirement

PLACEHOLDERS = re.compile(r"\b(TODO|FIXME|XXX|lorem|project_package|changeme)\b", re.IGNORECASE)
CACHES = ("__pycache__", ".*_cache", ".hypothesis", ".ipynb_checkpoints", "*.pyc", ".venv")
EACH = pytest.mark.parametrize("use_case", USE_CASES)
DOCUMENTS = {".md", ".toml", ".yml", ".yaml", ".example", ""}


@EACH
@pytest.mark.parametrize("name", ["aa", "zz" * 16])
def test_style_is_right_for_short_and_long_names(name: str, use_case: str, bake: Bake) -> None:
    project = bake(package_name=name, use_case=use_case)
    for command in (["check"], ["format", "--check", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        done = subprocess.run(ruff, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@EACH
def test_no_placeholder_is_left(use_case: str, bake: Bake) -> None:
    found = {p: PLACEHOLDERS.findall(text) for p, text in texts(bake(use_case=use_case)).items()}
    assert not {path: words for path, words in found.items() if words}


@EACH
def test_no_jinja_is_left(use_case: str, bake: Bake) -> None:
    for path, text in texts(bake(use_case=use_case)).items():
        assert "{{ cookiecutter" not in text, path
        assert "{{" not in str(path)
        if path.suffix in DOCUMENTS and path.name != "alerts.yml":  # it has `{{` of Prometheus
            assert not re.search(r"(?<!\$)\{\{|\{%|\{#", text), path  # `${{` is of GitHub


@EACH
def test_no_line_ends_in_blanks(use_case: str, bake: Bake) -> None:
    for path, text in texts(bake(use_case=use_case)).items():
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), path


@EACH
def test_example_of_the_environment_has_the_largest_body(use_case: str, bake: Bake) -> None:
    project = bake(use_case=use_case)
    (task,) = project.glob(f"src/*/{use_case}/task.py")
    own = re.search(r"max_body_mb=(\d+)", task.read_text())
    shown = re.search(r"SERVE_MAX_BODY_MB=(\d+)", (project / ".env.example").read_text())
    assert shown
    assert shown[1] == (own[1] if own else "2")


def test_no_empty_folder_is_left(bake: Bake) -> None:
    project = bake()
    folders = [path for path in project.rglob("*") if path.is_dir() and ".git" not in path.parts]
    assert all(any(folder.iterdir()) for folder in folders)


def test_caches_are_not_copied(copied_template: Path, tmp_path: Path) -> None:
    program = copied_template / "{{cookiecutter.project_slug}}"
    for cache in ("src/project_package/__pycache__", ".ruff_cache", "tests/.hypothesis"):
        (program / cache).mkdir(parents=True, exist_ok=True)
        (program / cache / "stray.pyc").write_bytes(b"\xa7\r\r\n\0\0")
        (program / cache / "stray").write_bytes(b"path.py\x8f" * 100)  # looks like text
    project = bake_from(copied_template, tmp_path)
    assert not [path for pattern in CACHES for path in project.rglob(pattern)]


def add_use_case(template: Path, name: str) -> None:
    """Add a use case to a template: a row, a folder and files with its name."""
    sheet = template / "cookiecutter.json"
    answers = json.loads(sheet.read_text())
    needs = {"requirements": ["tomli>=2"], "serving": ["tomli-w>=1"], "parts": []}
    answers["_use_cases"][name] = answers["_use_cases"]["fraud"] | {"title": name} | needs
    answers["use_case"].append(name)
    sheet.write_text(json.dumps(answers))
    for path in (
        f"src/project_package/{name}/__init__.py",
        f"tests/{name}/test_{name}.py",
        f"params.{name}.toml",
        f"notebooks/explore.{name}.ipynb",
        f".env.{name}.example",
    ):
        file = template / "{{cookiecutter.project_slug}}" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n")


def test_other_use_cases_are_removed(copied_template: Path, tmp_path: Path) -> None:
    add_use_case(copied_template, "orbit")
    project = bake_from(copied_template, tmp_path, use_case="fraud")
    assert not [path for path, text in texts(project).items() if "orbit" in f"{path} {text}"]


def test_module_is_only_in_projects_that_need_it(bake: Bake) -> None:
    for use_case, needed in (("fraud", False), ("demand", True)):
        found = [path.name for path in texts(bake(use_case=use_case)) if "journey" in path.name]
        assert found == needed * ["completejourney.py", "test_completejourney.py"]


@pytest.fixture
def without_history(copied_template: Path, tmp_path: Path) -> Path:
    """Generate a project whose use case has no history: the CSV table of the program's tests."""
    add_use_case(copied_template, "orbit")
    program = copied_template / "{{cookiecutter.project_slug}}"
    package = program / "src" / "project_package"
    shutil.copy(program / "tests" / "plain" / "use_case.py", package / "orbit" / "training.py")
    (package / "orbit" / "task.py").write_text("from .training import make_task as make_task\n")
    shutil.copy(package / "inspection" / "entry_point.py", package / "orbit")
    return bake_from(copied_template, tmp_path, use_case="orbit")


def test_project_without_history_has_no_event_store(without_history: Path) -> None:
    paths = {path.as_posix() for path in texts(without_history)}
    assert not [
        path for path in paths if re.search(r"/(features|state|backfill)\b|event|redis", path)
    ]
    assert not [path for path in paths if "test_backfill" in path]


@pytest.mark.parametrize("command", ["mypy", "pytest --collect-only --quiet"])
def test_project_without_history_is_complete(command: str, without_history: Path) -> None:
    python = [sys.executable, "-m", *command.split()]
    path = {**os.environ, "PYTHONPATH": str(without_history / "src")}
    done = subprocess.run(
        python, cwd=without_history, env=path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_package_cannot_be_named_like_another_use_case(
    copied_template: Path, tmp_path: Path
) -> None:
    add_use_case(copied_template, "orbit")
    bake_from(copied_template, tmp_path / "its_own", package_name=USE_CASES[0])
    with pytest.raises(FailedHookException):
        bake_from(copied_template, tmp_path, package_name="orbit")


def test_files_of_the_chosen_use_case_lose_its_name(copied_template: Path, tmp_path: Path) -> None:
    add_use_case(copied_template, "orbit")
    project = bake_from(copied_template, tmp_path, use_case="orbit")
    assert (project / "params.toml").read_text() == "# orbit\n"
    assert (project / "notebooks" / "explore.ipynb").is_file()
    assert (project / ".env.example").read_text() == "# orbit\n"
    assert (project / "tests" / "orbit" / "test_orbit.py").is_file()
    names = {part for path in texts(project) for name in path.parts for part in name.split(".")}
    assert "fraud" not in names
    metadata = tomllib.loads((project / "pyproject.toml").read_text())
    train = metadata["dependency-groups"]["train"]
    assert "tomli>=2" in train
    assert "tomli-w>=1" in metadata["project"]["dependencies"]
    assert not [requirement for requirement in train if requirement.startswith("xgboost")]


@pytest.mark.parametrize(
    ("choice", "expression", "words"),
    [
        ("MIT", "MIT", "Permission is hereby granted"),
        ("Apache-2.0", "Apache-2.0", "TERMS AND CONDITIONS FOR USE"),
        ("BSD-3-Clause", "BSD-3-Clause", "Redistribution and use"),
        ("Proprietary", "LicenseRef-Proprietary", "All rights reserved"),
    ],
)
def test_licence_is_as_chosen(choice: str, expression: str, words: str, bake: Bake) -> None:
    project = bake(license=choice, author="Ada & Söhne")
    text = (project / "LICENSE").read_text()
    assert words in text
    assert "Ada & Söhne" in text
    assert not (project / "licenses").exists()
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert metadata["license"] == expression


def test_prepared_lines_for_other_builds_are_valid(bake: Bake) -> None:
    text = (bake(use_case="sessions") / "pyproject.toml").read_text()
    start = text.index("# [tool.uv.sources]")
    end = text.index("# explicit = true") + len("# explicit = true")
    prepared = text[:start] + text[start:end].replace("# ", "") + text[end:]
    uv = tomllib.loads(prepared)["tool"]["uv"]
    assert [uv["sources"]["torch"][0]["index"]] == [index["name"] for index in uv["index"]]
    text = (bake(use_case="inspection") / "pyproject.toml").read_text()
    lines = re.findall(r'^# "(tensorflow.*)",$', text, re.MULTILINE)
    cuda, other = map(Requirement, lines)
    assert (cuda.extras, other.extras) == ({"and-cuda"}, set())
    assert str(cuda.marker) == 'sys_platform == "linux"'
    assert str(other.marker) == 'sys_platform != "linux"'
