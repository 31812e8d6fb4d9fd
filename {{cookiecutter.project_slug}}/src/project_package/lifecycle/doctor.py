"""models and doctor: which versions there are, and which parts of the set-up are broken."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from .. import api_keys
from ..errors import UserError
from ..model_store import CHAMPION
from ..settings import shown
from .project import FAILURES, Project
from .search import open_storage


def models(project: Project) -> None:
    """Print every registered version, newest first."""
    registry = project.registry
    registry.champion()
    goal = project.training.goal
    rows = []
    for version in registry.versions():
        run = registry.client.get_run(version.run).data
        score = run.metrics.get(f"test.{goal.name}")
        scored = "not evaluated" if score is None else f"{score:.3f}"
        created = f"{datetime.fromtimestamp(version.created / 1000, UTC):%Y-%m-%d %H:%M} UTC"
        dirty = "-dirty" if run.tags.get("mlflow.source.git.dirty") == "True" else ""
        commit = run.tags.get("mlflow.source.git.commit", "")[:8] + dirty
        origin = (run.tags.get("data", ""), commit)
        rows.append((str(version.number), ", ".join(version.aliases), scored, created, *origin))
    header = ("version", "aliases", goal.label, "created", "data", "commit")
    project.console.table(project.params.name, header, rows)


def doctor(project: Project) -> None:
    """Print the finding of each check; raise UserError when something is broken."""
    rows, broken = [], []
    for check in (_data, _tracking, _search, _champion, _events, _keys):
        name = check.__name__.removeprefix("_")
        try:
            rows.append((name, "ok", check(project)))
        except (UserError, *FAILURES) as error:
            broken.append(name)
            rows.append((name, "broken", str(error)))
    project.console.table("doctor", ("check", "status", "finding"), rows)
    if broken:
        raise UserError(f"Broken: {', '.join(broken)}. See the findings for what to do.")


def _data(project: Project) -> str:
    return project.workspace.dataset().digest


def _tracking(project: Project) -> str:
    versions = len(project.registry.versions())
    project.registry.champion()  # raises when the champion is not among these versions
    return f"{shown(project.settings.tracking(project.workspace.root))}, {versions} versions"


def _search(project: Project) -> str:
    address = project.settings.studies(project.workspace.root)
    with project.workspace.lock():
        studies = len(open_storage(address).get_all_studies())
    return f"{shown(address)}, {studies} studies"


def _champion(project: Project) -> str:
    version, bundle = project.store.load(CHAMPION)
    project.check(version, bundle)
    return f"version {version} in {project.store.address}"


def _events(project: Project) -> str:
    history = project.champion_task().history
    if history is None:
        return "not used: no feature reads earlier events"
    address = project.settings.state(project.workspace.root)
    if "://" not in address and not Path(address).exists():
        return f"{address} does not exist yet: `ml backfill` or `ml serve` creates it"
    with closing(history.open_store(address, history)) as store, store.transaction():
        return shown(address)


def _keys(project: Project) -> str:
    path = project.settings.keys(project.workspace.root)
    if path is None:
        return "off: every request is accepted without a key"
    names = ", ".join(key.name for key in api_keys.read(path))
    return f"{path}: {names or 'none, add one with `ml key NAME`'}"
