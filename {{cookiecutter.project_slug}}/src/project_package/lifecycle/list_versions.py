"""models: list the registered versions, with their aliases and scores."""

from datetime import UTC, datetime

from .project import Project
from .scores import number


def list_versions(project: Project) -> None:
    """Print every registered version, newest first."""
    registry = project.registry
    registry.champion()
    goal = project.training.goal
    rows = []
    for version in registry.versions():
        run = registry.client.get_run(version.run).data
        scored = number(run.metrics.get(f"test.{goal.name}"))
        created = f"{datetime.fromtimestamp(version.created / 1000, UTC):%Y-%m-%d %H:%M} UTC"
        dirty = "-dirty" if run.tags.get("mlflow.source.git.dirty") == "True" else ""
        commit = run.tags.get("mlflow.source.git.commit", "")[:8] + dirty
        origin = (run.tags.get("data", ""), commit)
        rows.append((str(version.number), ", ".join(version.aliases), scored, created, *origin))
    header = ("version", "aliases", goal.label, "created", "data", "commit")
    project.console.table(project.params.name, header, rows)
