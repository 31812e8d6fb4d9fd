"""models: which versions there are, with aliases and scores."""

from datetime import UTC, datetime

from .project import Project


def models(project: Project) -> None:
    """Print every registered version, newest first."""
    registry = project.registry
    registry.champion()
    goal = project.training.metric(project.training.goal.metric)
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
