"""models and doctor: which versions there are, and what of a set-up is broken."""

import importlib.metadata
import platform
from collections.abc import Callable
from datetime import UTC, datetime

from ..bundle import unpack
from ..errors import UserError
from .project import Project
from .registry import BUNDLE, CHAMPION


def models(project: Project) -> None:
    """Show every registered version, newest first."""
    registry = project.registry
    registry.mend()
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


def doctor(project: Project) -> bool:
    """Show each check with its finding; give whether all are well."""
    checks: dict[str, Callable[[Project], str]] = {
        "versions": _versions,
        "data": _data,
        "tracking": _tracking,
        "champion": _champion,
    }
    well = True
    rows = []
    for name, check in checks.items():
        try:
            rows.append((name, "ok", check(project)))
        except UserError as error:
            well = False
            rows.append((name, "broken", str(error)))
    project.console.table("doctor", ("check", "state", "finding"), rows)
    return well


def _versions(_: Project) -> str:
    found = (f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    return f"Python {platform.python_version()}, " + ", ".join(found)


def _data(project: Project) -> str:
    dataset = project.workspace.dataset()
    size = sum(path.stat().st_size for path in dataset.path.iterdir()) / 1e6
    return f"{dataset.digest}, {size:.0f} MB"


def _tracking(project: Project) -> str:
    versions = len(project.registry.versions())
    return f"{project.settings.tracking(project.workspace.root)}, {versions} versions"


def _champion(project: Project) -> str:
    pointer = project.store.pointer(CHAMPION)
    if pointer is None:
        raise UserError("There is no champion yet: run `ml pipeline`.")
    files = project.store.fetch(pointer.version, BUNDLE)
    unpack(files)
    return f"version {pointer.version}, {len(files)} files in {project.store.address}"
