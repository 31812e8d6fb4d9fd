"""The base of values that are read: parameters, manifests, keys and requests."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value read from a file or a request: fields cannot change, unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
