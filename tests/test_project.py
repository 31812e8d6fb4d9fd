"""A generated project of each use case, installed and used: checked, trained, served.

`make test` runs those of the first use case, `make test-projects` the others. What the tests of the
program cover is not run again here, but for one use case (`make test-all`).
The tests of a class run in order, in one process: `--dist loadscope`.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from conftest import ANSWERS, TEMPLATE, USE_CASES, bake_from
from demo import ask, environment, get, running_python, serving
from documents import SERVES, commands_of, is_shown, script_of
from machine import offline, require, why_not_offline
from matrix import RUNS

DOCUMENTS = [Path("README.md"), Path("docs", "task.md"), Path("docs", "serve.md")]
RUN_BEFORE, STAGES = {"make install", "make pipeline"}, ("pipeline", "backfill")
"""Commands of the README that fixtures and earlier tests run."""


def run(project: Path, *command: str, code: int = 0) -> str:
    """Run a command of the project and return its output; fail with that on another exit code."""
    done = subprocess.run(
        command,
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == code, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="class")
def use_case(request: pytest.FixtureRequest) -> str:
    """Return the use case of the test's class."""
    return str(request.cls.use_case)


@pytest.fixture(scope="class")
def project(
    request: pytest.FixtureRequest, use_case: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Generate and install a project on the running Python; other answers are the defaults."""
    own = {"use_case": use_case, "python_version": running_python()}
    answers = {**request.cls.answers, **RUNS[use_case], **own}
    generated = bake_from(TEMPLATE, tmp_path_factory.mktemp(use_case), **answers)
    run(generated, "make", "install")
    return generated


@pytest.fixture(scope="class")
def trained(project: Path, use_case: str) -> Path:
    """Run the pipeline, without a network where that is possible."""
    for stage in STAGES if "events" in ANSWERS["_use_cases"][use_case]["parts"] else STAGES[:1]:
        command = ("uv", "run", "ml", stage, "--quiet")
        assert run(project, *(command if why_not_offline() else offline(*command))) == ""
    return project


@pytest.fixture
def curl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put curl on PATH."""
    (tmp_path / "curl").symlink_to(require("curl", "documents send requests with it"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


class ProjectTests:
    """What holds for a project of each use case."""

    use_case: str
    answers: ClassVar[Mapping[str, Any]] = {}
    """Answers other than the defaults, beside those of RUNS."""

    def test_environment_has_the_chosen_python(self, project: Path) -> None:
        version = run(project, "uv", "run", "python", "--version")
        assert version.startswith(f"Python {running_python()}.")

    def test_command_prints_the_version_of_the_project(self, project: Path) -> None:
        assert run(project, "uv", "run", "ml", "--version") == "0.1.0\n"

    def test_server_needs_few_packages(self, project: Path, use_case: str) -> None:
        served = ("--no-default-groups", "--no-hashes", "--no-annotate")
        locked = run(project, "uv", "export", "--quiet", *served).splitlines()
        # A set: a package is listed once for each version, and Pythons may need different ones.
        packages = {line.partition("==")[0] for line in locked if "==" in line}
        # tokenizers requires the client of the hub; LangChain, LangGraph and MCP fifty others.
        most = {"contracts": 50, "support": 100}
        assert len(packages) <= most.get(use_case, 40)
        assert not packages & {"mlflow", "polars", "scikit-learn"}

    def test_check_needs_no_git(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make, uv = shutil.which("make"), shutil.which("uv")
        assert make
        assert uv
        (tmp_path / "uv").symlink_to(uv)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("UV", raising=False)  # `uv run` sets it, and we would add its folder
        (project / ".git").rename(tmp_path / "git")
        try:
            output = run(project, make, "check")
        finally:
            (tmp_path / "git").rename(project / ".git")
        assert "0 broken" in output

    def test_hooks_pass_before_the_first_commit(self, project: Path) -> None:
        run(project, "git", "add", "--all")
        output = run(project, "uv", "run", "pre-commit", "run", "--all-files")
        config = (project / ".pre-commit-config.yaml").read_text(encoding="utf-8")
        assert output.count("Passed") == config.count("id: ")

    def test_pipeline_trains_a_champion(self, trained: Path) -> None:
        summary = json.loads((trained / "reports" / "pipeline.json").read_text())
        _, (goal, *_), champion = summary.values()
        assert champion["version"] == 1
        assert (goal["model"] > goal["naive"]) is goal["higher_is_better"]
        costs = [score for score in summary["scores"] if score["name"] == "cost"]
        assert all(cost["model"] < min(cost["baseline"], cost["naive"]) for cost in costs)

    def test_server_answers_its_own_example(self, trained: Path) -> None:
        with serving(trained) as url:
            example, answer = ask(url)
        assert len(answer["predictions"]) == len(example["instances"])
        assert str(answer["model_version"]) == "1"
        with pytest.raises(ConnectionRefusedError):  # it was stopped
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))

    def test_documents_name_every_route_and_refusal(self, trained: Path) -> None:
        page = (trained / "docs" / "serve.md").read_text(encoding="utf-8")
        with serving(trained) as url:
            paths = get(f"{url}/openapi.json")["paths"]
        operations = [operation for path in paths.values() for operation in path.values()]
        statuses = {status for operation in operations for status in operation["responses"]}
        assert not [word for word in {*paths, *statuses} - {"200"} if word not in page]

    def test_readme_shows_the_answer_to_its_request(self, trained: Path) -> None:
        readme = (trained / "README.md").read_text(encoding="utf-8")
        request, answer = re.findall(r"(?ms)--json '(.+?)'.+?^```json\n(.+?)\n```", readme)[0]
        with serving(trained) as url:
            received = get(f"{url}/v1/predict", json.loads(request))
        assert is_shown(json.loads(answer, parse_float=Decimal), received), received

    def test_stages_leave_the_repository_clean(
        self, trained: Path, use_case: str, tmp_path: Path
    ) -> None:
        answers = {**self.answers, **RUNS[use_case], "use_case": use_case}
        fresh = bake_from(TEMPLATE, tmp_path, **answers)
        run(trained, "git", "add", "--all")
        written = run(trained, "git", "diff", "--cached", "--name-only").split()
        baked = {str(path.relative_to(fresh)) for path in fresh.rglob("*") if path.is_file()}
        assert set(written) - baked <= {"uv.lock"}

    @pytest.mark.usefixtures("needs_namespaces", "curl")
    @pytest.mark.parametrize("document", DOCUMENTS, ids=str)
    def test_commands_of_a_document_run_offline(
        self, document: Path, trained: Path, use_case: str
    ) -> None:
        if document.name == "README.md" and use_case != USE_CASES[0]:
            pytest.skip("its commands are those of the first use case, and of docs/serve.md")
        commands = [c for c in commands_of((trained / document).read_text()) if c not in RUN_BEFORE]
        server = [] if any(map(SERVES.match, commands)) else ["make serve"]
        run(trained, *offline("bash", "-c", script_of([*server, *commands])))

    def test_contributing_names_targets_of_the_makefile(self, project: Path) -> None:
        commands = commands_of((project / "CONTRIBUTING.md").read_text())
        makefile = (project / "Makefile").read_text()
        assert commands
        targets = [command.split()[1] for command in commands]
        assert all(re.search(f"^{target}:", makefile, re.MULTILINE) for target in targets)

    @pytest.mark.slow
    def test_tests_pass_in_a_project(self, project: Path, use_case: str) -> None:
        if use_case != USE_CASES[0]:
            pytest.skip("the tests of one use case are enough: the others run in the template")
        run(project, "make", "coverage")  # the tests, and how much of the code they run


class TestTabular(ProjectTests):
    use_case = "tabular"


@pytest.mark.projects
class TestFraud(ProjectTests):
    use_case = "fraud"


@pytest.mark.projects
class TestDemand(ProjectTests):
    use_case = "demand"
    answers: ClassVar = {"package_name": "weekly_sales"}


@pytest.mark.projects
class TestSegments(ProjectTests):
    use_case = "segments"


@pytest.mark.projects
class TestInspection(ProjectTests):
    use_case = "inspection"


@pytest.mark.projects
class TestSessions(ProjectTests):
    use_case = "sessions"


@pytest.mark.projects
class TestContracts(ProjectTests):
    use_case = "contracts"


@pytest.mark.projects
class TestSupport(ProjectTests):
    use_case = "support"


def test_each_use_case_has_a_class() -> None:
    assert [tests.use_case for tests in ProjectTests.__subclasses__()] == USE_CASES


@pytest.mark.slow
def test_commands_of_the_template_readme_run_without_uv(copied_template: Path) -> None:
    commands = commands_of((copied_template / "README.md").read_text())
    commands.remove("make test")  # runs this test
    commands[commands.index("make new")] = "yes '' | head -n 11 | make new"
    folders = [
        folder for folder in os.environ["PATH"].split(":") if not Path(folder, "uv").exists()
    ]
    fresh = f"export PATH={shlex.quote(':'.join(folders))}"
    output = run(copied_template, "bash", "-c", "\n".join([fresh, *commands]))
    assert (copied_template / ".uv" / "bin" / "uv").is_file()
    assert "Champion: version 1" in output
    assert (copied_template / "build" / "tabular-model" / "reports").is_dir()
    assert (copied_template.parent / "tabular-model" / "pyproject.toml").is_file()
