"""The routes: what each takes and gives, and who does the work.

Bodies are the use case's own types, known only when the application is built.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Body, FastAPI, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field

from ..contract import Request
from ..contract import Response as Prediction
from .batch import Answers
from .direct import Direct
from .follower import Follower
from .services import Services

MAX_INSTANCES, MAX_EVENTS = 1_000, 10_000
Event = TypeVar("Event", bound=BaseModel)


class Strict(BaseModel):
    """A body: no key is unknown."""

    model_config = ConfigDict(extra="forbid")


class Instances(Strict, Generic[Request]):
    """The body of a prediction: the rows to answer."""

    instances: Annotated[list[Request], Field(min_length=1, max_length=MAX_INSTANCES)]


class Predictions(BaseModel, Generic[Prediction]):
    """The answer: one prediction per instance."""

    model_version: str
    predictions: list[Prediction]
    versions: list[str] | None = None
    """Of the model, a prediction each, where they differ: the challenger answers some."""


class Events(Strict, Generic[Event]):
    """Rows of the past, to remember."""

    events: Annotated[list[Event], Field(min_length=1, max_length=MAX_EVENTS)]


class Remembered(BaseModel):
    """How many events were new, known by their name, or older than all that is kept."""

    new: int
    known: int
    old: int


class Labels(Strict, Generic[Event]):
    """What became known of events."""

    labels: Annotated[list[Event], Field(min_length=1, max_length=MAX_EVENTS)]


class Labelled(BaseModel):
    """How many labels were set, and the places of those whose event is not remembered."""

    set: int
    unknown: list[int]


class Ready(BaseModel):
    """Who answers; and, when that is not the newest champion, why."""

    status: Literal["ready"] = "ready"
    model_version: str
    refused: str = ""
    """Why the newest version is not served."""
    unreachable: str = ""
    """Why nobody knows which the newest version is."""
    state: str = ""
    """Why the state cannot be used."""
    challenger: str = ""
    """Why the challenger answers nobody."""
    log: str = ""
    """Why logged predictions do not get where they are to go; none is lost."""


class Model(BaseModel):
    """What is served: its manifest and its model card."""

    model_version: str
    manifest: dict[str, Any]
    card: str


def add_predict(app: FastAPI, services: Services) -> None:
    """Add the route that answers instances."""
    api = services.api

    async def predict(body: Any) -> str:
        """Answer instances: a refused one is a 422 that names its field and rule.

        One that brings no past is answered with what the server remembers, and remembered.
        """
        return written(await services.answer(body.instances))

    # The examples are rows of the data: where keys are asked for, the document does not show them.
    shown = bodies(services.champion) if services.door.keys is None else None
    examples = Body(openapi_examples=shown)
    predict.__annotations__["body"] = Annotated[Instances[api.request], examples]  # type: ignore[name-defined]
    post(app, "/v1/predict", predict, response_model=Predictions[api.response])  # type: ignore[name-defined]


def post(app: FastAPI, path: str, answer: Callable[..., Any], **more: Any) -> None:
    """Add a route that goes straight from bytes to its body."""
    app.router.add_api_route(path, answer, methods=["POST"], route_class_override=Direct, **more)


def written(answers: Answers) -> str:
    """Write an answer; when versions differ, with the version of each prediction."""
    first, given = answers.versions[0], ",".join(answers.predictions)
    more = ""
    if any(version != first for version in answers.versions):
        more = f',"versions":{json.dumps(answers.versions)}'
    return f'{{"model_version":"{first}","predictions":[{given}]{more}}}'


def bodies(champion: Follower) -> dict[str, Any]:
    """Give the golden examples as bodies for the OpenAPI document."""
    pairs = champion.served.examples if champion.served else []
    return {
        f"example {number}": {"value": {"instances": [pair["request"]]}}
        for number, pair in enumerate(pairs, 1)
    }


def add_memory(app: FastAPI, services: Services) -> None:
    """Add the routes that feed the state."""
    memory, live = services.api.memory, services.live

    async def events(body: Any) -> Remembered:
        """Remember events; one whose name is known, or that is too old, changes nothing."""
        new, old = await live.remember(body.events)
        return Remembered(new=new, known=len(body.events) - new - old, old=old)

    async def labels(body: Any) -> Labelled:
        """Set what became known of events; an event that is not remembered is told."""
        unknown = await live.label(body.labels)
        return Labelled(set=len(body.labels) - len(unknown), unknown=unknown)

    events.__annotations__["body"] = Events[memory.event]  # type: ignore[name-defined]
    post(app, "/v1/events", events, response_model=Remembered)
    if memory.label is not None:
        labels.__annotations__["body"] = Labels[memory.label]  # type: ignore[name-defined]
        post(app, "/v1/labels", labels, response_model=Labelled)


def add_status(app: FastAPI, services: Services) -> None:
    """Add the routes that say how the server is."""
    champion, told = services.champion, services.told

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process lives."""
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> Ready:
        """Say that a champion is loaded, or answer 503 with the reason."""
        version = services.ready().version
        return Ready(
            model_version=version,
            refused=champion.refused,
            unreachable=told(champion.unreachable),
            state=told(services.live.away),
            challenger=services.challenger.refused,
            log=told(services.log.outbox.away) if services.log else "",
        )

    @app.get("/v1/model")
    async def model() -> Model:
        """Give the manifest and the model card of the champion."""
        served = services.ready()
        manifest = served.predictor.bundle.manifest.model_dump(mode="json")
        return Model(model_version=served.version, manifest=manifest, card=served.card)


def add_metrics(app: FastAPI, services: Services) -> None:
    """Add the route that Prometheus asks."""

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Give the server's numbers in Prometheus' text form."""
        text = services.board.page() if services.board else services.metrics.text()
        return Response(text, media_type=CONTENT_TYPE_LATEST)
