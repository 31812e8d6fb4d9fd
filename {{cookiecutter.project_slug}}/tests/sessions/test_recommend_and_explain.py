"""Which of the household's own items moved each recommended one, and what that costs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from multiplying import MANIFEST
from sessions.test_task import ITEMS, answers, asked

from project_package.bundle import Bundle
from project_package.columns import Columns, length
from project_package.sessions.features import objects
from project_package.sessions.models import Trained
from project_package.sessions.network import Counts
from project_package.sessions.recommend_and_explain import LEFT_OUT, SessionsModel
from project_package.sessions.task import Catalogue, load, make_task

BOUGHT = (["I05", "I07"], ["I07", "unknown"])


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Return a bundle that recommends what a household buys most, then items in order."""
    network = Counts(np.arange(len(ITEMS), 0, -1.0), prior=1.0)
    return Bundle(dict(Trained(network, Catalogue(ITEMS)).files()), MANIFEST)


def score_of(bundle: Bundle, item: str, baskets: Sequence[Sequence[str]]) -> float:
    """Return the score of an item, of the best fifty."""
    days = [1.0 + index for index in range(len(baskets))][::-1]
    rows = {"baskets": objects([(*map(tuple, baskets),)]), "days": objects([(*days,)])}
    found = load(bundle).predict(rows)
    return float(found["scores"][0][found["items"][0].tolist().index(item)])


def test_effect_is_the_log_score_less_that_without_the_item(bundle: Bundle) -> None:
    (response,) = answers(bundle, asked(*BOUGHT, count=3, explain=True))
    for found in response.items:
        expected = {
            left_out: np.log(
                score_of(bundle, found.item, BOUGHT)
                / score_of(bundle, found.item, [[i for i in b if i != left_out] for b in BOUGHT])
            )
            for left_out in ("I05", "I07")
        }
        effects = {reason.item: reason.effect for reason in found.reasons}
        assert effects == pytest.approx(expected, abs=1e-4)
        strengths = [abs(reason.effect) for reason in found.reasons]
        assert strengths == sorted(strengths, reverse=True)
    assert response.items[0].item == response.items[0].reasons[0].item == "I07"
    assert response.items[0].reasons[0].effect > 0


def test_scores_are_those_without_reasons(bundle: Bundle) -> None:
    plain = answers(bundle, asked(*BOUGHT))[0]
    asking, other = answers(bundle, asked(*BOUGHT, explain=True), asked(*BOUGHT))
    assert other == plain
    assert not any(found.reasons for found in plain.items)
    assert all(found.reasons for found in asking.items)
    bare = [found.model_copy(update={"reasons": []}) for found in asking.items]
    assert bare == plain.items


@pytest.mark.parametrize("baskets", [[], [["unknown"]]])
def test_new_household_has_no_reasons(bundle: Bundle, baskets: list[list[str]]) -> None:
    (response,) = answers(bundle, asked(*baskets, explain=True))
    assert response.items
    assert not any(found.reasons for found in response.items)


def test_items_bought_most_often_are_left_out(bundle: Bundle) -> None:
    often = ITEMS[50 : 50 + LEFT_OUT - 1]
    baskets = [often, ["I01"], [*often, "I00", "I49"], ["I49"]]
    (response,) = answers(bundle, asked(*baskets, count=50, explain=True))
    first = {found.item: found.reasons[0].item for found in response.items}
    assert all(first[item] == item for item in (*often, "I49"))
    named = {reason.item for found in response.items for reason in found.reasons}
    assert not named & {"I00", "I01"}


class Counting:
    """A ranker that counts the rows that it predicts."""

    predicted = 0

    def predict(self, rows: Columns) -> Columns:
        count = length(rows)
        self.predicted += count
        scores = np.full((count, len(ITEMS)), 1 / len(ITEMS))
        return {"items": objects([ITEMS[:50]] * count), "scores": scores}


def test_explained_request_counts_for_its_predictions(bundle: Bundle) -> None:
    task = make_task(bundle)
    request = asked(ITEMS, ITEMS[:40], explain=True)
    ranker = Counting()
    model = SessionsModel(ranker, Catalogue(ITEMS).codes)
    rows: Any = task.to_rows([request])
    model.predict(rows)
    assert ranker.predicted == 1 + 1 + LEFT_OUT  # ranked first, then with nothing left out
    assert task.weight(request) == ranker.predicted
    assert task.weight(asked(ITEMS)) == 1
