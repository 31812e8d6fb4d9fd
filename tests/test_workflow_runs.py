"""Jobs of a project's workflows, run by act on this machine; every action is replaced by a stub.

Programs that the jobs start are recorded instead of run: other tests run what they do. Pushing,
signing and comments are not tried at all, since tests reach no registry and no GitHub.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PROGRAM, TEMPLATE, git

PROGRAMS = ("cosign", "docker", "gh", "jq", "make", "sudo", "uv")
DIGEST = f"ghcr.io/ada/shop@sha256:{'0' * 64}"
RECORD = """#!/bin/sh
name=$(basename "$0")
printf '%s\\n' "$name $*" >> "$CALLS"
[ ! -e "$CALLS.$name" ] || . "$CALLS.$name"
"""
Act = Callable[..., list[str]]


def act_command(folder: Path, workflow: str, event: str, *options: str) -> list[str]:
    """Return the command that runs a workflow without its actions.

    Args:
        folder: gets the stub.
        workflow: the name of the file.
        event: what starts the workflow.
        options: of act.
    """
    stub = folder / "stub" / "action.yml"
    stub.parent.mkdir()
    steps = "[{run: echo replaced, shell: bash}]"
    stub.write_text(f"name: stub\nruns: {{using: composite, steps: {steps}}}", encoding="utf-8")
    text = (PROGRAM / ".github" / "workflows" / workflow).read_text(encoding="utf-8")
    actions = sorted({*re.findall(r"uses: (\S+)", text)})
    stubs = [f"--local-repository={action}={stub.parent}" for action in actions]
    machines = ("ubuntu-latest", "self-hosted", "production")
    platforms = [f"--platform={machine}=-self-hosted" for machine in machines]
    program = str(Path(sys.executable).with_name("act"))
    offline = ("--action-offline-mode", "--container-daemon-socket=-")
    return [
        program,
        event,
        f"--workflows=.github/workflows/{workflow}",
        *stubs,
        *platforms,
        *offline,
        *options,
    ]


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Act:
    """Return a function that runs a workflow, with recorded programs, and returns the calls.

    `answers` are lines of shell that a program runs after it was recorded.
    """
    calls, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).write_text(RECORD, encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("CALLS", str(calls))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    project = tmp_path / "shop"
    project.mkdir()
    (project / ".github").symlink_to(PROGRAM / ".github")
    git(project, "init", "--quiet")
    git(project, "remote", "add", "origin", "https://github.com/Ada/shop")

    def run(
        workflow: str, event: str, *options: str, fails: bool = False, **answers: str
    ) -> list[str]:
        calls.write_text("", encoding="utf-8")
        for name, answer in answers.items():
            calls.with_name(f"calls.{name}").write_text(answer, encoding="utf-8")
        command = act_command(tmp_path, workflow, event, "--env", f"CALLS={calls}", *options)
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert bool(done.returncode) is fails, done.stdout + done.stderr
        lines = calls.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line != "gh auth token"]  # act itself asks for it

    return run


def test_ci_runs_what_a_developer_runs(act: Act) -> None:
    calls = act("ci.yml", "push", "--job=check")
    made = [call for call in calls if "make " in call]
    targets = ["test-tools", "install", "check", "audit", "coverage"]
    assert [call.rpartition(" ")[2] for call in made] == targets
    assert "uv run pre-commit run --all-files --show-diff-on-failure" in calls


def test_ci_builds_and_scans_the_image(act: Act) -> None:
    assert act("ci.yml", "push", "--job=image") == ["make image", "make scan", "make sbom"]


@pytest.mark.parametrize("code", [0, 1])
def test_retraining_is_reported_to_people(act: Act, code: int) -> None:
    calls = act(
        "train.yml",
        "workflow_dispatch",
        "--var=MLFLOW_TRACKING_URI=https://mlflow.example.com",
        fails=code == 1,
        uv=f"echo 'Version 2 does not become the champion'; exit {code}",
        gh='case "$*" in "issue list"*) echo 7;; *--body-file*) cat comment.md >> "$CALLS";; esac',
    )
    assert calls[:2] == ["make install", "uv run ml retrain"]
    assert "gh issue comment 7 --body-file comment.md" in calls
    assert "Version 2 does not become the champion" in calls


def test_first_retraining_opens_an_issue(act: Act) -> None:
    new = 'case "$*" in "issue create"*) echo https://github.com/ada/shop/issues/3;; esac'
    variable = "--var=MLFLOW_TRACKING_URI=https://mlflow.example.com"
    calls = act("train.yml", "workflow_dispatch", variable, gh=new)
    assert (
        calls[-1] == "gh issue comment https://github.com/ada/shop/issues/3 --body-file comment.md"
    )


def test_nothing_is_retrained_without_a_server_of_mlflow(act: Act) -> None:
    assert act("train.yml", "workflow_dispatch") == []


def test_release_deploys_the_image_that_it_signed(act: Act, tmp_path: Path) -> None:
    calls = act(
        "release.yml",
        "push",
        f"--eventpath={release_event(tmp_path)}",
        f"--var=DEPLOY_FOLDER={tmp_path}",
        jq=f"echo {DIGEST}",
    )
    done = [call for call in calls if not call.startswith(("docker", "jq"))]
    assert done[:4] == [
        "make image",
        "make scan",
        "make sbom",
        "make push IMAGE=ghcr.io/ada/shop:v1.2.0",
    ]
    assert done[4:6] == [
        f"cosign sign --yes {DIGEST}",
        f"cosign attest --yes --type cyclonedx --predicate build/sbom.json {DIGEST}",
    ]
    verified, replaced = done[-2:]
    assert verified.startswith(f"cosign verify {DIGEST}")
    assert replaced == f"make replace IMAGE={DIGEST}"


@pytest.mark.parametrize("failing", ["make scan", "cosign sign", "cosign verify"])
def test_release_stops_before_the_deployment(act: Act, failing: str, tmp_path: Path) -> None:
    program, _, word = failing.partition(" ")
    calls = act(
        "release.yml",
        "push",
        f"--eventpath={release_event(tmp_path)}",
        fails=True,
        **{"jq": f"echo {DIGEST}", program: f'[ "$1" != {word} ]'},
    )
    assert any(call.startswith(failing) for call in calls)
    assert not any(call.startswith("make replace") for call in calls)


def release_event(folder: Path) -> Path:
    """Write the event of a new tag to a file."""
    path = folder / "event.json"
    path.write_text(json.dumps({"ref": "refs/tags/v1.2.0"}), encoding="utf-8")
    return path


@pytest.mark.parametrize("folder", [TEMPLATE, PROGRAM])
def test_workflows_are_valid(folder: Path) -> None:
    program = Path(sys.executable).with_name("actionlint")
    files = sorted((folder / ".github" / "workflows").glob("*.yml"))
    ignored = ("-shellcheck=", "-ignore", 'label "production" is unknown')  # a runner of one's own
    done = subprocess.run([program, *ignored, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
