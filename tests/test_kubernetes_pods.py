"""Pods of the overlay `dev` in podman: a job trains, the server answers and is replaced.

Podman runs pods without a cluster. Here, the test has the tasks of one: it looks whether pods are
ready, and sends requests to those that are, as a service does.
"""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml
from conftest import PROGRAM, TEMPLATE, bake_from
from demo import ask, get
from engine import docker, running_engine, tools_environment
from machine import require, wait_for
from test_kubernetes import Manifest, render

pytestmark = pytest.mark.projects
USE_CASE = "fraud"


class Podman:
    """Runs podman with its data in a folder."""

    def __init__(self, folder: Path) -> None:
        program = require("podman", "the tests run pods")
        for name in ("catatonit", "nft", "runc"):
            require(name, "podman needs it")
        state = (f"--root={folder}/root", f"--runroot={folder}/run", f"--tmpdir={folder}/state")
        network = f"--network-config-dir={folder}/networks"
        self.command = (program, *state, network, "--runtime=runc")
        self.folder = folder

    def run(self, *arguments: str | Path) -> str:
        """Run podman and return its output; fail with its errors."""
        environment = {**tools_environment(), "PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}
        done = subprocess.run(
            [*self.command, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.returncode == 0, f"podman {arguments}\n{done.stderr[-5000:]}"
        return done.stdout.strip()

    def play(self, *manifests: Manifest) -> None:
        """Start what manifests describe."""
        path = self.folder / "manifests.yaml"
        path.write_text(yaml.safe_dump_all(manifests), encoding="utf-8")
        self.run("kube", "play", path)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return the state of a container."""
        (found,) = yaml.safe_load(self.run("inspect", container))
        return dict(found)

    def address(self, pod: str) -> str:
        """Return the address of the server in a pod."""
        infra = self.run("pod", "inspect", "--format={{.InfraContainerID}}", pod)
        (network,) = self.inspect(infra)["NetworkSettings"]["Networks"].values()
        return f"http://{network['IPAddress']}:8000"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate a project that trains in seconds."""
    project = bake_from(
        TEMPLATE,
        tmp_path_factory.mktemp("pods"),
        use_case=USE_CASE,
        kubernetes="yes",
        project_slug="pods",
        python_version="3.13",
    )
    shutil.copy(PROGRAM / "tests" / USE_CASE / "tiny.toml", project / "params.toml")
    return project


@pytest.fixture(scope="module")
def manifests(project: Path) -> list[Manifest]:
    """Return the manifests of `dev`."""
    folder = project / "deploy" / "kubernetes"
    return [*render(folder / "namespace"), *render(folder / "overlays" / "dev")]


@pytest.fixture(scope="module")
def podman(
    project: Path,
    manifests: list[Manifest],
    tmp_path_factory: pytest.TempPathFactory,
    engine_folder: Path,
) -> Iterator[Podman]:
    """Build the images, and train a champion with the job `pipeline`."""
    podman = Podman(tmp_path_factory.mktemp("podman"))
    with running_engine(engine_folder, []):
        for name in ("serve", "train"):
            image, archive = f"pods-{name}", podman.folder / "image.tar"
            docker("build", "--quiet", f"--target={name}", f"--tag={image}", project)
            docker("save", f"--output={archive}", image)
            podman.run("load", "--quiet", f"--input={archive}")
            archive.unlink()
    try:
        podman.play(*settings(manifests), job("pipeline", manifests))
        wait_for(lambda: podman.inspect("pipeline-pod-ml")["State"]["Status"] == "exited")
        assert podman.inspect("pipeline-pod-ml")["State"]["ExitCode"] == 0
        yield podman
    finally:
        podman.run("pod", "rm", "--all", "--force", "--time=0")
        podman.run("system", "reset", "--force")


def settings(manifests: list[Manifest]) -> list[Manifest]:
    """Return the settings and the volume of pods."""
    return [m for m in manifests if m["kind"] in {"ConfigMap", "Secret", "PersistentVolumeClaim"}]


def job(name: str, manifests: list[Manifest]) -> Manifest:
    """Return what `kubectl create job --from=cronjob/<name>` creates."""
    (cron,) = (m for m in manifests if m["kind"] == "CronJob" and m["metadata"]["name"] == name)
    template = cron["spec"]["jobTemplate"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, **template}


def start_server(name: str, podman: Podman, manifests: list[Manifest]) -> str:
    """Start a pod of the deployment under a name; return its address when it is ready."""
    (deployment,) = (m for m in manifests if m["kind"] == "Deployment")
    podman.play(*settings(manifests), {**deployment, "metadata": {"name": name}})
    address = podman.address(f"{name}-pod")
    wait_for(lambda: is_ready(address))
    return address


def is_ready(address: str) -> bool:
    """Return whether the readiness probe of a pod succeeds."""
    try:
        return bool(get(f"{address}/readyz")["status"] == "ready")
    except URLError:
        return False


def test_pods_have_the_rights_of_the_manifest(podman: Podman, manifests: list[Manifest]) -> None:
    start_server("rights", podman, manifests)
    found = podman.inspect("rights-pod-server")
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert not found["EffectiveCaps"]
    assert found["HostConfig"]["Memory"] == 512 * 2**20
    assert found["Config"]["User"] == "10001:10001"
    podman.run("pod", "rm", "--force", "rights-pod")


def test_image_answers_the_requests_of_platforms(podman: Podman) -> None:
    # SageMaker starts it as `docker run <image> serve`, on port 8080. Others use the same routes:
    # Azure ML those of its deployment.yml, Vertex AI those of its command.
    options = ("--env=SERVE_PORT=8080", "--env=SERVE_KEYS=off", "--env=MODEL_STORE=/data/store")
    run = ("run", "--detach", "--name=sagemaker", "--network=podman-default-kube-network")
    podman.run(*run, "--volume=project:/data", *options, "pods-serve", "serve")
    (network,) = podman.inspect("sagemaker")["NetworkSettings"]["Networks"].values()
    address = f"http://{network['IPAddress']}:8080"
    wait_for(lambda: is_ready(address))
    with urlopen(f"{address}/ping", timeout=10) as answer:
        assert answer.status == 200
    instances = ask(address)[0]["instances"]
    for parameters in ({}, {"parameters": {"top": 1}}):  # of Vertex AI
        body = {"instances": instances, **parameters}
        assert len(get(f"{address}/invocations", body)["predictions"]) == len(instances)
    name = get(f"{address}/v1/models")["models"][0]  # of KServe
    assert get(f"{address}/v1/models/{name}:predict", {"instances": instances})["predictions"]
    podman.run("rm", "--force", "--time=0", "sagemaker")


def test_killed_server_comes_back(podman: Podman, manifests: list[Manifest]) -> None:
    address = start_server("killed", podman, manifests)
    process = podman.inspect("killed-pod-server")["State"]["Pid"]
    os.kill(process, signal.SIGKILL)
    wait_for(lambda: podman.inspect("killed-pod-server")["State"]["Pid"] not in {0, process})
    wait_for(lambda: is_ready(address))
    assert ask(address)[1]["model_version"] == "1"
    podman.run("pod", "rm", "--force", "killed-pod")


def test_no_request_fails_while_pods_are_replaced(
    podman: Podman, manifests: list[Manifest]
) -> None:
    ready = [start_server("server-0", podman, manifests)]
    (grace,) = (
        manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for manifest in manifests
        if manifest["kind"] == "Deployment"
    )
    ended = threading.Event()
    answers: list[bool | OSError] = []

    def send() -> None:
        while not ended.is_set():
            address = random.choice(ready)  # noqa: S311
            try:
                answers.append(bool(ask(address)[1]["predictions"]))
            except OSError as error:
                answers.append(error)

    clients = [threading.Thread(target=send) for _ in range(4)]
    for client in clients:
        client.start()
    for number in range(1, 4):
        ready.append(start_server(f"server-{number}", podman, manifests))
        ready.pop(0)
        time.sleep(1)  # of the hook `preStop`: nothing new is sent to the old pod
        podman.run("stop", f"--time={grace}", f"server-{number - 1}-pod-server")
        state = podman.inspect(f"server-{number - 1}-pod-server")["State"]
        assert state["ExitCode"] == 0
    ended.set()
    for client in clients:
        client.join()
    assert answers.count(True) == len(answers) > 100
