"""The manifests of the option `kubernetes` are valid, consistent, and without known risks."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ANSWERS, TEMPLATE, bake_from
from trivy import severe_risks

VERSIONS = ("1.30", "1.34")
OVERLAYS = ("dev", "prod", "canary", "cluster", "kserve")
TOOLS = Path(sys.executable).parent
Manifest = dict[str, Any]


@pytest.fixture(scope="module", params=ANSWERS["cloud"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate a project for each cloud; return its folder of manifests."""
    answers = {"use_case": "fraud", "kubernetes": "yes", "cloud": request.param}
    project = bake_from(TEMPLATE, tmp_path_factory.mktemp(request.param), False, **answers)
    return project / "deploy" / "kubernetes"


def run(*command: str | Path) -> str:
    """Run a tool and return its output; fail with its errors."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def render(folder: Path) -> list[Manifest]:
    """Return the manifests of a folder, as kubectl would apply them."""
    return [*yaml.safe_load_all(run(TOOLS / "kubectl", "kustomize", folder))]


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return the specification of each kind of pod, by what makes it."""
    found = {}
    for manifest in manifests:
        spec = manifest.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        pod = spec.get("template", {}).get("spec") or spec.get("predictor")
        if pod:
            found[f"{manifest['kind']} {manifest['metadata']['name']}"] = pod
    return found


def as_pod(service: Manifest) -> Manifest:
    """Return the pod of an InferenceService, which has its fields and four of KServe."""
    scaling = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"}
    predictor = service["spec"]["predictor"]
    assert scaling <= predictor.keys()
    spec = {key: value for key, value in predictor.items() if key not in scaling}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": service["metadata"], "spec": spec}


def with_pods(manifests: list[Manifest]) -> list[Manifest]:
    """Return manifests of which Kubernetes itself knows each."""
    return [as_pod(m) if m["kind"] == "InferenceService" else m for m in manifests]


def is_valid(manifests: list[Manifest], version: str, path: Path) -> bool:
    """Return whether the schemas of a Kubernetes version allow manifests, without other fields."""
    path.write_text(yaml.safe_dump_all(with_pods(manifests)), encoding="utf-8")
    options = ("--strict", "--kubernetes-version", version)
    command = (TOOLS / "kubernetes-validate", *options, path)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("path", ["namespace", *(f"overlays/{name}" for name in OVERLAYS)])
def test_manifests_are_valid(path: str, folder: Path, tmp_path: Path) -> None:
    manifests = render(folder / path)
    for version in VERSIONS:
        assert is_valid(manifests, version, tmp_path / "manifests.yaml")
    manifests[-1]["metadata"]["tags"] = {}
    assert not is_valid(manifests, version, tmp_path / "misspelt.yaml")


def test_pods_have_no_severe_risk(folder: Path, tmp_path: Path) -> None:
    for name in OVERLAYS:
        known = with_pods(render(folder / "overlays" / name))
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(known), encoding="utf-8")
    assert not severe_risks(tmp_path)
    pod = pods(render(folder / "overlays" / "prod"))["Deployment server"]
    del pod["containers"][0]["securityContext"]
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "open"}, "spec": pod}
    (tmp_path / "open.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")
    assert severe_risks(tmp_path)


def test_manifests_of_the_page_about_large_data_are_valid(tmp_path: Path) -> None:
    text = (TEMPLATE / "{{cookiecutter.project_slug}}/docs/task.sessions.md").read_text("utf-8")
    (block,) = re.findall("```yaml\n(apiVersion.*?)```", text, re.DOTALL)
    manifests = [*yaml.safe_load_all(block.replace("{{ cookiecutter.project_slug }}", "shop"))]
    for version in VERSIONS:
        assert is_valid(manifests, version, tmp_path / "manifests.yaml")
    assert not severe_risks(tmp_path)
    (pod,) = pods(manifests).values()
    assert "torchrun" in pod["containers"][0]["command"]


def references(pod: Manifest) -> set[tuple[str, str]]:
    """Return the kinds and names of what a pod refers to."""
    found = {("ServiceAccount", pod["serviceAccountName"])}
    for source in (s for container in pod["containers"] for s in container.get("envFrom", ())):
        ((kind, reference),) = source.items()
        found.add(({"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind], reference["name"]))
    for volume in pod["volumes"]:
        if "secret" in volume:
            found.add(("Secret", volume["secret"]["secretName"]))
        if "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            found.add(("PersistentVolumeClaim", claim))
    return found


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_pods_refer_to_exists_or_is_a_documented_secret(name: str, folder: Path) -> None:
    manifests = render(folder / "overlays" / name)
    beside = [folder / "namespace", *([folder / "overlays" / "prod"] if name == "canary" else [])]
    others = [manifest for path in beside for manifest in render(path)]
    known = {(m["kind"], m["metadata"]["name"]) for m in (*manifests, *others)}
    text = (folder / "README.md").read_text(encoding="utf-8")
    secrets = ("cluster", "keys", "settings", "training")
    known |= {("Secret", made) for made in secrets if f"generic {made} " in text}
    used = set().union(*map(references, pods(manifests).values()))
    assert ("ServiceAccount", "server") in used
    assert not used - known


def test_service_sends_to_each_track_but_deployments_are_apart(folder: Path) -> None:
    prod, canary = (render(folder / "overlays" / name) for name in ("prod", "canary"))
    (service,) = (m for m in prod if (m["kind"], m["metadata"]["name"]) == ("Service", "server"))
    selector = service["spec"]["selector"].items()
    found = [m for m in (*prod, *canary) if m["metadata"]["name"].startswith("server")]
    stable, other = (m["spec"] for m in found if m["kind"] == "Deployment")
    assert selector <= stable["template"]["metadata"]["labels"].items()
    assert selector <= other["template"]["metadata"]["labels"].items()
    assert stable["selector"] != other["selector"]
    images = [spec["template"]["spec"]["containers"][0]["image"] for spec in (stable, other)]
    assert images[0] != images[1]


def test_changed_setting_starts_new_pods(folder: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(folder, tmp_path / "kubernetes")
    with (changed / "overlays/prod/settings/config.env").open("a", encoding="utf-8") as file:
        file.write("LOG_DAYS=30\n")
    names = [
        pods(render(path / "overlays" / "prod"))["Deployment server"]["containers"][0]["envFrom"]
        for path in (folder, changed)
    ]
    assert names[0] != names[1]


def test_kserve_runs_the_pod_of_prod(folder: Path) -> None:
    overlays = (render(folder / "overlays" / name) for name in ("prod", "kserve"))
    ours, theirs = (
        pod
        for manifests in overlays
        for name, pod in pods(manifests).items()
        if name.startswith(("Deployment server", "InferenceService"))
    )
    (server,), (container,) = ours.pop("containers"), theirs.pop("containers")
    del server["name"], container["name"], container["ports"][0]["protocol"]
    assert container == server
    spread = ours.pop("topologySpreadConstraints")  # which depends on the labels of the pods
    assert spread
    assert {**theirs, **ours} == theirs


def test_each_pod_has_the_identity_of_azure(folder: Path) -> None:
    label = "azure.workload.identity/use"
    for name in OVERLAYS[1:]:
        for manifest in render(folder / "overlays" / name):
            if pods([manifest]):
                text = json.dumps(manifest)
                assert (label in text) is ("azure" in str(folder))


def test_commands_of_the_page_lack_only_a_cluster(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "deploy").symlink_to(folder.parent)
    (tmp_path / "own").mkdir()
    own = ("settings.env", "training.env", "ca.crt", "tls.crt", "tls.key")
    for name in ("keys.json", *(f"own/{file}" for file in own)):
        (tmp_path / name).write_text("NAME=value\n", encoding="utf-8")
    cluster = {"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}  # nothing listens
    context = {"name": "none", "context": {"cluster": "none", "user": ""}}
    config = {"current-context": "none", "clusters": [cluster], "contexts": [context]}
    (tmp_path / "config").write_text(yaml.safe_dump(config), encoding="utf-8")
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "KUBECONFIG": str(tmp_path / "config")}
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line.strip() for line in lines if line.strip().startswith("kubectl ")]
    assert len(commands) > 10
    for command in commands:
        bash = ["bash", "-o", "pipefail", "-c", command]
        done = subprocess.run(
            bash, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        refused = re.search("127.0.0.1:1( was|:.*connection) refused", done.stderr)
        assert refused or done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", ["deploy", "undeploy"])
def test_targets_need_an_overlay(target: str, folder: Path) -> None:
    for arguments in ([], ["TO=nowhere"]):
        done = subprocess.run(
            ["make", target, *arguments],
            cwd=folder.parent.parent,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "TO=dev, prod, canary, cluster or kserve" in done.stderr
