"""The drill: the whole loop with a server of its own."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from plain import use_case
from projects import open_project

from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.monitoring.drill import AFTER, NORMAL, drill
from project_package.read_params import read_params

pytestmark = pytest.mark.system


@contextmanager
def opened(changes: Sequence[str] = ()) -> Iterator[Project]:
    root = Path.cwd()
    project = open_project(use_case, root)
    yield replace(project, params=read_params(use_case.PARAMS, root / "params.toml", changes))


@pytest.fixture
def home(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the parameters of the plain project."""
    (tmp_path / "params.toml").write_text((trained / "params.toml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    return tmp_path


def test_quality_falls_and_recovers_and_no_request_fails(home: Path) -> None:
    drill(opened, "plain", "concept")
    found = json.loads((home / "reports" / "drill.json").read_text())
    events = {event["what"].split(":")[0]: event["day"] for event in found["events"]}
    assert [*events] == ["concept begins", "alarm", "version 2 answers"]
    assert events["concept begins"] == NORMAL
    assert events["alarm"] <= NORMAL + 3
    scores = [window["realised"] and window["realised"][0] for window in found["windows"]]
    before = scores[:NORMAL]
    damaged = scores[NORMAL : events["version 2 answers"]]
    after = scores[events["version 2 answers"] : -1]
    assert len(after) == AFTER - 1
    assert max(damaged) < min(before) - 0.3
    assert min(after) > min(before) - 0.05
    assert found["requests"] > 0
    assert "<svg" in (home / "reports" / "drill.svg").read_text()


def test_the_project_itself_does_not_change(home: Path) -> None:
    (home / "predictions.db").write_text("mine")
    with pytest.raises(UserError, match='"none" is not a damage'):
        drill(opened, "plain", "none")
    assert (home / "predictions.db").read_text() == "mine"
    assert {path.name for path in home.iterdir()} == {"build", "params.toml", "predictions.db"}
