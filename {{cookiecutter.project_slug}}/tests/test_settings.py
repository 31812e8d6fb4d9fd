"""Settings come from the environment or .env, and wrong ones are one sentence."""

import re
from pathlib import Path

import pytest
from mlflow import environment_variables

from project_package.errors import UserError
from project_package.settings import Settings, read_settings, redacted

EXAMPLE = Path(__file__).parent.parent / ".env.example"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_example_lists_every_setting_and_its_default() -> None:
    example = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    names = {name.upper() for name in Settings.model_fields}
    own = {"STATE_URL", "CONVERSATIONS_URL", "VECTOR_STORE_URL"}  # of some use cases only
    own |= {name for name in example if name.startswith(("OPENAI_", "ANTHROPIC_"))}
    assert example.keys() - own == names
    assert (example["SERVE_WORKERS"], example["SERVE_MAX_IN_FLIGHT"]) == ("1", "256")


def test_reads_env_and_ignores_keys_of_other_tools(folder: Path) -> None:
    (folder / ".env").write_text(
        "SERVE_WORKERS=5\nSERVE_CORS_ORIGINS=https://a.example, http://b\nX=1\nLOG_LEVEL=debug\n"
        "AWS_REGION=eu\nDATABASE_URL=d\n"
        + "".join(f"{name}=\n" for name in dir(environment_variables) if name[:7] == "MLFLOW_")
    )
    settings = read_settings(Settings)
    assert settings.serve_workers == 5
    assert settings.cors_origins == ["https://a.example", "http://b"]
    assert Settings().serve_max_in_flight == 256


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("SERVE_PRT", "SERVE_PORT"), ("SERVE_MAX_BODY", "SERVE_MAX_BODY_MB"), ("LOG_DAY", "LOG_DAYS"),
     ("MLFLOW_TRACKING_URL", "MLFLOW_TRACKING_URI"), ("MODEL_STORE_URL", "MODEL_STORE"),
     ("data_uri", "DATA_URL")],
)  # fmt: skip
def test_unknown_name_in_env_file_is_refused(folder: Path, name: str, nearest: str) -> None:
    (folder / ".env").write_text(f"SERVE_PORT=9000\n{name}=secret\n")
    with pytest.raises(UserError) as refusal:
        read_settings(Settings)
    assert str(refusal.value) == (
        f'{name.upper()} in .env is not a setting; did you mean "{nearest}"?'
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"SERVE_CANARY=some", "SERVE_CANARY=some: Input should be a valid number.*Correct it in"),
        (b"SERVE_HOST=", "SERVE_HOST=: .*at least 1 character"),
        (b"SERVE_MAX_IN_FLIGHT=0", "SERVE_MAX_IN_FLIGHT=0: .*greater than or equal to 1"),
        (b"LOG_DAYS=\xff", ".env is not UTF-8"),
    ],
)
def test_reports_a_wrong_value(folder: Path, line: bytes, sentence: str) -> None:
    (folder / ".env").write_bytes(line)
    with pytest.raises(UserError, match=sentence):
        read_settings(Settings)


def test_paths_are_absolute_and_urls_stay(folder: Path) -> None:
    settings = Settings(model_store="s3://models/a")
    assert settings.store(folder) == "s3://models/a"
    assert Settings().keys(folder) == folder / "keys.json"
    assert Settings(serve_keys="OFF").keys(folder) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://me:secret@h:6379/0", "redis://h:6379/0"),
        ("redis://:sec/ret@h/0", "redis://h/0"),
        ("redis://me:sec@ret/@h/0", "redis://h/0"),
        ("nowhere:/me:secret@h", "nowhere:/h"),
        ("https://me@h/a", "https://h/a"),
        ("s3://models/a@b", "s3://models/a@b"),
        ("sqlite:////home/me@h/mlflow.db", "sqlite:////home/me@h/mlflow.db"),
        ("to http://me:secret@h/api of a@b", "to http://h/api of a@b"),
    ],
)
def test_shows_an_address_without_its_password(text: str, shown: str) -> None:
    assert redacted(text) == shown
