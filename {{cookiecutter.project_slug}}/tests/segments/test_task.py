"""A request: what is refused, what of it counts, and what the answer says."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from project_package.contract import Columns
from project_package.onnx_model import features
from project_package.segments.task import (
    API,
    MAX_BASKETS,
    Profile,
    SegmentsAssets,
    SegmentsRequest,
    assets,
    decode,
    respond,
    signals,
    write_assets,
)
from project_package.segments.data import households
from project_package.segments.features import DAYS, INPUTS, LEAST_BASKETS, SPENT

AS_OF = datetime(2024, 7, 1, tzinfo=UTC)
MEDIANS = {name: float(place) for place, name in enumerate(INPUTS)}
KNOWN = SegmentsAssets(
    medians=MEDIANS,
    profiles=(
        Profile(name="Low spending", share=0.7, medians=MEDIANS, telling=("recency", "spending")),
        Profile(
            name="High spending", share=0.3, medians={**MEDIANS, "baskets": 9}, telling=("baskets",)
        ),
    ),
)
OUTPUTS: Columns = {
    "segment": np.array([1, 0]),
    "distances": np.array([[3.0, 1.5], [0.5, 2.0]]),
    "resampled": np.array([[1, 1, 0, 1], [0, 0, 0, 0]]),
}


def basket(number: int, ago: float, **changes: Any) -> dict[str, Any]:
    """Give a basket of `ago` days before."""
    told = {"basket_id": f"B{number}", "timestamp": AS_OF - timedelta(days=ago), "sales": 10.0}
    return told | changes


def request(count: int = 5, name: str = "H", as_of: object = AS_OF, **last: Any) -> SegmentsRequest:
    """Ask about a household with a basket a day; `last` changes its newest."""
    baskets = [basket(n, count - n, **(last if n == count - 1 else {})) for n in range(count)]
    return SegmentsRequest.model_validate(
        {"household_id": name, "as_of": as_of, "baskets": baskets}
    )


@pytest.mark.parametrize(
    ("last", "rule"),
    [
        ({"sales": -0.01}, r"baskets\.4\.sales"),
        ({"sales": 1e9}, r"baskets\.4\.sales"),
        ({"sales": None}, r"baskets\.4\.sales"),
        ({"discount": float("nan")}, r"baskets\.4\.discount"),
        ({"basket_id": ""}, r"baskets\.4\.basket_id"),
        ({"basket_id": "B" * 65}, r"baskets\.4\.basket_id"),
        ({"store": 7}, r"baskets\.4\.store"),
        ({"timestamp": datetime(1989, 12, 31)}, "must lie between 1990-01-01 and tomorrow"),
        ({"fresh": 8, "drugstore": 2.02}, "sales must be at least fresh, drugstore together"),
        ({"store_brand": 10.02}, "store_brand must be a part of sales"),
        ({"basket_id": "B2"}, r"baskets\[4\]\.basket_id is there twice"),
        ({"timestamp": AS_OF + timedelta(seconds=1)}, r"baskets\[4\]\.timestamp is later than"),
        ({"timestamp": AS_OF - timedelta(days=DAYS)}, r"is 182 days before as_of, or more"),
    ],
)
def test_a_basket_that_cannot_be_is_refused(last: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        request(**last)


def test_a_basket_at_the_edge_of_the_half_year_counts() -> None:
    oldest = AS_OF - timedelta(days=DAYS) + timedelta(milliseconds=1)
    for time in (AS_OF, oldest):
        found = features(API, [request(timestamp=time, fresh=8, drugstore=2.01)])
        assert (found["baskets"].item(), found["spending"].item()) == (5, 50)


@pytest.mark.parametrize("count", [LEAST_BASKETS - 1, MAX_BASKETS + 1])
def test_too_few_and_too_many_baskets_are_refused(count: int) -> None:
    told = [basket(number, 0.01 * number) for number in range(count)]
    with pytest.raises(ValidationError, match="baskets"):
        SegmentsRequest.model_validate({"household_id": "H", "as_of": AS_OF, "baskets": told})


def test_a_moment_may_be_the_midnight_after_a_basket_of_tomorrow_and_no_later() -> None:
    now = datetime.now(UTC)
    told = [basket(n, 0, timestamp=now - timedelta(days=n)) for n in range(4)]
    body = {"household_id": "H", "baskets": told}
    SegmentsRequest.model_validate({**body, "as_of": now + timedelta(days=1.99)})
    with pytest.raises(ValidationError, match="1990-01-01 and the day after tomorrow"):
        SegmentsRequest.model_validate({**body, "as_of": now + timedelta(days=2.01)})


def test_times_without_a_zone_are_of_utc() -> None:
    zone = request(as_of="2024-07-01T02:00:00+02:00")
    plain = request(as_of="2024-07-01T00:00:00")
    assert zone == plain == request()


TOLD = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 260 * 86_400_000),
        st.floats(0, 1000).map(lambda amount: round(amount, 5)),
    ),
    min_size=12,
    max_size=40,
)


@given(TOLD, st.randoms(use_true_random=False))
def test_requests_have_the_features_of_the_table_in_any_order(
    told: list[tuple[int, int, float]], random: Any
) -> None:
    rows: list[dict[str, Any]] = [
        {"household_id": f"H{who}", "timestamp": AS_OF - timedelta(milliseconds=ago)}
        | {"basket_id": f"B{number}", "sales": sales, "discount": sales / 3, "store_brand": 0.0}
        | {"fresh": sales / 2, "drugstore": sales / 7}
        for number, (who, ago, sales) in enumerate(told)
    ]
    baskets = pl.DataFrame(rows).with_columns(
        pl.col("timestamp").dt.replace_time_zone(None).cast(pl.Datetime("ms"))
    )
    table = households(baskets.sort("timestamp"), AS_OF.replace(tzinfo=None))
    recent = [row for row in rows if row["timestamp"] > AS_OF - timedelta(days=DAYS)]
    random.shuffle(recent)
    names = table["household_id"].to_list()
    random.shuffle(names)
    asked = [
        SegmentsRequest.model_validate(
            {
                "household_id": name,
                "as_of": AS_OF,
                "baskets": [
                    {key: row[key] for key in ("basket_id", "timestamp", *SPENT)}
                    for row in recent
                    if row["household_id"] == name
                ],
            }
        )
        for name in names
    ]
    if asked:
        found, place = (
            features(API, asked),
            {name: n for n, name in enumerate(table["household_id"])},
        )
        order = [place[name] for name in names]
        assert all(found[n].tolist() == table[n].to_numpy()[order].tolist() for n in INPUTS)


def test_a_household_that_is_asked_about_twice_is_two_rows() -> None:
    later = request(as_of=AS_OF + timedelta(days=30))
    found = features(API, [request(), later, request()])
    assert found["recency"].tolist() == [1, 31, 1]
    assert found["baskets"].tolist() == [5, 5, 5]


def test_the_graph_gets_positions_in_float64() -> None:
    stacked = API.encode(features(API, [request(), request(8)]), KNOWN)["positions"]
    assert stacked.shape == (2, len(INPUTS))
    assert stacked.dtype == np.float64
    assert stacked[:, INPUTS.index("baskets")] == pytest.approx(np.log1p([5, 8]))


def test_an_answer_has_the_distance_of_its_segment_and_how_many_agree() -> None:
    columns = features(API, [request(), request(8)])
    found = decode(OUTPUTS, columns, KNOWN)
    assert found["distance"].tolist() == [1.5, 0.5]
    assert found["certainty"].tolist() == [0.75, 1]
    assert found["name"].tolist() == ["High spending", "Low spending"]
    assert found["baskets"].tolist() == [5, 8]


def test_an_answer_says_what_is_typical_of_its_segment() -> None:
    told = respond(decode(OUTPUTS, features(API, [request(), request(8)]), KNOWN), KNOWN)
    first, second = map(json.loads, told)
    assert first == {
        "segment": 1,
        "name": "High spending",
        "distance": 1.5,
        "certainty": 0.75,
        "typical": [
            {
                "feature": "baskets",
                "meaning": "baskets",
                "household": 5,
                "segment": 9,
                "everyone": 1,
            }
        ],
    }
    assert [typical["feature"] for typical in second["typical"]] == ["recency", "spending"]


def test_distance_certainty_and_segment_are_watched() -> None:
    columns = features(API, [request(), request(8)])
    watched = signals(columns, decode(OUTPUTS, columns, KNOWN))
    assert {name: values.tolist() for name, values in watched.items()} == {
        "distance": [1.5, 0.5],
        "certainty": [0.75, 1],
        "segment": [1, 0],
    }


def test_assets_are_read_as_they_were_written() -> None:
    assert assets(write_assets(KNOWN)) == KNOWN
