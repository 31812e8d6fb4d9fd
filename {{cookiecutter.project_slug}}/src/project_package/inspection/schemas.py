"""What the API takes and returns: images, and whether they show a defect."""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from ..contract import Frozen
from ..fields import Identifier
from .images import MAX_BYTES, to_base64, to_pixels

Picture = Annotated[
    Any,
    PlainValidator(to_pixels),
    PlainSerializer(to_base64, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "contentMediaType": "image/png",
            "maxLength": MAX_BYTES * 4 // 3 + 4,
            "description": "PNG or JPEG, grey or in colours, in base64",
        }
    ),
]
"""Grey levels of an image; in JSON a file in base64."""


class InspectionRequest(Frozen):
    """An image to inspect."""

    image: Picture
    image_id: Identifier | None = None
    part_id: Identifier | None = None
    explain: bool = Field(default=False, description="return the regions that moved the score")


class InspectionResponse(Frozen):
    """The answer for one image."""

    probability: float = Field(description="of a defect")
    decision: Literal["defect", "good"]
    regions: list[list[float]] | None = Field(
        default=None,
        description="what the log-odds of a defect lose when a region and its neighbours are "
        "covered, row by row; only with explain",
    )
