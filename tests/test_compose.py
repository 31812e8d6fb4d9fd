"""The system of each use case, without an engine, and the message where Docker is missing."""

import json
import os
from pathlib import Path

import pytest
from conftest import ANSWERS, USE_CASES, Bake
from engine import docker
from machine import require
from test_project import run


@pytest.mark.parametrize("use_case", USE_CASES)
def test_system_of_each_use_case_is_valid(
    use_case: str, bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "secret")
    file = str(bake(use_case=use_case) / "compose.yaml")
    services = json.loads(docker("compose", "--file", file, "config", "--format", "json"))[
        "services"
    ]
    has_events = "events" in ANSWERS["_use_cases"][use_case]["parts"]
    assert ("redis" in services) is has_events
    assert all(
        port["host_ip"] == "127.0.0.1" for s in services.values() for port in s.get("ports", ())
    )


@pytest.mark.parametrize("target", ["image", "up", "down"])
def test_make_reports_a_missing_docker(
    target: str, bake: Bake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, make = bake(), require("make", "it builds images")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Docker with its compose plugin is missing" in run(project, make, target, code=2)


@pytest.mark.parametrize(("target", "said"), [("push", "Say where"), ("replace", "Say which")])
def test_make_says_which_images_it_needs(
    target: str, said: str, bake: Bake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").symlink_to(require("docker", "make looks for it"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert said in run(bake(), "make", target, code=2)
