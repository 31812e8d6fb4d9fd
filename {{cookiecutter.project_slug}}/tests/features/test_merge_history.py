"""Requests and their histories become one table."""

from datetime import timedelta

import numpy as np

from project_package.contract.history import Entity
from project_package.features.merge_history import merge_history
from project_package.features.windows import NO_ENTITY

ENTITIES = (
    Entity("card", timedelta(days=1), ("amount", "country")),
    Entity("shop", timedelta(days=1), ()),
)
ROWS = {
    "timestamp": np.array([20, 10]),
    "card": np.array(["a", "b"], object),
    "shop": np.array(["s", "s"], object),
    "amount": np.array([2.0, 1.0]),
    "country": np.array(["NL", "BE"], object),
    "note": np.array(["x", "y"], object),
}


def test_rows_are_merged_with_their_history_in_order_of_time() -> None:
    card = {
        "timestamp": np.array([5, 20]),
        "amount": np.array([7.0, 8.0]),
        "country": np.array(["FR", "DE"], object),
    }
    shops = [{"shop": {"timestamp": np.array([10])}} for _ in range(2)]
    histories = [{"card": card, **shops[0]}, shops[1]]
    merged, positions = merge_history(ROWS, histories, ENTITIES)
    assert merged["timestamp"].tolist() == [5, 10, 10, 10, 20, 20]
    assert merged["card"].tolist() == [1, NO_ENTITY, NO_ENTITY, 2, 1, 1]
    assert merged["shop"].tolist() == [NO_ENTITY, 1, 2, 2, NO_ENTITY, 1]
    assert merged["amount"].tolist() == [7, 0, 0, 1, 8, 2]
    assert merged["country"].tolist() == ["FR", "", "", "BE", "DE", "NL"]
    assert merged["note"].tolist() == ["", "", "", "y", "", "x"]
    assert positions.tolist() == [5, 3]


def test_rows_that_share_a_history_follow_each_other() -> None:
    shop = {"timestamp": np.array([5, 15])}
    merged, positions = merge_history(ROWS, [{"shop": shop}, {"shop": shop}], ENTITIES)
    assert merged["timestamp"].tolist() == [5, 10, 15, 20]
    assert merged["card"].tolist() == [NO_ENTITY, 2, NO_ENTITY, 1]
    assert merged["shop"].tolist() == [1, 1, 1, 1]
    assert positions.tolist() == [3, 1]
