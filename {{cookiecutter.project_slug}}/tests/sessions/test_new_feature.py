"""The features are the items: a new one needs no declaration, only purchases."""

from pathlib import Path

import polars as pl
from sessions.tables import data_set, params, purchases, shop

from project_package.sessions.models import candidates
from project_package.sessions.split import split


def test_new_item_is_a_feature_by_its_purchases(tmp_path: Path) -> None:
    bought = [(f"H{who}", 7 * week, "Z") for who in range(0, 40, 3) for week in range(30)]
    folder = data_set(tmp_path, pl.concat([shop(), purchases(*bought)]))
    splits = split(params(), folder)
    baseline = candidates(params(), tmp_path)[0]
    fitted = baseline.fit(splits.train, baseline.start, 7)
    known = [any("Z" in basket for basket in baskets) for baskets in splits.test["baskets"]]
    best = fitted.predict(splits.test)
    scores = [dict(zip(*row, strict=True))["Z"] for row in zip(*best.values(), strict=True)]
    with_it = [score for score, has in zip(scores, known, strict=True) if has]
    without = [score for score, has in zip(scores, known, strict=True) if not has]
    assert min(with_it) > max(without)
