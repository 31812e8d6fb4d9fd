"""The routes that receive events and labels, with their bodies and answers."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Generic, TypeAlias, TypeVar

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field

from ..columns import to_rows
from ..contract.history import History
from ..frozen import Frozen
from .labels import Labels
from .prediction_service import Requests
from .read_body import read_body
from .routes import protected

MAX_EVENTS = 10_000
T = TypeVar("T", bound=BaseModel)
EventList = Annotated[list[T], Field(min_length=1, max_length=MAX_EVENTS, fail_fast=True)]
StoreItems: TypeAlias = Callable[[Requests, int], Awaitable[list[bool]]]
"""Store the items of a body, and how many they are; return a truth value for each."""


class EventsBody(Frozen, Generic[T]):
    """Events to store."""

    events: EventList[T]


class EventsStored(BaseModel):
    """How many events were new, and how many were stored already."""

    new: int
    known: int


class LabelsBody(Frozen, Generic[T]):
    """Labels of stored events."""

    labels: EventList[T]


class LabelsSet(BaseModel):
    """How many labels were set, and the indices of those whose event is not stored."""

    set: int
    unknown: list[int]


def add_event_routes(
    app: FastAPI,
    history: History,
    add_events: StoreItems,
    set_labels: StoreItems,
    labels: Labels | None,
) -> None:
    """Add POST /v1/events, and POST /v1/labels where there are labels.

    Args:
        app: the application.
        history: its event and label are the items of the bodies.
        add_events: returns for each event whether it is new.
        set_labels: returns for each label whether its event is stored.
        labels: writes the outcomes of events to the prediction log; None if that is off.
    """

    async def store_outcomes(items: Requests, kind: type[BaseModel]) -> None:
        if labels and history.outcome:
            await labels.store_outcomes(to_rows(items, kind), history.key, history.outcome)

    events_type = EventsBody[history.event]  # type: ignore[name-defined]

    @app.post("/v1/events", summary="Store events", **protected("labels", events_type))
    async def events(request: Request) -> EventsStored:
        """Store events; one whose key is stored already changes nothing."""
        async with read_body(request, events_type) as body:
            is_new = await add_events(body.events, len(body.events))
            if history.label is None:
                await store_outcomes(body.events, history.event)
        return EventsStored(new=sum(is_new), known=len(is_new) - sum(is_new))

    if (label := history.label) is None:
        return
    labels_type = LabelsBody[label]  # type: ignore[valid-type]

    @app.post("/v1/labels", summary="Set labels", **protected("labels", labels_type))
    async def set_all(request: Request) -> LabelsSet:
        """Set the labels of stored events."""
        async with read_body(request, labels_type) as body:
            is_known = await set_labels(body.labels, len(body.labels))
            await store_outcomes(body.labels, label)
        unknown = [index for index, known in enumerate(is_known) if not known]
        return LabelsSet(set=len(is_known) - len(unknown), unknown=unknown)
