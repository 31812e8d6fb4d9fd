"""The images of a project, and its whole system, in a real Docker Engine.

The images have Python 3.13, whatever runs the tests. `engine.py` says where other images come from.
The tests of the system run in order: each one uses what those before it did.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from alert_tests import CASES, alert_tests
from conftest import PROGRAM, TEMPLATE, bake_from, git
from demo import ask, get
from documents import commands_of
from engine import BASE, docker, image_of, images_named_in, make_image, running_engine
from machine import require, wait_for
from prometheus_api import PROMETHEUS, alerts, expressions, query, rules, targets
from test_project import run

pytestmark = pytest.mark.projects
USE_CASE = "fraud"  # it has an event store
SLUG = "shop-of-tests"  # its volumes are deleted
API, PROXY, SERVE, TRAIN = (f"{SLUG}-{name}" for name in ("api-1", "proxy-1", "serve", "train"))
SERVER, MLFLOW = "http://127.0.0.1:8080", "http://127.0.0.1:5000"
NO_SHELL = "--volume /dev/null:/usr/bin/dash:ro --volume /dev/null:/usr/bin/bash:ro"
NEVER_HAPPENED = {"refused_total", "shadow_rows_total"}
"""Metrics of the dashboard that have no value as long as nothing of the kind happens."""


def commands(project: Path) -> list[str]:
    """Return the commands of docs/deploy.md but those of make, which tests run one by one."""
    document = (project / "docs" / "deploy.md").read_text(encoding="utf-8")
    return [command for command in commands_of(document) if not command.startswith("make")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, engine_folder: Path) -> Iterator[Path]:
    """Generate a project that trains in seconds, start its system, and stop it in the end."""
    folder = tmp_path_factory.mktemp("containers")
    project = bake_from(
        TEMPLATE, folder, use_case=USE_CASE, project_slug=SLUG, python_version="3.13"
    )
    shutil.copy(PROGRAM / "tests" / USE_CASE / "tiny.toml", project / "params.toml")
    for program in ("docker", "curl"):
        (folder / program).symlink_to(require(program, "commands of docs/deploy.md run it"))
    engine = running_engine(engine_folder, images_named_in(project))
    git(project, "add", ".")
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    git(project, *author, "commit", "--quiet", "--message", "Start")
    with engine, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        try:
            run(project, "make", "up")
            yield project
        finally:
            run(project, "docker", "compose", "down", "--volumes")


def ml(project: Path, *arguments: str, code: int = 0) -> str:
    """Run a command of `ml` in the service `train`; return its output."""
    command = ("docker", "compose", "run", "--rm", "--no-TTY", "train", *arguments)
    return run(project, *command, code=code)


def query_after_an_answer(expression: str) -> list[dict[str, Any]]:
    """Return the values of an expression, after one more answer of the server."""
    ask(SERVER)
    return query(expression)


@pytest.mark.usefixtures("project")
def test_server_answers_behind_the_proxy() -> None:
    example, answer = ask(SERVER)
    assert len(answer["predictions"]) == len(example["instances"])
    assert answer["model_version"] == "1"


def test_model_records_the_commit_of_its_code(project: Path) -> None:
    manifest = get(f"{SERVER}/v1/model")["manifest"]
    assert manifest["commit"] == git(project, "rev-parse", "HEAD").strip()


def test_commands_of_the_document_run(project: Path) -> None:
    for command in commands(project)[:-1]:  # the last one needs an image that has the champion
        run(project, "bash", "-c", command)


@pytest.mark.usefixtures("project")
def test_champion_is_registered_in_mlflow() -> None:
    found = get(f"{MLFLOW}/api/2.0/mlflow/registered-models/get?name=tiny")
    aliases = found["registered_model"]["aliases"]
    assert {"alias": "champion", "version": "1"} in aliases


def test_new_champion_is_served_without_a_restart(project: Path) -> None:
    state = ("inspect", "--format={{.State.StartedAt}}", API)
    started = docker(*state)
    ml(project, "pipeline", "--set", "seed=8", "--set", "promote.margin=1")
    wait_for(lambda: ask(SERVER)[1]["model_version"] == "2")
    assert docker(*state) == started


def test_data_survive_a_stop(project: Path) -> None:
    run(project, "make", "down")
    assert not run(project, "docker", "compose", "ps", "--quiet")
    refused = run(project, "make", "replace", f"SERVE={SERVE}", f"TRAIN={TRAIN}", code=2)
    assert "not running: make up" in refused
    settings = (project / ".env").rename(project / "own" / ".env")
    assert "restore .env" in run(project, "make", "up", code=2)
    settings.rename(project / ".env")
    run(project, "make", "up")
    assert ask(SERVER)[1]["model_version"] == "2"


def test_image_is_replaced(project: Path) -> None:
    proxy = ("inspect", "--format={{.State.StartedAt}}", PROXY)
    started = docker(*proxy)
    before = image_of(API)
    make_image(f"FROM {SERVE}\nLABEL version=2", f"{SERVE}:v2")
    for _ in range(2):
        run(project, "make", "replace", f"SERVE={SERVE}:v2", f"TRAIN={TRAIN}")
        assert image_of(API) == image_of(f"{SERVE}:v2")
        assert image_of(f"{SERVE}:previous") == before
    run(project, "make", "replace", f"SERVE={SERVE}:previous", f"TRAIN={TRAIN}:previous")
    assert image_of(API) == before
    assert docker(*proxy) != started  # the new server may have another address
    ask(SERVER)


def test_image_that_is_not_healthy_is_replaced_by_the_one_before(project: Path) -> None:
    before = image_of(API)
    check = "HEALTHCHECK --interval=1s --retries=2 --start-period=1s CMD false"
    make_image(f"FROM {SERVE}\n{check}", f"{SERVE}:v3")
    output = run(project, "make", "replace", f"SERVE={SERVE}:v3", f"TRAIN={TRAIN}", code=2)
    assert "the previous images answer again" in output
    assert image_of(API) == before
    run(project, "make", "up")  # keeps it, too
    assert image_of(API) == before
    wait_for(lambda: ask(SERVER))


def test_alarm_of_monitor_becomes_an_alert(project: Path) -> None:
    ml(project, "simulate", "--damage", "broken", "--set", "simulate.url=http://api:8000")
    ml(project, "monitor", code=2)
    found = wait_for(lambda: alerts().get("ModelNeedsAttention"))
    assert found
    assert found["reason"] == "broken"


@pytest.mark.usefixtures("project")
def test_dashboard_has_values() -> None:
    happened = {e: not NEVER_HAPPENED & {*re.findall(r"\w+", e)} for e in expressions()}
    assert sum(happened.values()) >= 15
    wait_for(lambda: targets() == {("api", "up"), ("monitor", "up")})
    for expression in expressions():  # a rate needs two readings, with an answer in between
        if happened[expression]:
            wait_for(partial(query_after_an_answer, expression))
        else:
            query(expression)


@pytest.mark.usefixtures("project")
def test_metrics_of_alerts_and_dashboard_exist() -> None:
    groups = get(f"{PROMETHEUS}/api/v1/rules")["data"]["groups"]
    health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert health == {name: "ok" for name, _ in CASES if name}
    names = {*get(f"{PROMETHEUS}/api/v1/label/__name__/values")["data"]}
    text = " ".join([*expressions(), *(rule["expr"] for rule in rules())])
    text = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|by \([^)]*\)', "", text)
    used = {*re.findall(r"[a-z]+_[a-z_]+\b(?! *\()", text)}
    assert used - names == NEVER_HAPPENED


def test_api_keys_protect_the_server(project: Path) -> None:
    document = (project / "docs" / "deploy.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"(?s)```text\n(.*?)```", document)
    first, *others = block.strip().splitlines()
    with (project / ".env").open("a", encoding="utf-8") as file:
        file.write("SERVE_KEYS=keys.json\n")
    key = run(project, "bash", "-c", f"{first} 2> /dev/null").strip()
    configuration = project / "deploy" / "prometheus.yml"
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace("# authorization", "authorization"), encoding="utf-8")
    for command in others:
        run(project, "bash", "-c", command)
    with pytest.raises(HTTPError, match="401"):
        get(f"{SERVER}/v1/predict", {})
    request = Request(f"{SERVER}/v1/overview", headers={"X-API-Key": key})
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200
    wait_for(lambda: query('up{job="api"} == 1'))


def test_each_alert_fires_when_it_should(project: Path) -> None:
    path = project / "deploy" / "test.json"
    path.write_text(json.dumps(alert_tests()), encoding="utf-8")
    folder = ("--env=TMPDIR=/prometheus", "prometheus")  # which it can write to
    promtool = ("promtool", "test", "rules", "/etc/prometheus/test.json")
    run(project, "docker", "compose", "exec", "--no-TTY", *folder, *promtool)


@pytest.mark.usefixtures("project")
def test_server_is_small_and_has_no_training_library() -> None:
    sizes = [int(docker("image", "inspect", "--format={{.Size}}", i)) for i in (SERVE, BASE)]
    assert sizes[0] - sizes[1] < 240e6  # `inspection`, which adds Pillow, has 16 MB more
    names = ["fastapi", "mlflow", "polars", "sklearn"]
    code = f"from importlib.util import find_spec; print(*filter(find_spec, {names}))"
    assert docker("run", "--rm", "--entrypoint=python", SERVE, "-c", code) == "fastapi"


def test_baked_image_needs_no_rights_and_stops_gracefully(project: Path) -> None:
    run(project, "docker", "compose", "cp", "api:/models", "store")
    run(project, "make", "image", "MODEL=baked")
    command = commands(project)[-1]
    run(project, "bash", "-c", command.replace("docker run", f"docker run {NO_SHELL}"))
    try:
        health = ("inspect", "--format={{.State.Health.Status}}", SLUG)
        wait_for(lambda: docker(*health) == "healthy", seconds=60)
        assert ask("http://127.0.0.1:8081")[1]["predictions"]
        docker("stop", SLUG)
        end = docker("inspect", "--format={{.State.ExitCode}} {{.State.OOMKilled}}", SLUG)
        assert end == "0 false"
    finally:
        docker("rm", "--force", SLUG)


def test_sbom_has_all_packages_of_the_image(project: Path) -> None:
    run(project, "make", "sbom")
    listed = json.loads((project / "build" / "serve.json").read_text(encoding="utf-8"))
    names = {component["name"] for component in listed["components"]}
    code = "from importlib.metadata import distributions as d; print(*(x.name for x in d()))"
    packages = docker("run", "--rm", "--entrypoint=python", SERVE, "-c", code).split()
    assert {*packages, "libc6"} <= names


def test_scan_finds_secrets_and_needs_its_database(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVY_DB_REPOSITORY", "127.0.0.1:1/none")
    assert "failed to download vulnerability DB" in run(project, "make", "scan", code=2)
    (project / "src" / "leak.py").write_text(f'KEY = "AKIA{"Q2W3" * 4}"', encoding="utf-8")
    assert "AWS Access Key ID" in run(project, "make", "scan", code=2)
