"""The command line: exit codes, help, quiet and plain output."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from project_package.contract import UseCase
from project_package.lifecycle.cli import Entry, app, run
from project_package.lifecycle.project import Project
from project_package.settings import Settings

AnyUseCase = UseCase[Any, Any, Any, Any]
STAGES = [c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands]
ESCAPE = "\x1b"


class Ml:
    """`ml`, run in this process: its exit code, and what it printed."""

    def __init__(self, use_case: AnyUseCase, capsys: pytest.CaptureFixture[str]) -> None:
        self.served: list[tuple[str, int, int, bool]] = []
        self._entry = Entry(lambda: use_case, lambda *how: self.served.append(how))
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["ml", *arguments])
            for name in Settings.model_fields:
                patch.delenv(name.upper(), raising=False)
            with pytest.raises(SystemExit) as ended:
                run(self._entry)
        self.out, self.err = self._capsys.readouterr()
        return int(ended.value.code or 0)


@pytest.fixture
def ml(use_case: AnyUseCase, capsys: pytest.CaptureFixture[str]) -> Ml:
    return Ml(use_case, capsys)


@pytest.fixture
def here(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in the trained project, to read."""
    monkeypatch.chdir(trained)
    return trained


@pytest.fixture
def new(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a project that has its parameters and nothing else."""
    (tmp_path / "params.toml").write_text((trained / "params.toml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_is_a_command_for_every_stage() -> None:
    stages = {"data", "train", "evaluate", "promote", "rollback", "predict", "serve", "pipeline"}
    assert set(STAGES) == stages | {"remember", "models", "doctor", "key"}


@pytest.mark.parametrize("stage", STAGES)
def test_the_help_of_every_stage_has_an_example(ml: Ml, stage: str) -> None:
    assert ml(stage, "--help") == 0
    assert f"Example: ml {stage}" in re.sub(r"[`\s]+", " ", ml.out)


def test_no_command_shows_the_stages(ml: Ml) -> None:
    ml()
    assert all(stage in ml.out + ml.err for stage in STAGES)


@pytest.mark.usefixtures("here")
def test_models_shows_the_champion_in_plain_text(ml: Ml) -> None:
    assert ml("models") == 0
    assert "champion" in ml.out
    assert ESCAPE not in ml.out


def test_a_stage_says_what_it_did_and_how_long_it_took(ml: Ml, new: Path) -> None:
    assert ml("data") == 0
    assert re.search(r"^data: \d+\.\d s$", ml.out, re.MULTILINE)
    assert (new / "data" / "latest").read_text() in ml.out
    assert ESCAPE not in ml.out


@pytest.mark.usefixtures("new")
def test_quiet_prints_nothing(ml: Ml) -> None:
    assert ml("data", "--quiet") == 0
    assert (ml.out, ml.err) == ("", "")


def test_a_refusal_of_the_gate_exits_with_1_and_its_numbers(
    ml: Ml,
    retrained: Path,
    clone: Callable[[Path], Project],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(clone(retrained).workspace.root)
    assert ml("promote", "--set", "promote.max_bundle_mb=0.001") == 1
    assert re.search(r"size: \d\.\d+ MB of 0\.001 MB", ml.err)
    assert "does not become the champion" in ml.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["data", "--set", "train.trails=3"], "train.trails is no parameter: did you mean"),
        (["data", "--set", "seed"], "--set takes section.key=value, not 'seed'"),
        (["data", "--set", "seed=-1"], "seed = -1: Input should be greater than or equal to 0"),
        (["train"], "There is no data yet: run `ml data` first."),
        (["evaluate"], "There is no challenger: run `ml train` first."),
        (["promote"], "There is no challenger: run `ml train` first."),
        (["rollback"], "There is no earlier champion to go back to"),
        (["predict", "in.csv", "out.csv"], "There is no champion in "),
        (["doctor"], "Broken: data, champion."),
        (["models", "--set", "seed=-1"], "seed = -1: Input should be greater than or equal to 0"),
        (["serve", "--workers", "0"], "greater than or equal to 1"),
        (["predict", "in.csv", "out.txt"], "out.txt must end in .parquet or .csv."),
    ],
)
@pytest.mark.usefixtures("new")
def test_a_mistake_exits_with_2_and_one_sentence(
    ml: Ml, arguments: list[str], sentence: str
) -> None:
    assert ml(*arguments) == 2
    assert sentence in ml.err
    assert "Traceback" not in ml.err


def test_a_folder_without_parameters_is_told_so(ml: Ml, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert ml("data") == 2
    assert ml.err.startswith("There is no ")
    assert "run `ml` in the project's folder" in ml.err


@pytest.mark.usefixtures("here")
def test_an_unknown_option_exits_with_2(ml: Ml) -> None:
    assert ml("models", "--all") == 2
    assert "No such option" in ml.err


@pytest.mark.usefixtures("new")
def test_doctor_exits_with_2_when_something_is_broken(ml: Ml) -> None:
    assert ml("doctor") == 2
    assert "There is no champion in" in ml.out
    assert ml("doctor", "--quiet") == 2
    assert ml.out == ""


@pytest.mark.usefixtures("new")
def test_a_setting_that_cannot_be_is_told_by_its_name(ml: Ml) -> None:
    Path(".env").write_text("SERVE_PORT=much\n")
    assert ml("data") == 2
    assert ml.err.startswith("SERVE_PORT=much: Input should be a valid integer")


@pytest.mark.usefixtures("new")
def test_a_library_that_is_missing_is_named(ml: Ml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "project_package.lifecycle.project", None)
    assert ml("models") == 2
    assert "is missing: run `uv sync`" in ml.err


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        (".env", b"MODEL_STORE=\xff", ".env is not UTF-8"),
        ("params.toml", b"name = '\xff'", "params.toml is not valid TOML in UTF-8"),
        ("mlflow.db", b"no database", "cannot be used"),
        ("data", b"in the way", "The disk refused: "),
        ("store", b"in the way", "The model store "),
    ],
)
def test_a_file_that_cannot_be_used_is_told(
    ml: Ml, new: Path, file: str, content: bytes, sentence: str
) -> None:
    (new / file).write_bytes(content)
    command = ["predict", "in.csv", "out.csv"] if file == "store" else ["data"]
    assert ml(*(["models"] if file == "mlflow.db" else command)) == 2
    assert sentence in ml.err
    assert ml("doctor") == 2


@pytest.mark.usefixtures("here")
def test_a_failure_of_mlflow_is_told_in_words(ml: Ml, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MlflowException("the connection was lost")

    monkeypatch.setattr(MlflowClient, "search_model_versions", fail)
    assert ml("models") == 2
    assert ml.err == "MLflow refused: the connection was lost. `ml doctor` says more.\n"


@pytest.mark.usefixtures("here")
def test_serve_hands_over_host_port_and_workers(ml: Ml) -> None:
    assert ml("serve", "--host", "::1", "--port", "8123", "--workers", "2", "--quiet") == 0
    assert ml.served == [("::1", 8123, 2, True)]


def test_rollback_in_a_project_with_one_champion_is_refused(
    ml: Ml, trained: Path, clone: Callable[[Path], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone(trained).workspace.root)
    assert ml("rollback") == 2
    assert "There is no earlier champion" in ml.err


@pytest.mark.usefixtures("new")
def test_a_key_is_made_and_removed(ml: Ml) -> None:
    assert ml("key", "shop", "--scope", "predict", "--scope", "labels") == 0
    token = ml.out.strip()
    kept = Path("keys.json").read_text()
    assert len(token) == 43
    assert token not in kept
    assert '"labels"' in kept
    assert ml("key", "shop", "--remove") == 0
    assert Path("keys.json").read_text() == "[]\n"
