"""The command line: exit codes, help, plain output, and one sentence for each mistake."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from optuna.exceptions import StorageInternalError
from plain import use_case

from project_package.cli import EntryPoint
from project_package.errors import GateRefused, UserError
from project_package.lifecycle.project import Project

COMMANDS = ["data", "train", "evaluate", "promote", "rollback", "pipeline", "predict", "models",
            "doctor", "debug", "erase", "serve", "key"]  # fmt: skip


class Ml:
    """`ml`, run in this process: its exit code, and what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["ml", *arguments])
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it when it connects
            with pytest.raises(SystemExit) as ended:
                EntryPoint("plain", task="use_case", training="use_case").main()
        self.out, self.err = self._capsys.readouterr()
        return int(ended.value.code or 0)


@pytest.fixture
def ml(capsys: pytest.CaptureFixture[str]) -> Ml:
    return Ml(capsys)


@pytest.fixture
def finished(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the trained project, to read."""
    monkeypatch.chdir(trained)


@pytest.fixture
def new(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a project that has parameters and nothing else."""
    (tmp_path / "params.toml").write_text((trained / "params.toml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_lists_the_commands_with_examples(ml: Ml) -> None:
    ml()
    for command in COMMANDS:
        assert command in ml.out + ml.err
    for command in COMMANDS:
        assert ml(command, "--help") == 0
        assert f"Example: ml {command}" in re.sub(r"[`\s]+", " ", ml.out)


def test_command_prints_result_and_time_as_plain_text(ml: Ml, new: Path) -> None:
    assert ml("data") == 0
    assert re.search(r"^data: \d+\.\d s$", ml.out, re.MULTILINE)
    assert (new / "data" / "latest").read_text() in ml.out
    assert "\x1b" not in ml.out


@pytest.mark.usefixtures("new")
def test_quiet_prints_errors_only(ml: Ml) -> None:
    assert ml("data", "--quiet") == 0
    assert (ml.out, ml.err) == ("", "")
    assert ml("doctor", "--quiet") == 2
    assert (ml.out, ml.err) == ("", "Broken: champion. See the findings for what to do.\n")


def test_refusal_of_the_gate_exits_with_1(
    ml: Ml, candidate: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(candidate.workspace.root)
    assert ml("promote", "--set", "promote.max_bundle_mb=0.001") == 1
    assert re.search(
        r"size: \d\.\d+ MB of 0\.001 MB \(see promote\.max_bundle_mb\)$", ml.err, re.MULTILINE
    )
    assert "does not become the champion" in ml.err


@pytest.mark.parametrize(
    ("failure", "code", "traceback"),
    [
        (GateRefused("The bundle is another."), 1, False),
        (UserError("There is no data yet."), 2, False),
        (RuntimeError("The fit did not converge."), 70, True),
        (KeyboardInterrupt(), 130, False),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.usefixtures("finished")
def test_exit_code_says_how_a_stage_failed(
    ml: Ml, monkeypatch: pytest.MonkeyPatch, failure: BaseException, code: int, traceback: bool
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(MlflowClient, "search_model_versions", fail)
    assert ml("models") == code
    assert str(failure) in ml.err
    assert ("Traceback" in ml.err) is traceback


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["data", "--set", "train.trails=3"], "train.trails is not a parameter: did you mean"),
        (["debug", "6f1c-0"], "The prediction log has no 6f1c-0"),
        (["models", "--set", "seed=-1"], "seed = -1: Input should be greater than or equal to 0"),
        (["train", "--set", "promote.worst.f1=1"], 'worst or promote.max_loss: "f1" is not a'),
        (["data", "--set", "promote.max_loss.f1=0"], 'or promote.max_loss: "f1" is not a metric'),
        (["train"], "There is no data yet: run `ml data` first."),
        (["evaluate"], "There is no challenger: run `ml train` first."),
        (["promote"], "There is no challenger: run `ml train` first."),
        (["rollback"], "There is no earlier champion to go back to"),
        (["predict", "in.csv", "out.csv"], "There is no champion in "),
        (["erase", "anna"], "There is no champion in "),
        (["doctor"], "Broken: data, champion."),
        (["models", "--all"], "No such option"),
        (["serve", "--workers", "0"], "greater than or equal to 1"),
    ],
)
@pytest.mark.usefixtures("new")
def test_mistake_exits_with_2_and_a_sentence(ml: Ml, arguments: list[str], sentence: str) -> None:
    assert ml(*arguments) == 2
    assert sentence in ml.err
    assert "Traceback" not in ml.err


@pytest.mark.usefixtures("new")
def test_missing_library_is_named(ml: Ml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "project_package.lifecycle.project")
    monkeypatch.setitem(sys.modules, "optuna.exceptions", None)
    assert ml("models") == 2
    assert ml.err == "The library optuna.exceptions is missing: run `uv sync`.\n"


@pytest.mark.usefixtures("new")
def test_missing_module_of_the_project_is_a_crash(ml: Ml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "project_package.lifecycle.project", None)
    assert ml("models") == 70
    assert "Traceback" in ml.err


@pytest.mark.parametrize(
    ("file", "content", "sentence", "code"),
    [
        (".env", b"SERVE_PORT=much\n", "SERVE_PORT=much: Input should be a valid integer", 2),
        ("params.toml", b"name = '\xff'", "params.toml is not valid TOML in UTF-8", 2),
        ("mlflow.db", b"no database", "cannot be used", 2),
        ("data", b"a file", "The disk failed: ", 2),
        ("store", b"a file", "The model store ", 75),
    ],
)
@pytest.mark.usefixtures("new")
def test_unusable_file_is_named(
    ml: Ml, file: str, content: bytes, sentence: str, code: int
) -> None:
    Path(file).write_bytes(content)
    assert ml({"mlflow.db": "models", "store": "rollback"}.get(file, "data")) == code
    assert sentence in ml.err
    assert "Traceback" not in ml.err
    assert ml("doctor") == 2


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("failure", [MlflowException, StorageInternalError])
def test_failure_of_a_database_is_a_sentence(
    ml: Ml, monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise failure("http://me:secret@h does not answer")

    monkeypatch.setattr(MlflowClient, "search_model_versions", fail)
    assert ml("models") == 2
    assert ml.err == (
        "MLflow or a database failed: http://h does not answer. Run `ml doctor` to find out more.\n"
    )
    assert ml("doctor") == 2
    assert "http://h does not answer" in ml.out


def test_erase_prints_what_was_deleted(
    ml: Ml, copy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = replace(copy.champion_task(), entity="plan")
    training = replace(copy.training, make_task=lambda _: task)
    monkeypatch.setattr(use_case, "TRAINING", training)
    monkeypatch.chdir(copy.workspace.root)
    for kind in ((), ("--entity", "plan")):
        assert ml("erase", "basic", *kind) == 0
        assert ml.out == (
            "Deleted 0 logged predictions of plan basic. erased.txt lists it: new data sets "
            "leave it out, older ones still have it.\n"
        )
    assert ml("erase", "basic", "--entity", "plans") == 2
    assert ml.err == '--entity: "plans" is not a kind of entity; did you mean "plan"?\n'


@pytest.mark.usefixtures("new")
def test_key_is_added_and_removed(ml: Ml) -> None:
    assert ml("key", "shop", "--scope", "predict", "--scope", "labels") == 0
    assert len(ml.out.strip()) == 43
    assert '"labels"' in Path("keys.json").read_text(encoding="utf-8")
    assert ml("key", "shop", "--remove") == 0
    assert Path("keys.json").read_text(encoding="utf-8") == "[]\n"
