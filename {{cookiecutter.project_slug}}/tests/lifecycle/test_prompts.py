"""Prompts of a bundle are in MLflow's prompt registry, with the alias of the champion."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from machine import run_python
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from plain import use_case
from projects import open_project

from project_package.bundle import PARAMS
from project_package.lifecycle.list_versions import list_versions
from project_package.lifecycle.project import Project
from project_package.lifecycle.rollback import rollback
from project_package.lifecycle.train import train
from project_package.model_store import CHAMPION

pytestmark = pytest.mark.system
NAME = "plain-params"  # a text file, used as a prompt here
CHILD = """
import sys
from runpy import run_path
file, folder, step = sys.argv[1:]
run_path(file)["kill_before_alias"](folder, step)
"""


def prompting(project: Project) -> Project:
    """Return a project whose bundles have a prompt, which changes with the parameters."""
    return replace(project, training=replace(project.training, prompts=(PARAMS,)))


def kill_before_alias(folder: str, step: str) -> None:
    """Make version 2 the champion, or go back; killed before the prompt gets the alias."""

    def kill(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(MlflowClient, "set_prompt_alias", kill)  # noqa: B010  mypy forbids the assignment
    steps = {"promote": set_champion, "rollback": rollback}
    steps[step](prompting(open_project(use_case, Path(folder))))


def set_champion(project: Project) -> None:
    """Make version 2 the champion, as `ml promote` does."""
    version = project.registry.find_version(2)
    assert version is not None
    project.registry.set_champion(version)


def texts(project: Project) -> list[str]:
    """Return the registered texts, oldest first."""
    found = project.registry.client.search_prompt_versions(NAME)
    return [prompt.template for prompt in sorted(found, key=lambda prompt: prompt.version)]


def champion(project: Project) -> tuple[str, str]:
    """Return the prompt with the alias, and the model version that it is tagged with."""
    prompt = project.registry.client.get_prompt_version_by_alias(NAME, CHAMPION)
    return prompt.template, prompt.tags["model_version"]


@pytest.fixture
def project(trained: Path, clone: Callable[[Path], Project]) -> Project:
    """Return a project with another prompt in version 2, the challenger."""
    project = prompting(clone(trained))
    list_versions(project)  # version 1 is older than the prompts
    assert champion(project)[1] == "1"
    section = project.params.train.model_copy(update={"examples": 3})
    project = replace(project, params=project.params.model_copy(update={"train": section}))
    train(project)
    return project


def test_alias_of_the_prompt_follows_the_champion(project: Project) -> None:
    first, second = texts(project)
    assert '"examples": 3' in second
    assert champion(project) == (first, "1")
    run = project.registry.versions()[0].run
    tags = project.registry.client.get_run(run).data.tags
    assert f'"name": "{NAME}", "version": "2"' in tags["mlflow.linkedPrompts"]
    set_champion(project)
    assert champion(project) == (second, "2")
    assert rollback(project) == 1
    assert champion(project) == (first, "1")
    assert texts(project) == [first, second]


def test_kill_leaves_an_alias_to_correct(project: Project) -> None:
    first, second = texts(project)
    done = run_python(CHILD, __file__, project.workspace.root, "promote")
    assert done.returncode == -signal.SIGKILL
    pointer = project.store.pointer(CHAMPION)
    assert pointer is not None
    assert pointer.version == 2
    assert champion(project)[0] == first
    list_versions(project)
    assert champion(project) == (second, "2")


def test_killed_rollback_is_completed_by_the_next(project: Project) -> None:
    first, _ = texts(project)
    set_champion(project)
    done = run_python(CHILD, __file__, project.workspace.root, "rollback")
    assert done.returncode == -signal.SIGKILL
    assert rollback(project) == 1
    assert champion(project) == (first, "1")


def test_refused_prompts_do_not_stop_a_command(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        raise MlflowException("no rights")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_prompt_alias", refuse)
        set_champion(project)
    assert "did not register the prompts: no rights" in caplog.text
    assert champion(project)[1] == "1"
    list_versions(project)
    assert champion(project)[1] == "2"
