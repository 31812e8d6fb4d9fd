"""What a project requires has wheels for each system and Python that the README names."""

import subprocess
from pathlib import Path

import pytest
from conftest import ANSWERS, TEMPLATE, USE_CASES, bake_from
from demo import environment

SYSTEMS = {
    "x86_64-manylinux_2_28": {},
    "aarch64-manylinux_2_28": {},
    "aarch64-apple-darwin": {"MACOSX_DEPLOYMENT_TARGET": "14.0"},
    "x86_64-pc-windows-msvc": {},
}
PYTHONS = ANSWERS["python_version"]


def uv(folder: Path, *arguments: str, **variables: str) -> str:
    """Run uv and return its output; fail with what it reports."""
    done = subprocess.run(
        ["uv", *arguments],
        cwd=folder,
        env=environment() | variables,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=USE_CASES)
def locked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate a project and write the versions that `make install` locks to versions.txt."""
    folder = tmp_path_factory.mktemp("locked")
    project = bake_from(TEMPLATE, folder, use_case=request.param)
    uv(project, "lock", "--quiet")
    export = ("export", "--quiet", "--all-extras", "--no-hashes", "--no-emit-project")
    (project / "versions.txt").write_text(uv(project, *export), encoding="utf-8")
    return project


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_wheels_exist(system: str, python: str, locked: Path) -> None:
    target = ("--python-platform", system, "--python-version", python)
    resolve = ("pip", "compile", "--quiet", "--no-deps", "--only-binary", ":all:", "versions.txt")
    assert "onnxruntime==" in uv(locked, *resolve, *target, **SYSTEMS[system])


@pytest.mark.slow
def test_all_pythons_get_the_same_versions(locked: Path) -> None:
    versions = (locked / "versions.txt").read_text(encoding="utf-8")
    pins = [line.partition("==")[0] for line in versions.splitlines() if "==" in line]
    assert len(pins) == len(set(pins))
