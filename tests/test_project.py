"""A generated project at work: with the network after its install, and then without.

One project of each use case is made; the tests run with it in the order in which they stand.
"""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE, USE_CASES, bake_from, require
from demo import ask, environment, running_python, serving

PAPERS = [Path("README.md"), Path("docs", "serve.md"), Path("CONTRIBUTING.md")]
SERVES = re.compile(r"^(make serve|(\w+=\S+ )*uv run ml serve)\b")
PUBLIC_ADDRESS = "1.1.1.1"


def run(project: Path, *command: str) -> str:
    """Run a command of the project and give what it prints; fail with that if it fails."""
    done = subprocess.run(
        command,
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


def without_network(*command: str) -> tuple[str, ...]:
    """Give the command that runs another where loopback is the only network.

    The namespace has its own processes too: what the command starts ends with it.
    """
    require("unshare", "it cuts the network (package util-linux)")
    require("ip", "it brings loopback up (package iproute2)")
    alone = ("--net", "--pid", "--fork", "--kill-child", "--mount-proc")
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    loopback = 'ip link set lo up && exec "$@"'
    return ("unshare", *user, *alone, "sh", "-c", loopback, "sh", *command)


def commands_of(paper: str) -> list[str]:
    """Give the lines of the bash blocks of a paper."""
    blocks = re.findall(r"^```bash\n(.*?)^```", paper, re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def script_of(commands: list[str]) -> str:
    """Give a script that runs commands one by one; a server runs beside the commands after it."""
    ready = "curl --silent --fail --output /dev/null http://127.0.0.1:8000/readyz"
    wait = f"for i in $(seq 300); do {ready} && break; sleep 0.1; done; {ready}"
    lines = ["set -euo pipefail"]
    for command in commands:
        lines.append(f"echo {shlex.quote(f'$ {command}')}")
        lines += [f"{command} &", wait] if SERVES.match(command) else [command]
    return "\n".join(lines)


@pytest.fixture(scope="session", params=USE_CASES)
def use_case(request: pytest.FixtureRequest) -> str:
    """Give each use case: all tests run with the first, then all with the second, and so on."""
    return str(request.param)


@pytest.fixture(scope="session")
def project(use_case: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installed project with default answers on the running Python."""
    folder = tmp_path_factory.mktemp(use_case)
    made = bake_from(TEMPLATE, folder, use_case=use_case, python_version=running_python())
    run(made, "make", "install")
    return made


def test_environment_is_of_the_chosen_python(project: Path) -> None:
    version = run(project, "uv", "run", "python", "--version")
    assert version.startswith(f"Python {running_python()}.")


def test_server_needs_few_packages(project: Path) -> None:
    serving_set = ("uv", "export", "--quiet", "--no-default-groups", "--no-hashes", "--no-annotate")
    locked = [line for line in run(project, *serving_set).splitlines() if "==" in line]
    packages = {line.partition("==")[0] for line in locked}  # one may differ by Python
    assert len(packages) <= 35
    assert not packages & {"mlflow", "polars", "scikit-learn"}


def test_cut_is_real(project: Path) -> None:
    probe = (
        "import socket; print([name for _, name in socket.if_nameindex()]); "
        f"socket.create_connection(('{PUBLIC_ADDRESS}', 443), timeout=5)"
    )
    command = without_network(sys.executable, "-c", probe)
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['lo']"
    assert "Network is unreachable" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as outside:  # loopback is not shared either
        port = outside.getsockname()[1]
        refused = f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=5)"
        command = without_network(sys.executable, "-c", refused)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ConnectionRefusedError" in done.stderr


def test_check_passes_on_a_fresh_project(project: Path) -> None:
    said = run(project, "make", "check")
    assert said.count("Passed") >= 6
    assert "Failed" not in said


def test_pipeline_is_quiet_when_asked(project: Path) -> None:
    assert run(project, "uv", "run", "ml", "pipeline", "--quiet") == ""
    report = json.loads((project / "reports" / "pipeline.json").read_text())
    assert list(report["stages"]) == ["data", "train", "evaluate", "promote"]
    assert report["champion"]["version"] == 1
    assert all(score["model"] != score["naive"] for score in report["scores"])


def test_server_answers_its_own_example(project: Path) -> None:
    with serving(project) as url:
        example, answer = ask(url)
    assert len(answer["predictions"]) == len(example["instances"])
    assert str(answer["model_version"]) == "1"


def test_no_server_survives_an_interruption(project: Path) -> None:
    with pytest.raises(KeyboardInterrupt), serving(project) as url:
        raise KeyboardInterrupt
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))


def test_stages_leave_the_repository_clean(project: Path, use_case: str, tmp_path: Path) -> None:
    fresh = bake_from(TEMPLATE, tmp_path, use_case=use_case)
    run(project, "git", "add", "--all")
    written = run(project, "git", "diff", "--cached", "--name-only").split()
    baked = {str(path.relative_to(fresh)) for path in fresh.rglob("*") if path.is_file()}
    assert set(written) - baked <= {"uv.lock"}


def test_everything_runs_without_network(project: Path) -> None:
    demo = str(TEMPLATE / "tests" / "demo.py")
    said = run(project, *without_network(sys.executable, demo, "--project", str(project)))
    assert "Champion: version" in said


@pytest.mark.parametrize("paper", PAPERS, ids=str)
def test_commands_of_a_paper_run_without_network(paper: Path, project: Path) -> None:
    require("curl", "a paper asks the server with it")
    commands = commands_of((project / paper).read_text())
    assert commands
    run(project, *without_network("bash", "-c", script_of(commands)))


def test_commands_of_the_template_readme_run_on_a_fresh_machine(copied_template: Path) -> None:
    commands = commands_of((copied_template / "README.md").read_text())
    commands.remove("make test")  # this very run
    folders = [
        folder for folder in os.environ["PATH"].split(":") if not Path(folder, "uv").exists()
    ]
    fresh = f"export PATH={shlex.quote(':'.join(folders))}"
    said = run(copied_template, "bash", "-c", "\n".join([fresh, *commands]))
    assert (copied_template / ".uv" / "bin" / "uv").is_file()
    assert "Champion: version 1" in said
    assert (copied_template / "build" / "card-fraud-detection" / "reports").is_dir()
