"""Where a project lands: no file of the user is lost, and git records what is generated."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ANSWERS, TEMPLATE, Bake, bake_from, cookiecutter_command, git, texts

SLUG = "tabular-model"  # by default
QUESTIONS = [name for name in ANSWERS if not name.startswith("_")]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("options", ["-f", "-f -s", "-f --keep-project-on-failure"])
def test_folder_with_files_is_refused_and_unchanged(options: str, tmp_path: Path) -> None:
    folder = tmp_path / SLUG
    for name in (
        *("README.md", ".git/config", "params.demand.toml", "notes.fraud.txt", ".mine_cache/a"),
        *("licenses/MIT", "src/project_package/mine.py", "demand/data.csv"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"project_package\r\n\xff")
    before = contents(folder)
    command = ("--no-input", *options.split(), "-o", str(tmp_path), str(TEMPLATE))
    done = cookiecutter_command(*command)
    assert done.returncode == 1
    sentence = done.stdout.splitlines()[0]
    assert sentence.startswith(f"The folder '{SLUG}' already has files, such as ")
    assert "`cruft update`" in sentence
    assert contents(folder) == before


def test_make_new_asks_and_writes_beside_the_template(copied_template: Path) -> None:
    recipe = ["make", "--dry-run", "--no-print-directory", "new"]
    done = subprocess.run(recipe, cwd=copied_template, capture_output=True, text=True, check=True)
    _, command = done.stdout.splitlines()[-1].split(" cookiecutter ")
    asked = cookiecutter_command(*shlex.split(command), typed="\n" * len(QUESTIONS))
    assert asked.returncode == 0, asked.stdout
    assert (copied_template.parent / SLUG / "pyproject.toml").is_file()


@pytest.mark.usefixtures("author")
def test_new_repository_of_a_hosting_site_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / SLUG
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=project_package")
    for name in ("README.md", "LICENSE", ".gitignore"):
        (folder / name).write_text("of the hosting site\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Initial commit")
    before = contents(folder / ".git")
    assert bake_from(TEMPLATE, tmp_path, overwrite=True) == folder
    assert contents(folder / ".git") == before
    assert texts(folder) == texts(bake_from(TEMPLATE, tmp_path / "fresh"))


def test_refused_answer_leaves_no_new_folder(tmp_path: Path) -> None:
    command = ("--no-input", "-o", str(tmp_path / "new"), str(TEMPLATE), "package_name=json")
    assert cookiecutter_command(*command).returncode == 1
    assert not [*(tmp_path / "new").iterdir()]


def steps_of(output: str) -> list[str]:
    """Return the commands that the last lines of cookiecutter name."""
    return re.findall(r"^  (.*)$", output, re.MULTILINE)


def run_steps(steps: list[str], elsewhere: Path) -> str:
    """Run commands in a shell with a `make` that prints its target and locks; return the output."""
    tools = elsewhere / "tools"
    tools.mkdir()
    (tools / "make").write_text('#!/bin/sh\n: > uv.lock\necho "$PWD: make $1"\n')
    (tools / "make").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    shell = ["bash", "-euc", "\n".join(steps)]
    done = subprocess.run(
        shell, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


COMMIT = 'git add . && git commit --quiet --message "Start the project" .'
MAKE = ["make install", "make pipeline", "make serve"]


@pytest.mark.usefixtures("author")
@pytest.mark.parametrize("around", ["nothing", "a repository", "an ignored folder"])
def test_printed_steps_commit_and_run(
    around: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "Ada's projects"
    folder.mkdir()
    if around != "nothing":
        git(tmp_path, "init", "--quiet")
        (tmp_path / "other").write_text("staged, not ours")
        git(tmp_path, "add", "other")
    if around == "an ignored folder":
        (tmp_path / ".gitignore").write_text(f"{folder.name}/\n")
    project = bake_from(TEMPLATE, folder)
    output = capfd.readouterr().out
    nested = around == "a repository"
    assert nested or git(project, "symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert (project / ".git").exists() != nested
    assert ("in a git repository already" in output) == nested
    assert "a model records the commit" in output
    steps = steps_of(output)
    assert steps[1:] == [MAKE[0], COMMIT, *MAKE[1:]]
    assert run_steps(steps, tmp_path) == "".join(f"{project}: {target}\n" for target in MAKE)
    committed = git(project, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    assert {*committed} == {path.as_posix() for path in texts(project)}
    root = tmp_path if nested else project
    assert git(root, "show", "--format=%s", "--name-only").startswith("Start the project")
    assert "other" not in git(root, "ls-tree", "--name-only", "HEAD").split()


def test_generation_works_without_git(
    bake: Bake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path / "nothing"))
        project = bake()
    assert not (project / ".git").exists()
    assert (project / "LICENSE").is_file()
    output = capfd.readouterr().out
    assert "git is missing" in output
    steps = steps_of(output)
    assert steps[1:] == MAKE
    assert run_steps(steps, tmp_path) == "".join(f"{project}: {target}\n" for target in MAKE)


@pytest.mark.parametrize("name", ["build", "dist", "own", "reports", "store", "mlruns", "keys"])
def test_git_and_ruff_see_every_generated_file(name: str, bake: Bake) -> None:
    project = bake(project_slug=name, package_name=name)
    git(project, "add", "--all")
    tracked = git(project, "ls-files", "-z").split("\0")
    assert {*tracked} - {""} == {path.as_posix() for path in texts(project)}
    assert f"src/{name}/cli.py" in tracked
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--show-files"]
    checked = subprocess.run(ruff, cwd=project, capture_output=True, text=True, check=True).stdout
    assert f"{project}/src/{name}/cli.py" in checked.splitlines()


def test_git_ignores_what_the_stages_write(bake: Bake) -> None:
    project = bake()
    for name in ("data/a.csv", "own/a.csv", "reports/a.html", "store/a", "keys.json", ".env"):
        assert git(project, "check-ignore", name).strip() == name
    for name in ("predictions.db-wal", "predictions.key", "erased.txt", ".erased.txt-1"):
        assert git(project, "check-ignore", name).strip() == name
    for name in (".venv/a", ".uv/a", "build/a", "dist/a", "mlflow.db", "src/a/__pycache__/a.pyc"):
        assert git(project, "check-ignore", name).strip() == name


def test_template_tracks_the_sources_of_any_package(copied_template: Path) -> None:
    git(copied_template, "init", "--quiet")
    package = copied_template / "{{cookiecutter.project_slug}}" / "src" / "project_package"
    for name in ("build", "dist", "data"):
        (package / name).mkdir(exist_ok=True)
        (package / name / "kept.py").touch()
    git(copied_template, "add", "--all")
    kept = [path for path in git(copied_template, "ls-files").splitlines() if "kept.py" in path]
    assert len(kept) == 3


def test_line_ends_are_the_same_on_every_system(bake: Bake) -> None:
    for folder in (TEMPLATE, bake()):
        assert git(folder, "check-attr", "eol", "README.md").strip().endswith("eol: lf")
