"""How much of a model is checked before it may be promoted."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Checks:
    """How much of a model is checked: less if its calls are slow or cost money."""

    max_parity_rows: int | None = None
    """At most how many rows compare bundle and model. None: 20,000, or promote.min_parity_rows."""
    latency_calls: int = 150
    """How many calls the gate times."""
