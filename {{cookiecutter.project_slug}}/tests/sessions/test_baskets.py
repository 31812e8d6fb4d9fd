"""Baskets in a file are those of the purchases, whatever is read and sorted at once."""

import resource
from pathlib import Path

import polars as pl
import pytest
from sessions.tables import HOUSEHOLDS, WEEKS, data_set, shop

from project_package.errors import UserError
from project_package.sessions.baskets import FILE, read_baskets, write_baskets
from project_package.sessions.dataset import ROWS
from project_package.sessions.features import to_baskets


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_set(tmp_path_factory.mktemp("data"))


def test_file_has_the_baskets_of_the_table(folder: Path) -> None:
    rows = pl.read_parquet(folder / ROWS).sort("household_id", "timestamp", "item")
    stored = [*read_baskets(folder / FILE)]
    assert [who.household for who in stored] == sorted(f"H{n}" for n in range(HOUSEHOLDS))
    for who in stored:
        own = rows.filter(household_id=who.household)
        times, baskets = to_baskets(own["timestamp"].to_numpy(), own["item"].to_numpy())
        assert who.times.tolist() == times.astype(int).tolist()
        assert [*who.baskets] == baskets


def test_baskets_are_equal_whatever_is_grouped_at_once(tmp_path: Path) -> None:
    rows = shop().sort("timestamp")
    rows.write_parquet(tmp_path / ROWS)
    found = []
    for rows_at_once in (1, 7, 10_000):
        write_baskets(tmp_path / ROWS, tmp_path / FILE, 200, rows_at_once)
        read = read_baskets(tmp_path / FILE)
        found.append([(who.household, who.times.tolist(), [*who.baskets]) for who in read])
    assert len(found[0]) == HOUSEHOLDS
    assert found[0] == found[1] == found[2]
    assert {path.name for path in tmp_path.iterdir()} == {ROWS, FILE}


def test_sequence_of_the_file_is_like_a_tuple(folder: Path) -> None:
    baskets = next(read_baskets(folder / FILE)).baskets
    whole = (*baskets,)
    assert len(whole) == WEEKS
    assert (baskets, repr(baskets), hash(baskets)) == (whole, repr(whole), hash(whole))
    for part in (slice(-2, None), slice(3, 9), slice(9, 3), slice(None, None, -2)):
        assert baskets[part] == whole[part]
        assert len(baskets[part]) == len(whole[part])
    assert baskets[2:][-1] == whole[-1]
    assert baskets != whole[:-1]
    with pytest.raises(IndexError):
        baskets[WEEKS]


def test_full_disk_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    pl.concat([shop()] * 100).write_parquet(tmp_path / ROWS)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, usual[1]))  # as on a full disk
    try:
        with pytest.raises(OSError, match="write"):
            write_baskets(tmp_path / ROWS, tmp_path / FILE, 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert {path.name for path in tmp_path.iterdir()} == {ROWS}


def test_data_set_without_baskets_must_be_made_again(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ml data"):
        next(read_baskets(tmp_path / FILE))
