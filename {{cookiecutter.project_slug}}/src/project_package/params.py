"""Parameters: the sections of params.toml that every use case has; its own are in its `params`."""

from typing import Annotated

from pydantic import Field

from .frozen import Frozen


class Train(Frozen):
    """How much the search may try."""

    trials: int = Field(default=8, ge=1, description="trials of each candidate with a space")
    candidates: tuple[str, ...] = Field(default=(), description="candidates to try; none means all")
    examples: int = Field(default=8, ge=0, le=100, description="test rows shown at /docs")


class Promote(Frozen):
    """What a challenger must show before it becomes the champion."""

    worst: dict[str, float] = Field(default={}, description="scores to accept at worst, by metric")
    margin: float = Field(default=0.01, ge=0, description="loss against the champion allowed")
    confidence: float = Field(default=0.9, gt=0.5, lt=1, description="of the bootstrap interval")
    resamples: int = Field(default=200, ge=50, description="of the paired bootstrap")
    slice_margin: float = Field(default=0.05, ge=0, description="loss allowed on a guarded slice")
    guarded: tuple[str, ...] = Field(default=(), description="slices that may not lose more")
    max_loss: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="of other metrics, by name, against the champion"
    )
    max_changed: float = Field(default=1, ge=0, le=1, description="share of answers that change")
    reason: str = Field(default="", description="why more answers may change than that")
    max_difference: float = Field(default=1e-5, gt=0, description="loaded model to fitted model")
    min_parity_rows: int = Field(default=10_000, ge=1, description="to compare them on")
    max_quantisation_loss: float = Field(default=0.01, ge=0, description="of the goal, by int8")
    max_bundle_mb: float = Field(default=20.0, gt=0, description="size of the bundle, MB")
    max_latency_ms: float = Field(default=10.0, gt=0, description="processor time of a request")


class Params(Frozen):
    """The sections of params.toml that every use case has; a use case adds its own."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="in the registry")
    seed: int = Field(default=7, ge=0)
    train: Train = Train()
    promote: Promote = Promote()
