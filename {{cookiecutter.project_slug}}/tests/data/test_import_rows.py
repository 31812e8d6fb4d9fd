"""Own data becomes one file of a fixed layout; values that do not fit are reported."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data.tables import csv_file, parquet_file

from project_package.data.import_rows import Layout, SourceParams, import_rows
from project_package.errors import UserError

LAYOUT = Layout(
    types={"id": "VARCHAR", "timestamp": "TIMESTAMP_MS", "amount": "DOUBLE", "label": "BOOLEAN"},
    order=("timestamp", "id"),
    optional=("label",),
)
NOON = datetime(2024, 1, 1, 12)


def minimal(folder: Path) -> str:
    return parquet_file(folder / "rows.parquet", id=[1], timestamp=[NOON], amount=[1.0])


def copied(folder: Path, source: str, **params: Any) -> list[dict[str, Any]]:
    import_rows(SourceParams(source=source, **params), LAYOUT, folder / "canonical")
    return list(pq.read_table(folder / "canonical").to_pylist())


def refusal(folder: Path, source: str, **columns: str) -> str:
    before = sorted(folder.iterdir())
    with pytest.raises(UserError) as caught:
        copied(folder, source, columns=columns)
    assert sorted(folder.iterdir()) == before
    return str(caught.value)


def test_csv_becomes_typed_and_sorted(tmp_path: Path) -> None:
    rows = csv_file(
        tmp_path / "rows.csv",
        "label;amount;timestamp;id;more",
        "1;12.5;2024-01-01 12:00:00.5;010;x",
        ";3;2024-01-01T14:00:00+02:00;002;x",
    )
    assert copied(tmp_path, rows) == [
        {"id": "002", "timestamp": NOON, "amount": 3.0, "label": None},
        {"id": "010", "timestamp": NOON + timedelta(seconds=0.5), "amount": 12.5, "label": True},
    ]
    types = map(str, pq.read_schema(tmp_path / "canonical").types)
    assert list(types) == ["string", "timestamp[ms]", "double", "bool"]


def test_maps_own_names_with_any_characters(tmp_path: Path) -> None:
    own = 'a "strange"; name'
    source = parquet_file(
        tmp_path / "r.parquet", **{own: [7]}, at=[NOON], amount=[1.0], label=[False]
    )
    found = copied(tmp_path, source, columns={"id": own, "timestamp": "at"})
    assert found == [{"id": "7", "timestamp": NOON, "amount": 1.0, "label": False}]


def test_files_may_differ_in_order_and_type(tmp_path: Path) -> None:
    parquet_file(tmp_path / "1.parquet", id=[2], timestamp=[NOON], amount=[12], label=[1.0])
    parquet_file(tmp_path / "2.parquet", amount=[12.5], label=[None], timestamp=[NOON], id=["1a"])
    found = copied(tmp_path, f"{tmp_path}/*.parquet")
    assert [(row["id"], row["amount"], row["label"]) for row in found] == [
        ("1a", 12.5, None),
        ("2", 12.0, True),
    ]


def test_times_with_a_zone_become_utc(tmp_path: Path) -> None:
    zoned = pa.array([NOON], pa.timestamp("us", "UTC")).cast(pa.timestamp("us", "Asia/Tokyo"))
    amount = pa.array([12.34], pa.float32())
    rows = parquet_file(tmp_path / "rows.parquet", id=[1], timestamp=zoned, amount=amount)
    assert copied(tmp_path, rows) == [{"id": "1", "timestamp": NOON, "amount": 12.34}]


def test_labels_are_read_as_pandas_writes_them(tmp_path: Path) -> None:
    lines = [f"{n},2024-01-01,1,{label}" for n, label in enumerate(("1.0", "0.0", ""))]
    rows = csv_file(tmp_path / "rows.csv", "id,timestamp,amount,label", *lines)
    assert [row["label"] for row in copied(tmp_path, rows)] == [True, False, None]


def test_whole_floats_become_integers_as_text(tmp_path: Path) -> None:
    rows = parquet_file(
        tmp_path / "r.parquet", id=[5.0], timestamp=[NOON], amount=[5.0], label=[0.0]
    )
    assert copied(tmp_path, rows) == [{"id": "5", "timestamp": NOON, "amount": 5.0, "label": False}]


def test_copy_beyond_the_memory_limit_is_the_same(tmp_path: Path) -> None:
    count = 400_000
    ids = pa.array(f"{i * 7919 % count:030}" for i in range(count))
    columns = {"id": ids, "timestamp": pa.array([NOON] * count), "amount": pa.array([1.0] * count)}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    first = copied(tmp_path, f"{tmp_path}/rows.parquet", memory_limit_mib=700)
    assert [int(row["id"]) for row in first] == list(range(count))
    content = (tmp_path / "canonical").read_bytes()
    copied(tmp_path, f"{tmp_path}/rows.parquet", memory_limit_mib=2048)
    assert (tmp_path / "canonical").read_bytes() == content


def test_query_is_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE paid (nr INTEGER, at TEXT, eur REAL)")
        connection.execute("INSERT INTO paid VALUES (7, '2024-01-01 12:00:00', 1.5)")
    connection.close()
    names = {"id": "nr", "timestamp": "at", "amount": "eur"}
    monkeypatch.setenv("DATA_URL", f"sqlite:///{tmp_path}/shop.db")
    found = copied(tmp_path, "sql", columns=names, query="SELECT * FROM paid")
    assert found == [{"id": "7", "timestamp": NOON, "amount": 1.5}]
    with pytest.raises(UserError, match=r'data.query has no column "euro" for amount; .* "eur"\?'):
        copied(tmp_path, "sql", columns={**names, "amount": "euro"}, query="SELECT * FROM paid")


def test_reports_all_unreadable_values(tmp_path: Path) -> None:
    lines = [f'{i},01/02/2024,"12,{i}",2' for i in range(1200)]
    rows = csv_file(tmp_path / "rows.csv", "id,timestamp,Betrag,label", *lines)
    said = refusal(tmp_path, rows, amount="Betrag").splitlines()
    others = "; data.read reads others: 1,200 rows break this rule"
    assert said[1] == f"- timestamp must be a date and time such as 2024-01-31 23:59:59{others}"
    assert said[2] == f'- amount (your "Betrag") must be a number such as 12.5{others}'
    assert said[3] == f"- label must be true or false (or 1 or 0){others}"
    assert said[4] == "    id='0', timestamp='01/02/2024', Betrag='12,0', label='2'"
    assert len(said) == 4 + 3  # rows that break several rules are shown once


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("timestamp", 1_704_110_400),
        ("timestamp", "infinity"),
        ("timestamp", "290000-01-01"),
        ("amount", ""),
        ("label", 2),
        ("label", 0.5),
        ("label", "on"),
    ],
)
def test_rejects_values_of_another_type(tmp_path: Path, column: str, value: object) -> None:
    row = {"id": [1], "timestamp": [NOON], "amount": [1.0], "label": [True], column: [value]}
    said = refusal(tmp_path, parquet_file(tmp_path / "rows.parquet", **row))
    assert f"- {column} must be" in said
    assert "1 row breaks this rule" in said


def test_sql_reads_values_in_other_forms(tmp_path: Path) -> None:
    rows = csv_file(tmp_path / "r.csv", "id;timestamp;eur;label", "A;01.01.2024 12:00;1.234,5;NA")
    read = {
        "timestamp": "strptime(timestamp, '%d.%m.%Y %H:%M')",
        "amount": "replace(replace(amount, '.', ''), ',', '.')",
        "label": "nullif(label, 'NA')",
    }
    found = copied(tmp_path, rows, columns={"amount": "eur"}, read=read)
    assert found == [{"id": "A", "timestamp": NOON, "amount": 1234.5, "label": None}]
    with pytest.raises(UserError, match=r'data\.read: "eur" is not an expected column; there'):
        copied(tmp_path, rows, columns={"amount": "eur"}, read={"eur": "1"})
    with pytest.raises(
        UserError,
        match=r"cannot be read: Could not parse .*; data\.read is part of the query\.",
    ):
        copied(
            tmp_path,
            rows,
            columns={"amount": "eur"},
            read={"timestamp": "strptime(timestamp, '%Y')"},
        )


def test_sql_reads_numbers_of_a_parquet_file(tmp_path: Path) -> None:
    seconds = {"timestamp": [1_704_110_400], "label": [2]}
    rows = parquet_file(tmp_path / "rows.parquet", id=[1], amount=[1.0], **seconds)
    read = {"timestamp": "to_timestamp(timestamp)", "label": "label = 2"}
    assert copied(tmp_path, rows, read=read) == [
        {"id": "1", "timestamp": NOON, "amount": 1.0, "label": True}
    ]


def test_missing_column_names_file_and_nearest(tmp_path: Path) -> None:
    csv_file(tmp_path / "1.csv", "ID,timestamp,amount", "1,2024-01-01,2")
    second = csv_file(tmp_path / "2.csv", "ID,timestamp,amounts", "1,2024-01-01,2")
    said = refusal(tmp_path, f"{tmp_path}/*.csv", id="ID")
    assert said == (
        f'{second} has no column "amount" for amount; did you mean "amounts"? '
        "Write its name under data.columns: amount = ..."
    )


def test_optional_column_may_be_absent(tmp_path: Path) -> None:
    (row,) = copied(tmp_path, minimal(tmp_path), columns={"label": "fraud"})
    assert row.keys() == {"id", "timestamp", "amount"}


def test_rejects_unknown_column_names(tmp_path: Path) -> None:
    said = refusal(tmp_path, minimal(tmp_path), amont="id")
    assert said == 'data.columns: "amont" is not an expected column; did you mean "amount"?'


def test_bad_line_is_named(tmp_path: Path) -> None:
    rows = csv_file(tmp_path / "rows.csv", "id,timestamp,amount", "1,2024-01-01,2", "1,2024")
    said = refusal(tmp_path, f"{tmp_path}/*.csv")
    assert said.startswith(f"{tmp_path}/*.csv cannot be read: CSV Error on Line: 3")
    assert said.endswith(f"Found: 2 (in {rows}).")
    assert "\n" not in said


def test_open_quote_is_shown_without_the_rest_of_the_file(tmp_path: Path) -> None:
    lines = ["id,timestamp,amount", '1,2024-01-01,"2', *["2,2024-01-01,2"] * 1_000]
    said = refusal(tmp_path, csv_file(tmp_path / "rows.csv", *lines))
    assert 'Line: 2, Original Line: 1,2024-01-01,"2' in said
    assert "unterminated quote" in said
    assert len(said) < 600 + len(str(tmp_path)) * 2


def test_text_in_another_encoding_says_how_to_read_it(tmp_path: Path) -> None:
    lines = ["id,timestamp,amount", *["e,2024-01-01,2"] * 1_000, "é,2024-01-01,2"]
    rows = Path(csv_file(tmp_path / "rows.csv", *lines))
    rows.write_bytes(rows.read_text("utf-8").encode("cp1252"))
    assert f"{rows} cannot be read: it is not in UTF-8; save it" in refusal(tmp_path, str(rows))
    assert copied(tmp_path, str(rows), encoding="cp1252")[-1]["id"] == "é"


def test_rejects_a_damaged_file(tmp_path: Path) -> None:
    rows = Path(minimal(tmp_path))
    content = rows.read_bytes()
    rows.write_bytes(content[:4] + bytes(40) + content[44:])
    assert f"{rows} cannot be read: " in refusal(tmp_path, str(rows))


def test_rejects_an_empty_source(tmp_path: Path) -> None:
    rows = csv_file(tmp_path / "rows.csv", "id,timestamp,amount")
    assert "has no rows" in refusal(tmp_path, rows)


def test_failed_copy_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "canonical").write_text("old")
    refusal(tmp_path, csv_file(tmp_path / "rows.csv", "id,timestamp,amount", "1,x,2"))
    assert (tmp_path / "canonical").read_text() == "old"
