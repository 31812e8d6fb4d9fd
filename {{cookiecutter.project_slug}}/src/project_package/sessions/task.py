"""What the server needs: requests become rows, rows get scores, the best items become answers."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle, Files
from ..columns import EXPLAIN, TIMESTAMP, Columns, length, milliseconds
from ..contract.history import History, HistoryRows, HistoryTask
from ..contract.task import Task
from ..onnx_runtime import GRAPH, OnnxModel
from .features import DAYS, ENTITIES, HOUSEHOLD, ITEM, Items, features, objects
from .recommend_and_explain import ALL_SCORES, LEFT_OUT, SessionsModel
from .schemas import (
    MAX_COUNT,
    Label,
    Purchase,
    Reason,
    Recommended,
    SessionsRequest,
    SessionsResponse,
)

CATALOGUE = "items.json"
BASKETS_READ = 50
"""Baskets that the network reads, at most: the newest."""
MAX_ITEMS_READ = 32
"""Items of a basket that the network reads, at most: 96 % of the baskets have fewer."""


@dataclass(frozen=True)
class Catalogue:
    """The items that a model knows, the popular ones first, and how fast purchases lose weight."""

    items: tuple[str, ...]
    half_life: float = 90.0
    """Days after which a purchase counts half."""

    @cached_property
    def codes(self) -> dict[str, int]:
        """The number of each item, from 1; 0 is no item."""
        return {item: code for code, item in enumerate(self.items, 1)}

    def encode(self, rows: Columns) -> Columns:
        """Return the inputs of a graph, for baskets and days of rows: `sequences` and `counts`."""
        return {**self.sequences(rows), "counts": self.counts(rows)}

    def counts(self, rows: Columns) -> NDArray[np.float32]:
        """Count the purchases of each item, which lose weight over time: (rows, items)."""
        pairs = zip(rows["baskets"], rows["days"], strict=True)
        counts = [self.sum_by_item(b, 0.5 ** (np.array([*d]) / self.half_life)) for b, d in pairs]
        return np.array(counts, np.float32).reshape(-1, len(self.items))

    def sum_by_item(self, baskets: Sequence[Items], weights: NDArray[Any]) -> NDArray[Any]:
        """Sum the weights of baskets, (baskets,), by item: (items,)."""
        known = [self.known(basket) for basket in baskets]
        codes = np.fromiter(chain.from_iterable(known), np.int64)
        return np.bincount(codes, np.repeat(weights, [*map(len, known)]), len(self.items) + 1)[1:]

    def sequences(self, rows: Columns) -> Columns:
        """Return what the network reads: the newest baskets of rows.

        Items, (rows, baskets, items) int64; days, (rows, baskets) float32; and last, (rows,) int64:
        the index of the newest basket. Each row starts with an empty basket; unknown items are
        left out.
        """
        read = [baskets[-BASKETS_READ:] for baskets in rows["baskets"]]
        different = {*chain.from_iterable(read)}  # rows share many: each is read once
        codes = {basket: self.codes_read(basket) for basket in different}
        known = [[codes[basket] for basket in baskets] for baskets in read]
        longest = 1 + max(map(len, known), default=0)
        most = max([1, *map(len, codes.values())])
        items = np.zeros((len(known), longest, most), np.int64)
        days = np.zeros((len(known), longest), np.float32)
        for row, baskets in enumerate(known):
            for index, basket in enumerate(baskets, 1):
                items[row, index, : len(basket)] = basket
            days[row, 1 : 1 + len(baskets)] = [*rows["days"][row][-BASKETS_READ:]]
            days[row, 0] = days[row, 1] if baskets else 0
        return {
            "items": items,
            "days": days,
            "last": np.array([len(row) for row in known], np.int64),
        }

    def known(self, items: Sequence[str]) -> list[int]:
        """Return the codes of the items that are known."""
        return [self.codes[item] for item in items if item in self.codes]

    def codes_read(self, items: Sequence[str]) -> list[int]:
        """Return the codes of the items that are known, of a large basket the popular ones."""
        return sorted(self.known(items))[:MAX_ITEMS_READ]

    def rank(self, rows: Columns, outputs: Columns) -> Columns:
        """Return the best items of rows and their scores, falling: (rows, 50 or all items) each.

        A row may have `exclude`, items to leave out, and `only_new`, to leave out what was bought;
        their scores are -1.
        """
        scores = outputs["scores"]
        for row in range(len(scores) if "exclude" in rows else 0):
            bought = rows["baskets"][row] if rows["only_new"][row] else ()
            hidden = {*rows["exclude"][row], *(item for basket in bought for item in basket)}
            scores[row, [self.codes[item] - 1 for item in hidden if item in self.codes]] = -1
        best = np.argsort(-scores, axis=1, kind="stable")[:, :MAX_COUNT]
        names = np.array(self.items, object)
        return {"items": names[best], "scores": np.take_along_axis(scores, best, axis=1)}

    def unseen(self, rows: Columns, _: Columns) -> dict[str, int]:
        """Count the purchases of unknown items."""
        items = (item for row in rows["baskets"] for basket in row for item in basket)
        return {ITEM: sum(item not in self.codes for item in items)}

    def monitored(self, rows: Columns, predictions: Columns) -> Columns:
        """Return the length of the history, the share of unknown items, and the best item."""
        bought = [[item for basket in row for item in basket] for row in rows["baskets"]]
        unknown = [sum(item not in self.codes for item in items) for items in bought]
        return {
            "history": np.array([len(row) for row in rows["baskets"]]),
            "unknown": np.divide(unknown, [max(len(items), 1) for items in bought]),
            "top_score": predictions["scores"][:, 0],
            "top_item": predictions["items"][:, 0],
        }

    def files(self) -> Files:
        """Return the file for a bundle."""
        return {CATALOGUE: json.dumps(asdict(self)).encode()}


def catalogue(bundle: Bundle) -> Catalogue:
    """Read the catalogue of a bundle."""
    values = json.loads(bundle.files[CATALOGUE])
    return Catalogue(tuple(values["items"]), values["half_life"])


def model_of(graph: bytes, known: Catalogue) -> SessionsModel:
    """Return the served model of a graph, which ranks the items of a catalogue."""

    def decode(rows: Columns, outputs: Columns) -> Columns:
        return outputs if ALL_SCORES in rows else known.rank(rows, outputs)

    return SessionsModel(OnnxModel(graph, known.encode, decode), known.codes)


def load(bundle: Bundle) -> SessionsModel:
    """Load the model of a bundle."""
    return model_of(bundle.files[GRAPH], catalogue(bundle))


def to_raw_rows(requests: Sequence[SessionsRequest]) -> Columns:
    """Turn requests into rows: households, moments, and what to leave out."""
    return {
        TIMESTAMP: milliseconds([request.as_of for request in requests]),
        HOUSEHOLD: objects(request.household_id for request in requests),
        "count": np.array([request.count for request in requests]),
        "exclude": objects(request.exclude for request in requests),
        "only_new": np.array([request.only_new for request in requests]),
        EXPLAIN: np.array([request.explain for request in requests]),
    }


def to_responses(rows: Columns, predictions: Columns) -> list[SessionsResponse]:
    """Turn the best items into responses."""
    responses = []
    reasons = predictions.get("reasons", objects([] for _ in range(length(rows))))
    for row in range(length(rows)):
        baskets = rows["baskets"][row]
        count = int(rows["count"][row])
        bought = {item for basket in baskets for item in basket}
        best = zip_longest(
            predictions["items"][row], predictions["scores"][row].tolist(), reasons[row]
        )
        items = [
            Recommended(
                item=item,
                score=round(score, 6),
                bought=item in bought,
                reasons=[Reason(item=other, effect=effect) for other, effect in why or ()],
            )
            for item, score, why in list(best)[:count]
            if score >= 0
        ]
        responses.append(SessionsResponse(items=items, baskets=len(baskets)))
    return responses


def from_request(request: SessionsRequest) -> HistoryRows:
    """Return the purchases of the baskets that a request contains, in order of time."""
    if request.baskets is None:
        return {}
    baskets = sorted(request.baskets, key=lambda basket: basket.timestamp)
    times = milliseconds([basket.timestamp for basket in baskets])
    items = [item for basket in baskets for item in basket.items]
    repeats = [len(basket.items) for basket in baskets]
    return {HOUSEHOLD: {TIMESTAMP: np.repeat(times, repeats), ITEM: objects(items)}}


HISTORY = History(
    entities=ENTITIES,
    event=Purchase,
    key=(HOUSEHOLD, TIMESTAMP, ITEM),
    to_raw_rows=to_raw_rows,
    needs_store=lambda request: request.baskets is None,
    from_request=from_request,
    features=features,
)


MEANINGS = {
    "baskets": f"items of the baskets of the {DAYS} days before, the oldest first",
    "days": "how many days before each was bought",
}


def make_task(bundle: Bundle) -> Task:
    """Return the task, which counts the items that the bundle does not know."""
    known = catalogue(bundle)
    return HistoryTask(
        name="sessions",
        request=SessionsRequest,
        response=SessionsResponse,
        load=load,
        to_rows=HISTORY.to_rows,
        to_responses=to_responses,
        monitored=known.monitored,
        outputs=("top_score", "top_item"),
        weight=lambda request: 2 + LEFT_OUT if request.explain else 1,
        unseen=known.unseen,
        entity=HOUSEHOLD,
        label=Label,
        meanings=MEANINGS,
        history=HISTORY,
    )
