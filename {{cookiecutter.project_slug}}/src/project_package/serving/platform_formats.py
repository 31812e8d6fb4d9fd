"""The bodies that serving platforms send, and the endpoint that answers them.

MLflow, SageMaker, KServe and Vertex AI send instances in one of four formats.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Self

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import to_json

from ..contract.task import Task
from ..frozen import Frozen
from .prediction_service import Predict
from .read_body import invalid, list_errors, read_body, validate
from .routes import MAX_INSTANCES, InstanceList, predictions_response

Endpoint = Callable[[Request], Awaitable[Response]]
FORMATS = ("instances", "inputs", "dataframe_records", "dataframe_split")


class Split(Frozen):
    """Rows as pandas splits them: the column names once, then the values of each row."""

    columns: list[str]
    data: Annotated[list[list[Any]], Field(max_length=MAX_INSTANCES, fail_fast=True)]
    index: list[Any] | None = None


class PlatformBody(Frozen):
    """Instances in one of the formats that MLflow, KServe and Vertex AI send."""

    instances: list[Any] | None = None
    inputs: list[Any] | dict[str, list[Any]] | None = None
    """Instances, or the values of each column."""
    dataframe_records: Annotated[list[dict[str, Any]], Field(fail_fast=True)] | None = None
    dataframe_split: Split | None = None
    params: dict[str, Any] | None = None
    """Of MLflow; no task has parameters, so they are not used."""
    parameters: Any = None
    """Of Vertex AI and KServe; not used either."""

    @model_validator(mode="after")
    def _check_formats(self) -> Self:
        if sum(getattr(self, name) is not None for name in FORMATS) != 1:
            raise ValueError(f"must have exactly one of {', '.join(FORMATS)}")
        return self


def read_instances(body: PlatformBody, adapter: TypeAdapter[list[BaseModel]]) -> list[BaseModel]:
    """Return the instances of a body.

    Raises:
        RequestValidationError: an instance breaks a rule, or rows have different lengths.
    """
    (name,) = (name for name in FORMATS if getattr(body, name) is not None)
    content = getattr(body, name)
    try:
        if isinstance(content, Split):
            if len(set(content.columns)) < len(content.columns):
                raise invalid("must have different column names", "body", name)
            content = [dict(zip(content.columns, row, strict=True)) for row in content.data]
        elif isinstance(content, dict):
            rows = zip(*content.values(), strict=True)
            content = [dict(zip(content, row, strict=True)) for row in rows]
        if name.startswith("dataframe"):  # NaN, which does not equal itself, is a missing value
            content = [{k: v for k, v in row.items() if v == v} for row in content]  # noqa: PLR0124
        return adapter.validate_json(to_json(content), strict=True)
    except ValidationError as error:
        raise RequestValidationError(list_errors(error, name)) from None
    except ValueError:
        raise invalid("must have a value of each column in every row", "body", name) from None


def make_endpoint(task: Task, predict: Predict) -> Endpoint:
    """Return an endpoint that answers the instances of a body, in any format."""
    adapter = TypeAdapter[list[BaseModel]](InstanceList[task.request])  # type: ignore[name-defined]

    async def endpoint(request: Request) -> Response:
        async with read_body(request, PlatformBody) as body:
            instances = await validate(request, read_instances, body, adapter)
            return predictions_response(await predict(instances))

    return endpoint
