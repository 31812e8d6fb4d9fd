"""Parameters: the sections of params.toml that every use case has; its own are in its `params`."""

from typing import Annotated

from pydantic import Field

from .frozen import Frozen


class Train(Frozen):
    """How much the search may try."""

    trials: int = Field(default=8, ge=1, description="trials of each candidate with a space")
    width: int = Field(default=2, ge=1, description="trials drawn at once")
    candidates: tuple[str, ...] = Field(default=(), description="candidates to try; none means all")
    data_parallel: bool = Field(default=False, description="fit XGBoost on all workers of CLUSTER")
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


class Monitor(Frozen):
    """When `ml monitor` raises an alarm."""

    hours: float = Field(default=24, gt=0, description="of a window")
    windows: int = Field(default=14, ge=1, description="how many windows are shown")
    min_rows: int = Field(default=200, ge=1, description="a window with fewer is not judged")
    max_rows: int = Field(default=50_000, ge=1, description="of a window; more are sampled")
    psi: float = Field(default=0.2, gt=0, description="stability index of a drifted column")
    p_value: float = Field(default=0.001, gt=0, lt=1, description="of drift, corrected")
    broken: float = Field(default=0.05, ge=0, le=1, description="more missing or unexpected values")
    loss: float = Field(
        default=0.2, gt=0, description="share of the gain over no model that may be lost"
    )
    confidence: float = Field(default=0.99, gt=0.5, le=0.99, description="that it is lost")
    stale_days: float = Field(default=365, gt=0, description="age of the champion")
    skew: float = Field(default=0.01, ge=0, le=1, description="values that may differ from data")
    metrics: str = Field(default="", description="URL of the server's /metrics; empty: not read")
    failed: float = Field(default=0.001, ge=0, le=1, description="requests that may fail")
    slow_seconds: float = Field(default=0.1, gt=0, description="a slower answer counts as slow")
    slow: float = Field(default=0.01, ge=0, le=1, description="requests that may be slow")


class Simulate(Frozen):
    """How `ml simulate` sends traffic."""

    url: str = Field(default="http://127.0.0.1:8000", description="of the server")
    rate: float = Field(default=0, ge=0, description="instances a second; 0 for no limit")
    strength: float = Field(default=1, ge=0, description="of a damage; 1 is clear")


class Params(Frozen):
    """The sections of params.toml that every use case has; a use case adds its own."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="in the registry")
    seed: int = Field(default=7, ge=0)
    train: Train = Train()
    promote: Promote = Promote()
    monitor: Monitor = Monitor()
    simulate: Simulate = Simulate()
