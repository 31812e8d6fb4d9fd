"""The Dask cluster of the option `kubernetes`: who reaches it, and that its commands work."""

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
from test_kubernetes import TOOLS, Manifest, pods, render

from project_package.errors import Unavailable
from project_package.lifecycle.cluster import open_cluster
from project_package.settings import Settings

COMPONENT = "app.kubernetes.io/component"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate a project; return its folder of manifests."""
    folder = tmp_path_factory.mktemp("cluster")
    return bake_from(TEMPLATE, folder, kubernetes="yes") / "deploy" / "kubernetes"


@pytest.fixture(scope="module")
def manifests(folder: Path) -> list[Manifest]:
    """Return the manifests of the overlay `cluster`."""
    return render(folder / "overlays" / "cluster")


def find(kind: str, name: str, manifests: list[Manifest]) -> Manifest:
    """Return the manifest of a kind with a name."""
    (found,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return found


def container(name: str, manifests: list[Manifest]) -> Manifest:
    """Return the container of a kind of pod."""
    (found,) = pods(manifests)[name]["containers"]
    return dict(found)


def ports_by_sender(name: str, manifests: list[Manifest]) -> dict[str, set[int]]:
    """Return who may reach a component, by its component, and on which ports."""
    named = {
        port["name"]: port["containerPort"]
        for port in container(f"Deployment {name}", manifests)["ports"]
    }
    allowed: dict[str, set[int]] = {}
    for policy in (m["spec"] for m in manifests if m["kind"] == "NetworkPolicy"):
        if policy["podSelector"].get("matchLabels", {COMPONENT: name}) != {COMPONENT: name}:
            continue
        for rule in policy.get("ingress", ()):
            for sender in rule["from"]:
                assert sender.keys() == {"podSelector"}  # of this namespace
                component = sender["podSelector"]["matchLabels"][COMPONENT]
                ports = {named.get(port["port"], port.get("endPort")) for port in rule["ports"]}
                allowed[component] = allowed.get(component, set()) | ports
    return allowed


def test_only_pods_of_the_cluster_and_commands_reach_it(manifests: list[Manifest]) -> None:
    own = {8788, 8789}
    assert ports_by_sender("scheduler", manifests) == {"train": {8786}, "worker": {8786}}
    of_worker = ports_by_sender("worker", manifests)
    assert of_worker == {"scheduler": own, "worker": own | {65535}}  # those of XGBoost
    everyone = find("NetworkPolicy", "default", manifests)["spec"]
    assert everyone["podSelector"] == {}
    assert "Ingress" in everyone["policyTypes"]
    assert "ingress" not in everyone


def test_labels_of_pods_are_those_of_the_policies(manifests: list[Manifest]) -> None:
    for name in ("scheduler", "worker"):
        template = find("Deployment", name, manifests)["spec"]["template"]
        assert template["metadata"]["labels"][COMPONENT] == name
    for name in ("pipeline", "retrain", "predict"):
        template = find("CronJob", name, manifests)["spec"]["jobTemplate"]["spec"]["template"]
        assert template["metadata"]["labels"][COMPONENT] == "train"


def test_commands_have_the_settings_of_the_cluster(manifests: list[Manifest]) -> None:
    (port,) = find("Service", "scheduler", manifests)["spec"]["ports"]
    for name in ("pipeline", "retrain", "predict"):
        pod = pods(manifests)[f"CronJob {name}"]
        (ml,) = pod["containers"]
        values = {variable["name"].lower(): variable["value"] for variable in ml["env"]}
        assert values.keys() <= Settings.model_fields.keys()
        assert Settings(**values).cluster == f"tls://scheduler:{port['port']}"
        files = (values["cluster_ca"], values["cluster_cert"], values["cluster_key"])
        assert [Path(file).name for file in files] == ["ca.crt", "tls.crt", "tls.key"]
        mounts = {mount["mountPath"]: mount["name"] for mount in ml["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        secrets = {
            volumes[mounts[str(Path(file).parent)]]["secret"]["secretName"] for file in files
        }
        assert secrets == {"cluster"}
    assert "env" not in container("CronJob monitor", manifests)


def test_worker_has_what_commands_have(manifests: list[Manifest]) -> None:
    worker = container("Deployment worker", manifests)
    ml = container("CronJob pipeline", manifests)
    assert (worker["image"], worker["envFrom"]) == (ml["image"], ml["envFrom"])
    theirs, ours = (sorted(c["volumeMounts"], key=str) for c in (worker, ml))
    assert theirs == ours
    names = ("Deployment worker", "CronJob pipeline")
    assert len({str(sorted(pods(manifests)[n]["volumes"], key=str)) for n in names}) == 1


def test_scheduler_and_workers_have_limits(manifests: list[Manifest]) -> None:
    for name in ("scheduler", "worker"):
        resources = container(f"Deployment {name}", manifests)["resources"]
        assert resources["requests"].keys() == resources["limits"].keys() == {"cpu", "memory"}


def test_other_overlays_have_no_cluster(folder: Path) -> None:
    for name in ("dev", "prod", "canary", "kserve"):
        text = str(render(folder / "overlays" / name))
        assert "CLUSTER" not in text
        assert "scheduler" not in text


def test_image_of_training_has_the_library(folder: Path, tmp_path: Path) -> None:
    other = bake_from(TEMPLATE, tmp_path, kubernetes="no")
    for project, count in ((folder.parent.parent, 2), (other, 0)):
        assert (project / "Dockerfile").read_text().count("--extra cluster") == count


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
    require("openssl", "the page makes certificates with it")
    (folder / "own").mkdir()
    commands = re.findall("^ *(openssl .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command.split(), cwd=folder, capture_output=True, check=True)


@pytest.fixture(scope="module")
def cluster(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run a scheduler and two workers, with the certificates of the page."""
    here = tmp_path_factory.mktemp("processes")
    make_certificates(folder / "README.md", here)
    with ExitStack() as stack:
        cluster = Cluster(folder / "README.md", here, stack)
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


def test_certificate_of_another_authority_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    make_certificates(cluster.page, tmp_path)
    own = tmp_path / "own"
    other = {"cluster_cert": f"{own}/tls.crt", "cluster_key": f"{own}/tls.key"}
    with (
        pytest.raises(Unavailable, match="does not answer"),
        open_cluster(settings_of(cluster).model_copy(update=other)),
    ):
        pass


def test_pages_are_on_loopback_only(manifests: list[Manifest]) -> None:
    for name in ("scheduler", "worker"):
        command = container(f"Deployment {name}", manifests)["command"]
        assert {"--no-dashboard", "--dashboard-address=127.0.0.1:8787"} <= {*command}


def test_worker_that_has_to_stop_ends_in_time(cluster: Cluster) -> None:
    grace = pods(cluster.manifests)["Deployment worker"]["terminationGracePeriodSeconds"]
    cluster.workers[0].terminate()
    assert cluster.workers[0].wait(timeout=grace) == 0
    with open_cluster(settings_of(cluster)) as runs:
        assert [*runs(False)(abs, range(-4, 0))] == [4, 3, 2, 1]
