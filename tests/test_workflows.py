"""The workflows of the template and of projects: checked, on each Python, with locked installs."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ANSWERS, PROGRAM, TEMPLATE

PYTHONS = ANSWERS["python_version"]


def read_workflow(folder: Path, name: str = "ci.yml") -> dict[str, Any]:
    """Read a workflow of the template or of the program."""
    text = (folder / ".github" / "workflows" / name).read_text(encoding="utf-8")
    workflow: dict[str, Any] = yaml.safe_load(text)
    return workflow


@pytest.mark.parametrize("wrong", ["run-on: ubuntu-latest", "runs-on: [ubuntu-latest"])
def test_check_finds_an_invalid_workflow(wrong: str, tmp_path: Path) -> None:
    shutil.copytree(PROGRAM / ".github", tmp_path / ".github")
    workflow = tmp_path / ".github" / "workflows" / "ci.yml"
    right = workflow.read_text(encoding="utf-8")
    workflow.write_text(right.replace("runs-on: ubuntu-latest", wrong), encoding="utf-8")
    makefile = (PROGRAM / "Makefile").read_text(encoding="utf-8")
    tool, *options = re.findall(r"uv run (zizmor .*)", makefile)[0].split()
    check = [Path(sys.executable).with_name(tool), *options]
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode
    workflow.write_text(right, encoding="utf-8")
    subprocess.run(check, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize(("folder", "job"), [(TEMPLATE, "test"), (PROGRAM, "weekly")])
def test_workflows_run_on_each_python(folder: Path, job: str) -> None:
    found = read_workflow(folder)["jobs"][job]
    assert found["strategy"]["matrix"]["python"] == PYTHONS
    assert found["env"]["UV_PYTHON"] == "${{ matrix.python }}"


def test_ci_measures_coverage_and_looks_for_vulnerabilities() -> None:
    steps = {step.get("run", "") for step in read_workflow(PROGRAM)["jobs"]["check"]["steps"]}
    assert {"make check", "make audit", "make coverage"} <= steps
    weekly = read_workflow(TEMPLATE, "weekly.yml")["jobs"]["test"]["steps"]
    assert any(step.get("run", "").endswith(".ci/run coverage") for step in weekly)
    for target in ("audit", "coverage"):
        assert f"\n{target}: " in (PROGRAM / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", [TEMPLATE, PROGRAM])
def test_departures_from_the_guide_are_explained(folder: Path) -> None:
    metadata = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    ignored = {*metadata["tool"]["repo-review"]["ignore"]} - {"PC"}
    decision = (TEMPLATE / "docs" / "decisions" / "0001-checks.md").read_text(encoding="utf-8")
    assert {code for code in ignored if code not in decision} == set()


def test_actions_have_one_pinned_version_and_runs_do_not_overlap() -> None:
    paths = [p for folder in (TEMPLATE, PROGRAM) for p in folder.glob(".github/workflows/*.yml")]
    versions = dict[str, set[str]]()
    for path in paths:
        workflow = read_workflow(path.parents[2], path.name)
        assert workflow["concurrency"]["group"], path
        for job in workflow["jobs"].values():
            for step in job["steps"]:
                action, _, version = step.get("uses", "").partition("@")
                versions.setdefault(action, set()).add(version)
    del versions[""]  # steps that run a command
    for (version,) in versions.values():  # more than one raises
        assert re.fullmatch("[0-9a-f]{40}", version)


def test_check_finds_insecure_code() -> None:
    code = """
import hashlib, pickle, subprocess, yaml

hashlib.md5(b"")
pickle.loads(b"")
subprocess.run("ls", shell=True)
yaml.load("", yaml.Loader)
password = "correct horse"
eval("1")
"""
    ruff = str(Path(sys.executable).with_name("ruff"))
    path = str(PROGRAM / "src" / "project_package" / "new.py")
    command = [ruff, "check", "--output-format=json", "--stdin-filename", path, "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=False)
    found = {problem["code"] for problem in json.loads(done.stdout)}
    assert {"S105", "S301", "S307", "S324", "S506", "S602"} <= found


def test_audit_fails_if_it_cannot_check_a_package(tmp_path: Path) -> None:
    makefile = (PROGRAM / "Makefile").read_text(encoding="utf-8")
    (options,) = re.findall("uvx pip-audit (.*) --requirement", makefile)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"no-such-package==1 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    audit = [Path(sys.executable).with_name("pip-audit"), *options.split()]
    command = [*audit, "--requirement", requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout


@pytest.mark.parametrize("locked", [False, True])
def test_committed_lock_file_decides_what_ci_installs(locked: bool, tmp_path: Path) -> None:
    steps = [step.get("run", "") for step in read_workflow(PROGRAM)["jobs"]["check"]["steps"]]
    script = next(step for step in steps if "UV_LOCKED" in step)
    if locked:
        (tmp_path / "uv.lock").touch()
    variables = tmp_path / "variables"
    variables.touch()
    environment = {"GITHUB_ENV": str(variables)}
    subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, env=environment, check=True)
    assert variables.read_text(encoding="utf-8") == ("UV_LOCKED=1\n" if locked else "")
