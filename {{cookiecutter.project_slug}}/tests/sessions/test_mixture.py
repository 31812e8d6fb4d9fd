"""The mixture of counts and network: its scores on the folds, its settings and its answers."""

import numpy as np
import pytest
from sessions.tables import data_set, params

from project_package.columns import take
from project_package.contract.training import Choice, Splits
from project_package.sessions.metrics import METRICS
from project_package.sessions.mixture import SHARES, mix, mixtures
from project_package.sessions.models import candidates
from project_package.sessions.split import split


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    return split(params(), data_set(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def choices(tmp_path_factory: pytest.TempPathFactory) -> list[Choice]:
    root = tmp_path_factory.mktemp("checkpoints")
    network = {"epochs": 1, "device": "cpu"}
    return [Choice(one, one.start, (0.0, 0.0)) for one in candidates(params(network=network), root)]


def test_mixtures_are_scored_on_the_folds(splits: Splits, choices: list[Choice]) -> None:
    found = [*mixtures(7, splits.folds, METRICS[0], choices)]
    assert [one.settings["share"] for one in found] == [*SHARES]
    for one in found[::2]:
        fits = [one.candidate.fit(fold.train, one.settings, 7) for fold in splits.folds]
        folds = zip(splits.folds, fits, strict=True)
        scores = [METRICS[0].score(f.valid, m.predict(f.valid)) for f, m in folds]
        assert scores == pytest.approx(one.folds)


def test_there_is_none_without_the_network(splits: Splits, choices: list[Choice]) -> None:
    assert not [*mixtures(7, splits.folds, METRICS[0], choices[:1])]


def test_settings_are_those_of_both(splits: Splits, choices: list[Choice]) -> None:
    first, *_ = mixtures(7, splits.folds, METRICS[0], choices)
    assert first.settings == {**choices[0].settings, **choices[1].settings, "share": SHARES[0]}


def test_scores_are_the_weighted_mean(splits: Splits, choices: list[Choice]) -> None:
    counts, network = (one.candidate.fit(splits.train, one.settings, 7) for one in choices)
    rows = take(splits.test, np.arange(20))
    scores = []
    for model in (counts, network, mix(counts, network, share=0.3)):
        found = model.predict(rows)
        order = np.argsort(found["items"].astype(str), axis=1)
        scores.append(np.take_along_axis(found["scores"], order, axis=1))
    np.testing.assert_allclose(scores[2], 0.7 * scores[0] + 0.3 * scores[1], rtol=1e-4)
