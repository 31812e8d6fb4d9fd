"""Requests become rows, and scores become the best items."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from multiplying import MANIFEST
from sessions.tables import following

from project_package.bundle import Bundle
from project_package.columns import Columns
from project_package.sessions.models import Trained
from project_package.sessions.network import Counts
from project_package.sessions.schemas import SessionsRequest, SessionsResponse
from project_package.sessions.task import (
    BASKETS_READ,
    HISTORY,
    MAX_ITEMS_READ,
    Catalogue,
    load,
    make_task,
    to_raw_rows,
)

AS_OF = datetime(2024, 7, 1, tzinfo=UTC)
ITEMS = tuple(f"I{number:02}" for number in range(80))
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Return a bundle that recommends what a household buys most, then items in order."""
    network = Counts(np.arange(len(ITEMS), 0, -1.0), prior=1.0)
    return Bundle(dict(Trained(network, Catalogue(ITEMS)).files()), MANIFEST)


def asked(*baskets: Sequence[str], **changes: Any) -> SessionsRequest:
    """Ask for a household with a basket a day; the last was bought yesterday."""
    bought = [
        {"timestamp": AS_OF - timedelta(days=len(baskets) - day), "items": list(items)}
        for day, items in enumerate(baskets)
    ]
    values = {"household_id": "H", "as_of": AS_OF, "baskets": bought, **changes}
    return SessionsRequest.model_validate(values)


def answers(bundle: Bundle, *requests: SessionsRequest) -> list[SessionsResponse]:
    task = make_task(bundle)
    rows = task.to_rows(requests)
    return [*task.to_responses(rows, load(bundle).predict(rows))]  # type: ignore[list-item]


def best(bundle: Bundle, request: SessionsRequest) -> list[str]:
    return [found.item for found in answers(bundle, request)[0].items]


def test_requests_become_rows() -> None:
    rows = to_raw_rows([asked(), asked(count=3, exclude=["A"], only_new=True)])
    assert rows["timestamp"].tolist() == [1_719_792_000_000] * 2
    assert rows["household_id"].tolist() == ["H", "H"]
    assert rows["count"].tolist() == [10, 3]
    assert rows["exclude"].tolist() == [[], ["A"]]
    assert rows["only_new"].tolist() == [False, True]


def test_request_has_its_purchases_in_order_of_time() -> None:
    request = asked(["C"], ["B", "A"])
    turned = request.model_copy(update={"baskets": (request.baskets or [])[::-1]})
    history = (HISTORY.from_request(turned) or {})["household_id"]
    assert history["item"].tolist() == ["C", "B", "A"]
    assert np.diff(history["timestamp"]).tolist() == [86_400_000, 0]
    assert HISTORY.needs_store(asked(baskets=None))


def test_answers_the_best_items_with_their_share(bundle: Bundle) -> None:
    (response,) = answers(bundle, asked(["I05", "I07"], ["I07"], count=3))
    assert [(found.item, found.bought) for found in response.items] == [
        ("I07", True),
        ("I05", True),
        ("I00", False),
    ]
    assert response.baskets == 2
    scores = [found.score for found in response.items]
    assert scores == sorted(scores, reverse=True)
    assert sum(found.score for found in answers(bundle, asked(count=50))[0].items) < 1


def test_excluded_items_are_left_out(bundle: Bundle) -> None:
    assert best(bundle, asked(exclude=["I00", "I02", "nothing"], count=2)) == ["I01", "I03"]


def test_only_new_leaves_out_what_was_bought(bundle: Bundle) -> None:
    assert best(bundle, asked(["I07", "I01"], only_new=True, count=2)) == ["I00", "I02"]


def test_more_than_fifty_items_can_be_excluded(bundle: Bundle) -> None:
    assert best(bundle, asked(exclude=ITEMS[:60], count=50)) == [*ITEMS[60:]]
    assert best(bundle, asked(exclude=ITEMS)) == []


def test_requests_of_one_batch_do_not_change_each_other(bundle: Bundle) -> None:
    requests = [asked(exclude=ITEMS[:9]), asked(["I03"] * 3, count=1), asked(only_new=True)]
    alone = [answers(bundle, request)[0] for request in requests]
    assert answers(bundle, *requests) == alone


@pytest.mark.parametrize("baskets", [[], [["unknown"]], [["x", "y"], ["z"]]])
def test_new_household_gets_what_everybody_buys(bundle: Bundle, baskets: list[list[str]]) -> None:
    (response,) = answers(bundle, asked(*baskets, count=3))
    assert [found.item for found in response.items] == ["I00", "I01", "I02"]
    assert not any(found.bought for found in response.items)
    assert response.baskets == len(baskets)


def test_inputs_start_with_an_empty_basket() -> None:
    rows = following(["ABX", "C", "A"], ["A"], ["XY", "B"])
    found = Catalogue(("A", "B", "C")).encode(rows)
    assert found["items"].tolist() == [
        [[0, 0], [1, 2], [3, 0]],
        [[0, 0], [0, 0], [0, 0]],
        [[0, 0], [0, 0], [0, 0]],
    ]
    assert found["days"].tolist() == [[2, 2, 1], [0, 0, 0], [1, 1, 0]]
    assert found["last"].tolist() == [2, 0, 1]


def test_network_reads_the_newest_baskets_and_the_popular_items() -> None:
    rows = following([LETTERS, *["A"] * BASKETS_READ, "B"], [LETTERS, "A"])
    found = Catalogue((*LETTERS,)).encode(rows)
    assert found["items"].shape == (2, 1 + BASKETS_READ, MAX_ITEMS_READ)
    assert found["items"][0].sum(1).tolist() == [0, *[1] * BASKETS_READ]
    assert found["items"][1, 1].tolist() == [*range(1, MAX_ITEMS_READ + 1)]
    assert found["days"][0, [1, -1]].tolist() == [BASKETS_READ, 1]


def test_purchases_count_half_after_the_half_life() -> None:
    rows = following(["AAX", "AB", "A"], ["A"])
    found = Catalogue(("A", "B", "C"), half_life=1).encode(rows)["counts"]
    assert found.tolist() == [[0.75, 0.5, 0], [0, 0, 0]]


def test_all_items_of_all_baskets_are_counted() -> None:
    baskets = [LETTERS] * (BASKETS_READ + 9)
    found = Catalogue((*LETTERS,), half_life=1e9).encode(following([*baskets, "A"]))["counts"]
    np.testing.assert_allclose(found, np.full((1, len(LETTERS)), len(baskets)), rtol=1e-5)


def test_model_takes_no_rows(bundle: Bundle) -> None:
    none: Columns = {name: values[:0] for name, values in following(["A"]).items()}
    assert load(bundle).predict(none)["items"].shape == (0, 50)


def test_monitors_histories_and_counts_unknown_items(bundle: Bundle) -> None:
    task = make_task(bundle)
    model = load(bundle)
    rows = task.to_rows([asked(), asked(["I03", "x"], ["y", "I03"]), asked(ITEMS)])
    found = task.monitored(rows, model.predict(rows))
    assert found["history"].tolist() == [0, 2, 1]
    assert found["unknown"].tolist() == [0, 0.5, 0]
    assert found["top_item"].tolist() == ["I00", "I03", "I00"]
    assert (found["top_score"] > 0).all()
    assert task.unseen(rows, {}) == {"item": 2}
