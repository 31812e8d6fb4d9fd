"""models and doctor: which versions there are, and what of a set-up is broken."""

import importlib.metadata
import platform
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from ..errors import UserError
from ..api_keys import read
from ..settings import shown
from ..state.base import State
from ..model_store import CHAMPION
from .project import FAILURES, Project
from .search import open_storage


def models(project: Project) -> None:
    """Show every registered version, newest first."""
    registry = project.registry
    registry.champion()
    goal = project.use_case.metric(project.use_case.goal.metric)
    rows = []
    for version in registry.versions():
        run = registry.client.get_run(version.run).data
        score = run.metrics.get(f"test.{goal.name}")
        scored = "not evaluated" if score is None else f"{score:.3f}"
        created = f"{datetime.fromtimestamp(version.created / 1000, UTC):%Y-%m-%d %H:%M} UTC"
        origin = (run.tags.get("data", ""), run.tags.get("commit", "")[:8])
        rows.append((str(version.number), ", ".join(version.aliases), scored, created, *origin))
    header = ("version", "aliases", goal.label, "created", "data", "commit")
    project.console.table(project.params.name, header, rows)


LIBRARIES = ("mlflow", "scikit-learn", "onnxruntime", "polars", "duckdb", "optuna", "fastapi")


def doctor(project: Project) -> None:
    """Show each check with its finding.

    Raises:
        UserError: something is broken.
    """
    checks: dict[str, Callable[[Project], str]] = {
        "versions": _versions,
        "data": _data,
        "tracking": _tracking,
        "search": _search,
        "champion": _champion,
        "state": _state,
        "keys": _keys,
    }
    rows, broken = [], []
    for name, check in checks.items():
        try:
            rows.append((name, "ok", check(project)))
        except (UserError, *FAILURES) as error:
            broken.append(name)
            rows.append((name, "broken", str(error)))
    project.console.table("doctor", ("check", "state", "finding"), rows)
    if broken:
        raise UserError(f"Broken: {', '.join(broken)}. The findings say what to do.")


def _versions(_: Project) -> str:
    found = (f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    return f"Python {platform.python_version()}, " + ", ".join(found)


def _data(project: Project) -> str:
    dataset = project.workspace.dataset()
    size = sum(path.stat().st_size for path in dataset.path.iterdir()) / 1e6
    return f"{dataset.digest}, {size:.0f} MB"


def _tracking(project: Project) -> str:
    versions = len(project.registry.versions())
    project.registry.champion()  # is of these versions
    return f"{shown(project.settings.tracking(project.workspace.root))}, {versions} versions"


def _search(project: Project) -> str:
    address = project.settings.studies(project.workspace.root)
    with project.workspace.lock():
        studies = len(open_storage(address).get_all_studies())
    return f"{shown(address)}, {studies} studies"


def _champion(project: Project) -> str:
    version, _ = project.store.load(CHAMPION)
    return f"version {version} in {project.store.address}"


def _state(project: Project) -> str:
    address = project.settings.state(project.workspace.root)
    if "://" not in address and not Path(address).exists():
        return f"{address} is not there yet: `ml remember` or a server makes it"
    state = State(address, project.use_case.api.memory)
    with closing(state), state.transaction():
        return shown(address)


def _keys(project: Project) -> str:
    path = project.settings.keys(project.workspace.root)
    if path is None:
        return "off: a server asks nobody for one"
    return f"{path}: {', '.join(key.name for key in read(path)) or 'none, make one by `ml key`'}"
