"""The bodies of the routes under /v1, and their answers.

A list is validated up to its first invalid item: to collect the errors of all items took 9 s and
5.8 GB for a body of 5.4 MB.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from ..fields import Frozen

MAX_INSTANCES = 1_000
T = TypeVar("T", bound=BaseModel)
InstanceList = Annotated[list[T], Field(min_length=1, max_length=MAX_INSTANCES, fail_fast=True)]


class Instances(Frozen, Generic[T]):
    """What to predict."""

    instances: InstanceList[T]


class Predictions(BaseModel, Generic[T]):
    """One prediction per instance, in their order."""

    model_version: str
    predictions: list[T]
    versions: list[str] | None = Field(
        default=None, description="of each prediction, when the challenger made some of them"
    )


class ModelDescription(BaseModel):
    """The version that is served; the model card is Markdown."""

    model_version: str
    manifest: dict[str, Any]
    card: str


class Ready(BaseModel):
    """The version that is served, and the parts that do not work; the log says why."""

    status: Literal["ready"] = "ready"
    model_version: str
    degraded: list[str]


class Refusal(BaseModel):
    """Why a request is refused."""

    detail: str


class Invalid(BaseModel):
    """Why a body is refused: locations (`loc`), and the rules that they break (`msg`, `type`)."""

    detail: list[dict[str, Any]]


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "No API key, or an unknown one"},
    403: {"model": Refusal, "description": "The key lacks the scope"},
    503: {"model": Refusal, "description": "Too many requests, or a service is unavailable"},
}
BODY_REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": Refusal, "description": "The body took too long to arrive"},
    409: {"model": Refusal, "description": "Another process is answering an event of the body"},
    413: {"model": Refusal, "description": "The body is too large"},
    422: {"model": Invalid, "description": "The body breaks a rule"},
}
