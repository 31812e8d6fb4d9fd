"""The Dask cluster of the option `kubernetes`: who reaches it, and what its pods have."""

from pathlib import Path

import pytest
from conftest import TEMPLATE, bake_from
from test_kubernetes import Manifest, pods, render

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
        for pod in pods(manifests).values()
        for port in pod["containers"][0].get("ports", ())
    }
    allowed: dict[str, set[int]] = {}
    for policy in (m["spec"] for m in manifests if m["kind"] == "NetworkPolicy"):
        if policy["podSelector"].get("matchLabels", {COMPONENT: name}) != {COMPONENT: name}:
            continue
        for rule in policy.get("ingress", ()):
            for sender in rule["from"]:
                assert sender.keys() == {"podSelector"}  # of this namespace
                component = sender["podSelector"]["matchLabels"][COMPONENT]
                ports = {named.get(port["port"], port["port"]) for port in rule["ports"]}
                ports |= {port["endPort"] for port in rule["ports"] if "endPort" in port}
                allowed[component] = allowed.get(component, set()) | ports
    return allowed


def test_only_pods_of_the_cluster_and_commands_reach_it(manifests: list[Manifest]) -> None:
    own = {8788, 8789}
    shared = {1024, 65535}  # any port, on which XGBoost listens
    of_scheduler = ports_by_sender("scheduler", manifests)
    assert of_scheduler == {"train": {8786}, "worker": {8786}}
    of_worker = ports_by_sender("worker", manifests)
    assert of_worker == {"train": {8788}, "scheduler": own, "worker": own | shared}
    assert ports_by_sender("train", manifests) == {"worker": shared}
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


def test_pages_are_on_loopback_only(manifests: list[Manifest]) -> None:
    for name in ("scheduler", "worker"):
        command = container(f"Deployment {name}", manifests)["command"]
        assert {"--no-dashboard", "--dashboard-address=127.0.0.1:8787"} <= {*command}
