"""Near-duplicates are left out, batches are read from tables and folders, examples name nobody."""

from hashlib import sha256
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.columns import Columns
from project_package.contracts.dataset import (
    examples,
    load_data,
    read_batch,
    read_rows,
)
from project_package.contracts.duplicates import near_duplicates
from project_package.contracts.models import candidates
from project_package.contracts.params import ContractsParams
from project_package.contracts.task import model_of
from project_package.contracts.training import batch_table
from project_package.errors import UserError

WORDS = [
    "the",
    "seller",
    "is",
    "not",
    "liable",
    "for",
    "any",
    "damages",
    "of",
    "any",
    "kind",
    "that",
    "follow",
    "from",
    "the",
    "use",
]


def params(**data: Any) -> ContractsParams:
    return ContractsParams.model_validate({"name": "tiny", "data": {"least_words": 3, **data}})


def load(folder: Path, texts: list[str], types: list[str], **data: Any) -> list[str]:
    """Return the texts of the data set that is made of a table."""
    table = folder / "clauses.csv"
    pl.DataFrame({"text": texts, "type": types}).write_csv(table)
    load_data(params(source=str(table), **data), folder, lambda _: None)
    found: list[str] = read_rows(folder)["text"].tolist()
    return found


def test_only_one_of_near_duplicates_is_kept(tmp_path: Path) -> None:
    first = " ".join(WORDS)
    near = " ".join([*WORDS[:-1], "sale"])
    other = " ".join(reversed(WORDS))
    texts = [first, near, other, "too short"]
    assert load(tmp_path, texts, ["a", "a", "b", "b"]) == [first, other]
    assert load(tmp_path, texts, ["a", "a", "b", "b"], similarity=1.0) == texts[:3]


def test_texts_without_four_words_are_no_duplicates() -> None:
    assert near_duplicates(["a b", "a b", "c"], 0.5).tolist() == [0, 1, 2]


def test_words_of_other_scripts_are_words(tmp_path: Path) -> None:
    words = {"a": "уведомления направляются почтой", "b": "лицензия предоставляется бесплатно"}
    rows = {
        "text": np.array([*words.values()] * 4, object),
        "type": np.array([*words] * 4, object),
    }
    simple = candidates(params(), tmp_path)[0]
    fitted: Any = simple.fit(rows, simple.start, 1)
    served = model_of(fitted.files()).predict(rows)
    assert served["type"].tolist() == rows["type"].tolist()


def test_one_type_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 1 types of clauses with 3 to 600 words"):
        load(tmp_path, [" ".join(WORDS), "short"], ["a", "b"])


def test_documents_are_read_as_a_batch(tmp_path: Path) -> None:
    (tmp_path / "terms.md").write_text("# Scope\n\nAll.\n\n# Notices\n\nBy mail.\n", "utf-8")
    for source in (tmp_path, tmp_path / "terms.md"):
        rows = read_batch(params(), source, tmp_path)
        assert rows["text"].tolist() == ["All.", "By mail."]
        assert rows["document"].tolist() == ["terms.md"] * 2
        assert rows["clause"].tolist() == [1, 2]


def test_table_needs_text_only(tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("text,page\nAll.,3.0\nBy mail.,\n", encoding="utf-8")
    rows = read_batch(params(), table, tmp_path)
    assert rows["page"].tolist() == [3, 0]
    assert rows["document"].tolist() == ["new.csv"] * 2
    assert rows["clause"].tolist() == [1, 2]
    table.write_text("texts\nAll.\n", encoding="utf-8")
    with pytest.raises(UserError, match="has no column text"):
        read_batch(params(), table, tmp_path)


def test_least_certain_clauses_come_first() -> None:
    rows = {"text": np.array(["x", "y"], object), "page": np.array([1, 2])}
    predictions = {
        "type": np.array(["a", "b"], object),
        "confidence": np.array([0.9, 0.4]),
        "accepted": np.array([True, False]),
    }
    table = batch_table(rows, predictions)
    assert [*table] == ["page", "type", "confidence", "decision", "text"]
    assert table["page"].tolist() == [2, 1]
    assert table["decision"].tolist() == ["review", "accept"]


def test_examples_have_different_types_and_no_names() -> None:
    rows = {
        "text": np.array(["one", "two", "three"], object),
        "type": np.array(["a", "a", "b"], object),
        "heading": np.array(["Scope", "", "Notices"], object),
        "page": np.array([1, 1, 2]),
    }
    found = examples(Path(), rows, 4)
    assert [(one.text, one.heading, one.page) for one in found] == [
        ("one", "Scope", 1),
        ("three", "Notices", 2),
    ]
    assert {request.document_id for request in found} == {None}


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Columns:
    """Read all clauses of the licences."""
    folder = tmp_path_factory.mktemp("licences")
    load_data(ContractsParams(name="all"), folder, lambda _: None)
    return read_rows(folder)


def test_simple_baseline_answers_every_clause_as_it_was_fitted(
    every: Columns, tmp_path: Path
) -> None:
    simple = candidates(params(), tmp_path)[0]
    fitted: Any = simple.fit(every, simple.start, 1)
    found = model_of(fitted.files()).predict(every)["probabilities"]
    np.testing.assert_allclose(found, fitted.predict(every)["probabilities"], atol=1e-5)


def test_labels_of_annotators_are_of_clauses_of_the_data_set(every: Columns) -> None:
    assert len(every["text"]) == 2_063
    assert len({*every["text"]}) == 2_063
    hashes = {sha256(text.encode()).hexdigest()[:16] for text in every["text"]}
    table = files("project_package.contracts") / "labels.csv"
    labels = pl.read_csv(StringIO(table.read_text("utf-8")))
    assert len(labels) == 200
    assert {*labels["sha256"]} <= hashes
    assert {*labels["first"], *labels["second"]} == {*every["type"]}
