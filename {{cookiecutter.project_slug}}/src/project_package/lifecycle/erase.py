"""erase: delete what event store and prediction log hold of an entity, such as a person."""

from contextlib import closing
from typing import Protocol

from .project import Project


class PredictionLog(Protocol):
    """The part of the prediction log that is needed here."""

    def erase(self, entity_id: str) -> int:
        """Delete the logged predictions about an entity; return how many."""

    def close(self) -> None:
        """Close the database."""


def erase(project: Project, entity: str, log: PredictionLog | None) -> None:
    """Delete the events and the logged predictions of an entity id.

    Raises:
        UserError: there is no champion, or the event store or the log cannot be used.
    """
    history, events, predictions = project.champion_task().history, 0, 0
    if history is not None:
        address = project.settings.state(project.workspace.root)
        with closing(history.open_store(address, history)) as store:
            events = store.erase(entity)
    if log is not None:
        with closing(log):
            predictions = log.erase(entity)
    project.console.print(
        f"Deleted {events:,} events and {predictions:,} logged predictions of {entity}."
    )
