"""The routes: what each takes and gives, and who does the work.

Bodies are the use case's own types, known only when the application is built.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Body, FastAPI, HTTPException, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from ..contract import Request
from ..contract import Response as Prediction
from .batch import Answers
from .follower import AnyApi, Follower, Served
from .live import Live
from .outbox import Log
from .together import Together
from .work import Refused

MAX_INSTANCES, MAX_EVENTS = 1_000, 10_000
Event = TypeVar("Event", bound=BaseModel)


@dataclass(frozen=True)
class Services:
    """What the routes work with."""

    api: AnyApi
    champion: Follower
    together: Together
    live: Live
    challenger: Follower
    log: Log | None = None

    def ready(self) -> Served:
        """Give the version that answers, or answer 503 with the reason."""
        if self.champion.served is None:
            raise HTTPException(503, self.champion.refused or self.champion.unreachable)
        return self.champion.served

    async def answer(self, instances: list[Any]) -> Answers:
        """Answer instances; 422 for one that lacks its past, 503 while nobody can answer."""
        self.ready()
        pasts = [self.api.carried(instance) for instance in instances]
        if None not in pasts:
            return await self.together.answer(instances, [past or {} for past in pasts])
        try:
            return await self.live.answer(instances, pasts)
        except Refused as refused:
            told = {"loc": ("body", "instances", refused.place), "msg": refused.reason}
            raise RequestValidationError([{**told, "type": "past"}]) from refused


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
    """How many events were new; the others were known by their name."""

    new: int
    known: int


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

    async def predict(body: Any) -> Response:
        """Answer instances: a refused one is a 422 that names its field and rule.

        One that brings no past is answered with what the server remembers, and remembered.
        """
        return written(await services.answer(body.instances))

    examples = Body(openapi_examples=bodies(services.champion))
    predict.__annotations__["body"] = Annotated[Instances[api.request], examples]  # type: ignore[name-defined]
    app.post("/v1/predict", response_model=Predictions[api.response])(predict)  # type: ignore[name-defined]


def written(answers: Answers) -> Response:
    """Write an answer; when versions differ, with the version of each prediction."""
    first, given = answers.versions[0], ",".join(answers.predictions)
    more = ""
    if any(version != first for version in answers.versions):
        more = f',"versions":{json.dumps(answers.versions)}'
    text = f'{{"model_version":"{first}","predictions":[{given}]{more}}}'
    return Response(text, media_type="application/json")


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
        """Remember events; one whose name is known changes nothing."""
        new = await live.remember(body.events)
        return Remembered(new=new, known=len(body.events) - new)

    async def labels(body: Any) -> Labelled:
        """Set what became known of events; an event that is not remembered is told."""
        unknown = await live.label(body.labels)
        return Labelled(set=len(body.labels) - len(unknown), unknown=unknown)

    events.__annotations__["body"] = Events[memory.event]  # type: ignore[name-defined]
    app.post("/v1/events")(events)
    if memory.label is not None:
        labels.__annotations__["body"] = Labels[memory.label]  # type: ignore[name-defined]
        app.post("/v1/labels")(labels)


def add_status(app: FastAPI, services: Services) -> None:
    """Add the routes that say how the server is."""
    champion = services.champion

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
            unreachable=champion.unreachable,
            challenger=services.challenger.refused,
            log=services.log.outbox.away if services.log else "",
        )

    @app.get("/v1/model")
    async def model() -> Model:
        """Give the manifest and the model card of the champion."""
        served = services.ready()
        manifest = served.predictor.bundle.manifest.model_dump(mode="json")
        return Model(model_version=served.version, manifest=manifest, card=served.card)
