"""What the API takes and returns: images, and whether they show a defect."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, create_model

from ..fields import Identifier
from ..frozen import Frozen
from .images import MAX_BYTES, scale, to_base64, to_pixels

Picture = Annotated[Any, PlainValidator(to_pixels), PlainSerializer(to_base64, return_type=str)]
"""Grey levels of an image; in JSON a file in base64."""


class InspectionRequest(Frozen):
    """An image to inspect."""

    image: Picture
    image_id: Identifier | None = None
    part_id: Identifier | None = None
    explain: bool = Field(default=False, description="return the regions that moved the score")


def request_type(size: int) -> type[InspectionRequest]:
    """Return the request of a model that reads squares of `size` pixels a side.

    An image is scaled while it is validated: a file of 2 kB can hold 16 million pixels.
    """
    schema = {
        "type": "string",
        "contentEncoding": "base64",
        "contentMediaType": "image/png",
        "maxLength": MAX_BYTES * 4 // 3 + 4,
        "examples": [to_base64(np.full((8, 8), 128, np.uint8))],
        "description": f"PNG or JPEG in base64; it becomes grey, {size} x {size} pixels",
    }
    picture = Annotated[
        Any,
        PlainValidator(lambda value: scale(to_pixels(value), size)),
        PlainSerializer(to_base64, return_type=str),
        WithJsonSchema(schema),
    ]
    return create_model(
        "InspectionRequest",
        __base__=InspectionRequest,
        __doc__=InspectionRequest.__doc__,
        image=(picture, ...),
    )


class InspectionResponse(Frozen):
    """The answer for one image."""

    probability: float = Field(description="of a defect")
    decision: Literal["defect", "good"]
    regions: list[list[float]] | None = Field(
        default=None,
        description="what the log-odds of a defect lose when a region and its neighbours are "
        "covered, row by row; only with explain",
    )
