"""From purchases to rows: splits by time, batches, events and example requests."""

from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from batches import read_in_one_and_two
from hypothesis import given
from hypothesis import strategies as st
from sessions.tables import (
    HOUSEHOLDS,
    NEWEST,
    WEEKS,
    data_set,
    household,
    params,
    purchases,
    shop,
)

from project_package.columns import Columns, digest, length
from project_package.contract.training import Splits
from project_package.errors import UserError
from project_package.sessions.baskets import FILE, Bought, read_baskets
from project_package.sessions.dataset import (
    ROWS,
    WEEK,
    batch_history,
    before,
    examples,
    group_baskets,
    load_data,
    read_batch,
    recent_events,
    to_rows,
)
from project_package.sessions.features import DAYS, MILLISECONDS_A_DAY
from project_package.sessions.params import SessionsParams
from project_package.sessions.split import split
from project_package.sessions.task import BASKETS_READ, HISTORY


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    return split(params(), folder)


def batch(table: pl.DataFrame, folder: Path, scratch: Path) -> Columns:
    table.write_parquet(scratch / "asked.parquet")
    return read_batch(params(), scratch / "asked.parquet", folder)


def times_read(rows: Columns) -> set[int]:
    """Return the times of all baskets of rows, those to predict and those before them."""
    days = zip(rows["timestamp"].tolist(), rows["days"], strict=True)
    earlier = {now - round(ago * MILLISECONDS_A_DAY) for now, many in days for ago in many}
    return earlier | {*rows["timestamp"].tolist()}


def test_row_has_the_baskets_before_it_and_what_is_bought_again() -> None:
    rows = to_rows([(household(["AB", "C", "CBD"]), 2)])
    assert rows["baskets"].tolist() == [(("A", "B"), ("C",))]
    assert rows["days"].tolist() == [(2.0, 1.0)]
    assert rows["bought"].tolist() == [("B", "C", "D")]
    assert rows["again"].tolist() == [("B", "C")]
    assert rows["household_id"].tolist() == ["H"]


def test_row_from_the_file_is_that_of_tuples(folder: Path) -> None:
    for who in read_baskets(folder / FILE):
        index = len(who.times) - 1
        row = to_rows([(who, index)])
        whole = to_rows([(Bought(who.household, who.times, (*who.baskets,)), index)])
        assert digest(row) == digest(whole)


def test_refuses_purchases_that_are_all_erased(tmp_path: Path) -> None:
    folder = data_set(tmp_path)
    shop().head(0).write_parquet(folder / ROWS)
    group_baskets(params(), folder)
    with pytest.raises(UserError, match="A part of these splits has 0 baskets"):
        split(params(), folder)


def test_test_is_the_newest_whole_weeks(splits: Splits) -> None:
    newest = splits.test["timestamp"].max()
    ages = newest - splits.test["timestamp"]
    assert length(splits.test) == 3 * HOUSEHOLDS
    assert np.bincount(ages // WEEK).tolist() == [HOUSEHOLDS] * 3


def test_no_basket_of_the_test_is_in_training_rows(splits: Splits) -> None:
    assert max(times_read(splits.train)) < splits.test["timestamp"].min()
    assert not times_read(splits.train) & {*splits.test["timestamp"].tolist()}


def test_each_fold_trains_on_what_comes_before_it(splits: Splits) -> None:
    starts = []
    for fold in splits.folds:
        assert max(times_read(fold.train)) < fold.valid["timestamp"].min()
        assert fold.valid["timestamp"].max() <= splits.train["timestamp"].max()
        assert length(fold.valid) == 2 * HOUSEHOLDS
        starts.append(fold.valid["timestamp"].min())
    assert starts[0] - starts[1] == 2 * WEEK


@given(st.lists(st.sampled_from([1, 1, 3, 90, DAYS - 1, DAYS, 300]), min_size=1, max_size=130))
def test_each_basket_is_the_next_one_exactly_once(gaps: list[int]) -> None:
    name, _, baskets = household(["A"] * len(gaps))
    who = Bought(name, MILLISECONDS_A_DAY * np.cumsum(gaps), baskets)
    end = int(who.times[-1]) - MILLISECONDS_A_DAY * 2
    rows = before([who], end) if who.times[0] <= end else before([who], int(who.times[0]))
    predicted: Counter[int] = Counter()
    for now, days in zip(rows["timestamp"].tolist(), rows["days"], strict=True):
        read = days[-BASKETS_READ:]
        inside = [now - round(ago * MILLISECONDS_A_DAY) for ago in read[1:]]
        predicted.update([*inside, now])
    expected = [time for time in who.times.tolist() if time <= max(end, who.times[0])]
    assert predicted == Counter(expected)


def test_refuses_too_few_baskets(tmp_path: Path) -> None:
    few = shop().filter(pl.col("household_id").is_in([f"H{n}" for n in range(15)]))
    folder = data_set(tmp_path, few)
    splits = split(params(), folder)
    assert min(length(fold.valid) for fold in splits.folds) == 30
    data_set(tmp_path, few.filter(pl.col("household_id") != "H0"))
    with pytest.raises(UserError, match=r"has 28 baskets of the 30 .*lower split\.test_weeks"):
        split(params(), folder)


def test_refuses_too_few_weeks(folder: Path) -> None:
    sizes = {"test_weeks": WEEKS, "folds": 1, "fold_weeks": 1}
    with pytest.raises(UserError, match="A part of these splits has 0 baskets"):
        split(params(split=sizes), folder)


def test_refuses_households_without_earlier_baskets(tmp_path: Path) -> None:
    once = pl.concat_str("household_id", pl.col("timestamp").cast(pl.String))
    folder = data_set(tmp_path, shop().with_columns(household_id=once))
    with pytest.raises(UserError, match="No household of the test, or of a fold, has an earlier"):
        split(params(), folder)


@pytest.mark.parametrize("weeks", [3, 2])
def test_refuses_a_test_without_earlier_baskets(weeks: int, tmp_path: Path) -> None:
    is_late = pl.col("timestamp") > NEWEST - timedelta(weeks=weeks)
    name = pl.concat_str("household_id", pl.col("timestamp").dt.to_string())
    table = shop().with_columns(household_id=pl.when(is_late).then(name).otherwise("household_id"))
    folder = data_set(tmp_path, table)
    if weeks == 3:  # all of the test
        with pytest.raises(UserError, match="No household of the test, or of a fold, has an earl"):
            split(params(), folder)
    else:
        assert length(split(params(), folder).test) == 3 * HOUSEHOLDS


def test_own_csv_has_renamed_columns_and_rows_kept_once(tmp_path: Path) -> None:
    names = {"household_id": "customer", "item": "article"}
    bought = purchases(("7", 1, "A"), ("7", 2, "BA"), ("8", 0, "C"))
    pl.concat([bought, bought]).rename(names).write_csv(tmp_path / "own.csv")
    data = {"source": str(tmp_path / "own.csv"), "columns": names}
    load_data(params(data=data), tmp_path, lambda _: None)
    rows = pl.read_parquet(tmp_path / ROWS)
    assert rows.equals(bought.sort("timestamp", "household_id", "item"))
    group_baskets(params(), tmp_path)
    found = {who.household: (*who.baskets,) for who in read_baskets(tmp_path / FILE)}
    assert found == {"7": (("A", "B"), ("A",)), "8": (("C",),)}


def test_broken_rule_names_the_own_column(folder: Path, tmp_path: Path) -> None:
    data = {"source": str(tmp_path / "own.parquet"), "columns": {"item": "article"}}
    own = SessionsParams.model_validate({"name": "own", "data": data})
    table = purchases(("H1", 1, "A")).with_columns(item=pl.lit("x" * 65))
    table.rename({"item": "article"}).write_parquet(tmp_path / "own.parquet")
    message = r'item \(your "article"\) must have 1 to 64 characters: 1 row breaks'
    with pytest.raises(UserError, match=message):
        load_data(own, tmp_path, lambda _: None)
    with pytest.raises(UserError, match=message):
        read_batch(own, tmp_path / "own.parquet", folder)


def test_batch_adds_its_purchases_to_the_data_set(folder: Path, tmp_path: Path) -> None:
    content = {path: path.read_bytes() for path in folder.iterdir()}
    asked = purchases(("H3", -2, "Z"), ("new", -1, "A"))
    rows = batch(pl.concat([asked, shop().filter(household_id="H3")]), folder, tmp_path)
    assert rows["household_id"].tolist() == ["H3", "new"]
    assert rows["baskets"][0][-1] == ("Z",)
    assert len(rows["baskets"][0]) == 1 + WEEKS
    assert rows["days"][0][-1] == 0  # the newest purchase is the moment
    assert (rows["baskets"][1], rows["days"][1]) == ((("A",),), (1.0,))
    assert {path: path.read_bytes() for path in folder.iterdir()} == content


def test_recent_events_are_those_that_features_read(folder: Path) -> None:
    events = recent_events(folder)
    assert list(events) == [*HISTORY.event.model_fields]
    assert (np.diff(events["timestamp"]) >= 0).all()
    times = shop()["timestamp"].to_physical().to_numpy()
    assert length(events) == np.sum(times > times.max() - DAYS * MILLISECONDS_A_DAY)


def test_examples_have_pseudonyms_and_the_features_of_rows(folder: Path, splits: Splits) -> None:
    requests = examples(folder, splits.test, 3)
    names = [request.household_id for request in requests]
    assert names == ["household-1", "household-2", "household-3"]
    lengths = np.quantile([*map(len, splits.test["baskets"])], [0, 0.5, 1]).tolist()
    assert [len(request.baskets or ()) for request in requests] == lengths


def test_purchases_of_one_household_may_be_in_two_files(folder: Path, tmp_path: Path) -> None:
    new = purchases(("H3", -2, "Z"), ("new", -1, "AB"), ("new", -3, "CD"), ("H5", -4, "A"))
    read = partial(read_batch, params())
    write_history = partial(batch_history, params())
    rows, parts = read_in_one_and_two(read, write_history, new, folder, tmp_path)
    one, two = ({*zip(*found.values(), strict=True)} for found in (rows, parts))
    assert {row[1] for row in one} == {"H3", "H5", "new"}
    assert one == two
