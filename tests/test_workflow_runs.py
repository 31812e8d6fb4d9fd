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
from machine import require

PROGRAMS = ("cosign", "docker", "gh", "git", "jq", "make", "sudo", "uv")
SERVE, TRAIN = (f"ghcr.io/ada/shop/{name}@sha256:{'0' * 64}" for name in ("serve", "train"))
INSPECTED = [{"RepoDigests": [f"shop-serve@sha256:{'1' * 64}", SERVE, TRAIN]}]
RECORD = """#!/bin/sh
name=${0##*/}
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
def jq() -> str:
    """Return the path of jq, before `act` replaces programs on PATH."""
    return require("jq", "the release reads digests with it")


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Act:
    """Return a function that runs a workflow, with recorded programs, and returns the calls.

    `answers` are lines of shell that a program runs after it was recorded.
    """
    project = tmp_path / "shop"
    project.mkdir()
    (project / ".github").symlink_to(PROGRAM / ".github")
    git(project, "init", "--quiet")
    git(project, "remote", "add", "origin", "https://github.com/Ada/shop")
    calls, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).write_text(RECORD, encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("CALLS", str(calls))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))

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
def test_retraining_is_reported_to_people(act: Act, code: int, tmp_path: Path) -> None:
    calls = act(
        "train.yml",
        "workflow_dispatch",
        f"--var=DEPLOY_FOLDER={tmp_path}",
        fails=code == 1,
        docker=f'case "$*" in *retrain) echo "Version 2 is refused"; exit {code};; esac',
        gh='case "$*" in "issue list"*) echo 7;; *--body-file*) cat comment.md >> "$CALLS";; esac',
    )
    assert calls[0] == "docker compose run --rm --no-TTY train retrain"
    assert calls[1].startswith("docker compose cp api:/data/reports ")
    assert "gh issue comment 7 --body-file comment.md" in calls
    assert "Version 2 is refused" in calls


def test_first_retraining_opens_an_issue(act: Act, tmp_path: Path) -> None:
    address = "https://github.com/ada/shop/issues/3"
    new = f'case "$*" in "issue create"*) echo {address};; esac'
    folder = f"--var=DEPLOY_FOLDER={tmp_path}"
    calls = act("train.yml", "workflow_dispatch", folder, gh=new)
    assert calls[-1] == f"gh issue comment {address} --body-file comment.md"


def test_nothing_is_retrained_without_a_system(act: Act) -> None:
    assert act("train.yml", "workflow_dispatch") == []


def release(act: Act, jq: str, folder: Path, fails: bool = False, **answers: str) -> list[str]:
    """Run the release of a tag, and return the calls."""
    event = folder / "event.json"
    event.write_text(json.dumps({"ref": "refs/tags/v1.2.0"}), encoding="utf-8")
    options = (f"--eventpath={event}", f"--var=DEPLOY_FOLDER={folder}")
    usual = {
        "docker": f"[ \"$1\" != image ] || echo '{json.dumps(INSPECTED)}'",
        "gh": '[ "$1" != run ] || echo 1',
        "jq": f'{jq} "$@"',
    }
    return act("release.yml", "push", *options, fails=fails, **(usual | answers))


def test_release_replaces_by_the_images_that_it_signed(jq: str, act: Act, tmp_path: Path) -> None:
    calls = release(act, jq, tmp_path)
    done = [call for call in calls if not call.startswith(("docker", "jq", "gh run"))]
    assert done[:3] == ["make image", "make scan", "make sbom"]
    assert done[3] == "make push REGISTRY=ghcr.io/ada/shop TAG=v1.2.0"
    assert done[4] == f"cosign sign --yes {SERVE} {TRAIN}"
    attest = "cosign attest --yes --type cyclonedx --predicate build"
    assert done[5:7] == [f"{attest}/serve.json {SERVE}", f"{attest}/train.json {TRAIN}"]
    verified, replaced = [call for call in done if "verify " in call or "replace" in call]
    assert verified.startswith(f"cosign verify {SERVE} {TRAIN} ")
    assert replaced == f"make replace SERVE={SERVE} TRAIN={TRAIN}"


FAILURES = {
    "gh run": 'if [ "$1" = run ]; then echo 0; fi',
    "make scan": '[ "$1" != scan ]',
    "cosign sign": '[ "$1" != sign ]',
    "cosign verify": '[ "$1" != verify ]',
}


@pytest.mark.parametrize("failing", FAILURES)
def test_release_stops_before_the_deployment(
    jq: str, act: Act, failing: str, tmp_path: Path
) -> None:
    calls = release(
        act, jq, tmp_path, fails=True, **{failing.split(maxsplit=1)[0]: FAILURES[failing]}
    )
    assert any(call.startswith(failing) for call in calls)
    assert not any(call.startswith("make replace") for call in calls)


@pytest.mark.parametrize("folder", [TEMPLATE, PROGRAM])
def test_workflows_are_valid(folder: Path) -> None:
    program = Path(sys.executable).with_name("actionlint")
    files = sorted((folder / ".github" / "workflows").glob("*.yml"))
    ignored = ("-shellcheck=", "-ignore", 'label "production" is unknown')  # a runner of one's own
    done = subprocess.run([program, *ignored, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
