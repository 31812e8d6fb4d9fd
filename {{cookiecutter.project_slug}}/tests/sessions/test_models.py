"""The candidates: how the network is trained and continued, their graphs and their items."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import FixedTrial
from sessions.tables import household, params

from project_package.columns import Columns, length, take
from project_package.errors import UserError
from project_package.onnx_runtime import GRAPH
from project_package.sessions.dataset import before
from project_package.sessions.metrics import recalls
from project_package.sessions.mixture import mix
from project_package.sessions.models import (
    Trained,
    cache_key,
    candidates,
    catalogue_of,
)
from project_package.sessions.task import Catalogue, model_of

LETTERS = "ABCDEFGHIJ"

SETTINGS = {"width": 32, "dropout": 0.1, "rate": 0.02}


class Killed(Exception):
    """Stands for a kill."""


def shoppers(count: int, baskets: int = 9) -> Columns:
    """Return rows of households that buy X, and the letter after the one bought before."""
    people = []
    for number in range(count):
        letters = [LETTERS[(number + basket) % len(LETTERS)] for basket in range(baskets)]
        people.append(household([letter + "X" for letter in letters], f"H{number:03}"))
    return before(people, int(people[0].times[-1]))


ROWS = shoppers(120)


def trained(root: Path, killed_after: int = 99, seed: int = 7, **options: Any) -> tuple[Any, Any]:
    """Train the network; return it, and the losses by epoch."""
    seen: dict[int, float] = {}

    def report(epoch: int, scores: Mapping[str, float]) -> None:
        checked = {"val_loss", "score"} if "held_out" in options else set()
        assert scores.keys() == {"loss", *checked}
        seen[epoch] = scores["loss"]
        if epoch == killed_after:
            raise Killed

    network = {"epochs": 4, "batch": 16, "device": "cpu", **options}
    candidate = candidates(params(network=network), root)[1]
    try:
        return candidate.fit(ROWS, SETTINGS, seed, report), seen
    except Killed:
        return None, seen


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    found: Trained = trained(tmp_path_factory.mktemp("network"), epochs=25)[0]
    return found


def counted(root: Path) -> Trained:
    """Return the simple baseline."""
    simple = candidates(params(), root)[0]
    found: Trained = simple.fit(ROWS, simple.start, 7)  # type: ignore[assignment]
    return found


def weights(fitted: Trained) -> list[Any]:
    return [value.numpy() for value in fitted.network.state_dict().values()]


def test_bundle_lists_the_layers_of_the_network(fitted: Trained) -> None:
    assert b"GRU(" in fitted.files()["layers.txt"]


def test_graphs_answer_as_pytorch_for_any_number(tmp_path: Path, fitted: Trained) -> None:
    counts = counted(tmp_path)
    for model in (fitted, counts, mix(counts, fitted, share=0.4)):
        graph = model_of(model.files()[GRAPH], fitted.catalogue)
        for number, baskets in ((1, 1), (1, 12), (3, 2), (40, 7)):
            rows = shoppers(number, baskets)
            found = graph.predict(rows)
            expected = model.predict(rows)
            np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-6)


def test_network_learns_what_follows_and_beats_counts(tmp_path: Path, fitted: Trained) -> None:
    rows = take(shoppers(60, 6), np.arange(0, 120, 2))
    assert all(rows["baskets"])
    top = {"items": fitted.predict(rows)["items"][:, :2]}
    popular = counted(tmp_path).predict(rows)
    assert recalls(rows, top).mean() > 0.95
    assert recalls(rows, {"items": popular["items"][:, :2]}).mean() < 0.6


def test_smaller_graph_ranks_nearly_alike(tmp_path: Path, fitted: Trained) -> None:
    quantise = candidates(params(), tmp_path)[1].quantise
    assert quantise
    small: Any = quantise(fitted, ROWS)
    one, two = (model.predict(ROWS)["items"][:, :2] for model in (fitted, small))
    assert np.mean(np.sort(one.astype(str)) == np.sort(two.astype(str))) > 0.95
    first = take(ROWS, np.arange(1))  # other rows of a batch change nothing
    alone = small.predict(first)["scores"]
    beside = small.predict(ROWS)["scores"][:1]
    np.testing.assert_allclose(alone, beside, rtol=1e-4)


def test_no_answer_depends_on_the_other_rows(fitted: Trained) -> None:
    together = fitted.predict(ROWS)["scores"]
    for row in range(6):
        alone = fitted.predict(take(ROWS, np.array([row])))["scores"]
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-4)


def test_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    one, two, other = (
        weights(trained(tmp_path / name, epochs=1, seed=seed)[0])
        for name, seed in (("one", 7), ("two", 7), ("other", 8))
    )
    assert all(map(np.array_equal, one, two))
    assert not all(map(np.array_equal, one, other))


def test_killed_training_continues_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, losses = trained(tmp_path / "whole")
    _, before_kill = trained(tmp_path / "killed", killed_after=1)
    continued, after_kill = trained(tmp_path / "killed")
    assert [*before_kill] == [0, 1]
    assert [*after_kill] == [2, 3]
    assert before_kill | after_kill == losses
    assert all(map(np.array_equal, weights(continued), weights(whole)))
    again, seen = trained(tmp_path / "killed")
    assert not seen  # it has finished: its weights are read
    assert all(map(np.array_equal, weights(again), weights(whole)))


def test_held_out_households_score_each_epoch(tmp_path: Path) -> None:
    whole, _ = trained(tmp_path / "whole", epochs=1)
    scored, seen = trained(tmp_path / "scored", epochs=1, held_out=0.2)
    assert [*seen] == [0]
    assert not all(map(np.array_equal, weights(whole), weights(scored)))


def test_unknown_items_alone_leave_the_weights_finite(tmp_path: Path) -> None:
    rare = {**take(ROWS, np.arange(1)), "household_id": np.array(["H"], object)}
    rare["bought"] = np.fromiter([("rare",)], object)
    rare["baskets"], rare["days"] = (np.fromiter([()], object) for _ in range(2))
    rows = {name: np.concatenate([ROWS[name], rare[name]]) for name in ROWS}
    options = {"epochs": 1, "batch": 1, "device": "cpu"}
    candidate = candidates(params(network=options), tmp_path)[1]
    found: Any = candidate.fit(take(rows, np.arange(length(rows) - 20, length(rows))), SETTINGS, 7)
    assert all(np.isfinite(values).all() for values in weights(found))


def test_a_loss_that_is_not_a_number_is_explained(tmp_path: Path) -> None:
    candidate = candidates(params(network={"device": "cpu"}), tmp_path)[1]
    with pytest.raises(UserError, match="The loss is not a number"):
        candidate.fit(ROWS, {**SETTINGS, "rate": 1e30}, 7)


def test_catalogue_has_items_of_enough_households() -> None:
    people = [household(["AB"], "one"), household(["A", "BC", "C"], "two")]
    rows = before(people, int(people[1].times[-1]))
    assert catalogue_of(rows, 2) == Catalogue(("A", "B"))
    assert catalogue_of(rows, 1) == Catalogue(("A", "B", "C"))
    with pytest.raises(UserError, match=r"by 3 households \(the most are 2\): lower data\.min_"):
        catalogue_of(rows, 3)


def test_counts_add_what_everybody_buys(tmp_path: Path) -> None:
    rows = {**take(ROWS, np.arange(1)), "baskets": np.fromiter([(("C",),)], object)}
    rows["days"] = np.fromiter([(90.0,)], object)
    found = counted(tmp_path).predict(rows)
    scores = dict(zip(found["items"][0], found["scores"][0].tolist(), strict=True))
    assert scores["C"] - scores["D"] == pytest.approx(0.5 / 50.5, abs=1e-3)
    assert scores["X"] > scores["C"]


def test_checkpoints_are_of_rows_settings_and_seed() -> None:
    more = params(network={"epochs": 9})
    names = {
        cache_key(ROWS, SETTINGS, params(), 7),
        cache_key(take(ROWS, np.arange(9)), SETTINGS, params(), 7),
        cache_key(ROWS, {**SETTINGS, "width": 64}, params(), 7),
        cache_key(ROWS, SETTINGS, more, 7),
        cache_key(ROWS, SETTINGS, params(), 8),
    }
    assert len(names) == 5


def test_search_starts_at_settings_that_it_can_suggest(tmp_path: Path) -> None:
    for candidate in candidates(params(), tmp_path):
        assert candidate.space
        trial: Any = FixedTrial(dict(candidate.start))
        assert candidate.space(trial) == candidate.start
