"""Scheduler and workers of the option `kubernetes` run: their commands, probes, certificates."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import TEMPLATE, bake_from
from machine import require, wait_for
from test_kubernetes import TOOLS, pods, render
from test_kubernetes_cluster import container

from project_package.errors import Unavailable
from project_package.lifecycle.cluster import open_cluster
from project_package.settings import Settings


class Cluster:
    """A scheduler and two workers with the commands of the manifests, as processes."""

    def __init__(self, page: Path, folder: Path, stack: ExitStack) -> None:
        self.page = page
        self.manifests = render(page.parent / "overlays" / "cluster")
        self.workers: list[subprocess.Popen[bytes]] = []
        self.folder = folder
        self.stack = stack
        self.port = free_port()
        self.health = [free_port() for _ in range(3)]

    def here(self, arguments: Sequence[str], health: int) -> list[str]:
        """Return a command of a pod with the addresses and files of this machine."""
        changed = {
            "/certificates": str(self.folder / "own"),
            "127.0.0.1:8787": f"127.0.0.1:{health}",
            "tls://scheduler:8786": f"tls://127.0.0.1:{self.port}",
            "--port=8786": f"--port={self.port}",
            "--worker-port=8788": "--worker-port=0",
            "--nanny-port=8789": "--nanny-port=0",
        }
        pattern = re.compile("|".join(map(re.escape, changed)))
        return [pattern.sub(lambda found: changed[found[0]], a) for a in arguments]

    def start(self, name: str, health: int) -> "subprocess.Popen[bytes]":
        """Start a pod's command, on loopback."""
        program, *arguments = container(f"Deployment {name}", self.manifests)["command"]
        python = [sys.executable, "-m", program]
        command = [*python, *self.here(arguments, health), "--host=127.0.0.1"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        log = self.stack.enter_context((self.folder / f"{name}-{health}.log").open("wb"))
        process = subprocess.Popen(command, cwd=self.folder, env=environment, stderr=log)
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)
        return process

    def is_healthy(self, name: str, health: int) -> bool:
        """Return whether the startup probe of a pod succeeds."""
        probe = container(f"Deployment {name}", self.manifests)["startupProbe"]
        python, *arguments = self.here(probe["exec"]["command"], health)
        command = [str(TOOLS / python), *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def free_port() -> int:
    """Return a port of loopback on which nothing listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def make_certificates(page: Path, folder: Path) -> None:
    """Run the commands of the page that make certificates, in a folder."""
    openssl = require("openssl", "the page makes certificates with it")
    (folder / "own").mkdir()
    commands = re.findall("^ *openssl (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        subprocess.run([openssl, *command.split()], cwd=folder, capture_output=True, check=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run a scheduler and two workers, with the certificates of the page."""
    project = bake_from(TEMPLATE, tmp_path_factory.mktemp("project"), kubernetes="yes")
    page = project / "deploy" / "kubernetes" / "README.md"
    here = tmp_path_factory.mktemp("processes")
    make_certificates(page, here)
    with ExitStack() as stack:
        cluster = Cluster(page, here, stack)
        cluster.start("scheduler", cluster.health[0])
        wait_for(lambda: cluster.is_healthy("scheduler", cluster.health[0]))
        for health in cluster.health[1:]:
            cluster.workers.append(cluster.start("worker", health))
        for health in cluster.health[1:]:
            wait_for(partial(cluster.is_healthy, "worker", health))
        yield cluster


def settings_of(cluster: Cluster) -> Settings:
    """Return the settings of a command on this machine."""
    variables: list[dict[str, Any]] = container("CronJob pipeline", cluster.manifests)["env"]
    values = cluster.here([variable["value"] for variable in variables], 0)
    names = [variable["name"].lower() for variable in variables]
    return Settings(**dict(zip(names, values, strict=True)))


def test_certificates_and_commands_work(cluster: Cluster) -> None:
    with open_cluster(settings_of(cluster)) as runs:
        assert {*runs(False)(os.getenv, ["OMP_NUM_THREADS"] * 8)} == {"1"}


def test_certificates_pass_the_strict_check_of_python_3_13(cluster: Cluster) -> None:
    own = cluster.folder / "own"
    openssl = require("openssl", "it checks certificates")
    strict = f"verify -x509_strict -CAfile {own}/ca.crt {own}/tls.crt".split()
    done = subprocess.run([openssl, *strict], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_certificate_of_another_authority_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    make_certificates(cluster.page, tmp_path)
    own = tmp_path / "own"
    other = {"cluster_cert": f"{own}/tls.crt", "cluster_key": f"{own}/tls.key"}
    with (
        pytest.raises(Unavailable, match="does not answer"),
        open_cluster(settings_of(cluster).model_copy(update=other)),
    ):
        pass


def test_worker_that_has_to_stop_ends_in_time(cluster: Cluster) -> None:
    grace = pods(cluster.manifests)["Deployment worker"]["terminationGracePeriodSeconds"]
    cluster.workers[0].terminate()
    assert cluster.workers[0].wait(timeout=grace) == 0
    with open_cluster(settings_of(cluster)) as runs:
        assert [*runs(False)(abs, range(-4, 0))] == [4, 3, 2, 1]
