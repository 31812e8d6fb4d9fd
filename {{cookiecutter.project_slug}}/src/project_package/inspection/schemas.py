"""What the API takes and returns: images, and whether they show a defect."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, create_model

from ..fields import Identifier
from ..frozen import Frozen
from .images import MAX_BYTES, to_base64, to_scaled

ToJson = PlainSerializer(lambda image: to_base64(image.pixels), return_type=str)
Picture = Annotated[Any, PlainValidator(to_scaled), ToJson]
"""A `Scaled` image; in JSON a file in base64."""


class InspectionRequest(Frozen):
    """An image to inspect."""

    image: Picture
    image_id: Identifier | None = None
    part_id: Identifier | None = None
    explain: bool = Field(default=False, description="return the regions that moved the score")


class Label(Frozen):
    """What an inspection of the part found."""

    defect: bool


def request_type(size: int) -> type[InspectionRequest]:
    """Return the request of a model that reads squares of `size` pixels a side.

    An image is scaled while it is validated: a file of 2 kB can hold 16 million pixels.
    """
    schema = {
        "type": "string",
        "contentEncoding": "base64",
        "contentMediaType": "image/png",
        "maxLength": MAX_BYTES * 4 // 3 + 30,
        "examples": [to_base64(np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1)))],
        "description": "PNG or JPEG in base64, or a data URL with it; it becomes grey, "
        f"{size} x {size} pixels",
    }
    picture = Annotated[
        Any,
        PlainValidator(lambda value: to_scaled(value, size)),
        ToJson,
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

    probability: float | None = Field(description="of a defect; null for an unusable image")
    decision: Literal["defect", "good", "unusable"]
    unusable: Literal["side", "contrast", "sharpness"] | None = Field(
        default=None, description="what is below its limit, so that a defect could not be seen"
    )
    regions: list[list[float]] | None = Field(
        default=None,
        description="what the log-odds of a defect lose when a region and its neighbours are "
        "covered, row by row; only with explain",
    )
