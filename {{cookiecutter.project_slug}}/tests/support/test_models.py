"""Embeddings are computed once for each text; passages have at most so many tokens."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.encoders import WordEncoder

from project_package.errors import UserError
from project_package.support.cache import EmbeddingCache
from project_package.support.encoder import Encoder, TokenGraph
from project_package.support.index import INDEX, Index, Passage
from project_package.support.model_files import encoder_files
from project_package.support.models import store_index
from project_package.support.params import Encoding
from project_package.support.passages import split_sections
from project_package.support.vectors import MemoryVectors

SECTION = Passage("a.md", "Roofs", 0, "", "en", "", "A roof has tiles. They are red. " * 40)


def test_only_new_texts_are_embedded(tmp_path: Path) -> None:
    encoder = WordEncoder()
    path = tmp_path / "new" / "embeddings.sqlite"
    first = EmbeddingCache(path, encoder, "words").embed(["fence", "price", "fence"])
    assert sorted(encoder.asked) == ["fence", "price"]
    again = EmbeddingCache(path, encoder, "words").embed(["roof", "fence"])
    assert sorted(encoder.asked) == ["fence", "price", "roof"]
    np.testing.assert_array_equal(again[1], first[0])
    np.testing.assert_array_equal(first[2], first[0])
    np.testing.assert_array_equal(again, WordEncoder().embed(["roof", "fence"]))
    EmbeddingCache(path, encoder, "other").embed(["fence"])
    assert encoder.asked.count("fence") == 2


def test_index_is_written_again_for_other_passages(tmp_path: Path) -> None:
    encoder = WordEncoder()
    cache = EmbeddingCache(tmp_path / "cache", encoder, "words")
    passages = [replace(SECTION, text="A roof.", questions=("Tiles?",))]
    path = tmp_path / "one" / INDEX
    assert store_index(path, lambda: passages, cache) == path
    assert sorted(encoder.asked) == ["Roofs A roof.", "Tiles?"]
    before = path.stat().st_mtime_ns
    assert store_index(path, lambda: passages, cache) == path
    assert path.stat().st_mtime_ns == before
    passages.append(replace(SECTION, document="b.md", text="A fence."))
    other = store_index(tmp_path / "other" / INDEX, lambda: passages, cache)
    assert Index(other, MemoryVectors(other)).count == 2
    assert encoder.asked[2:] == ["Roofs A fence."]


def test_damaged_cache_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"no database" * 100)
    with pytest.raises(UserError, match=r"cache cannot be used .*: delete it"):
        EmbeddingCache(tmp_path / "cache", WordEncoder(), "words").embed(["fence"])
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("create table embeddings (other)")
    with pytest.raises(UserError, match=r"other cannot be used .*: delete it"):
        EmbeddingCache(tmp_path / "other", WordEncoder(), "words").embed(["fence"])


@pytest.mark.parametrize("tokens", [24, 64, 256])
def test_passages_end_with_a_sentence(tokens: int) -> None:
    graph, tokenizer = encoder_files(Encoding())
    encoder = TokenGraph(graph.read_bytes(), tokenizer, 512, "last_hidden_state")
    passages = [*split_sections([SECTION], tokenizer, tokens)]
    assert len(passages) > 1
    for passage in passages:
        assert len(encoder.tokenizer.encode(f"{passage.title} {passage.text}").ids) <= tokens
        assert passage.text.endswith(".")
        assert replace(passage, text="") == replace(SECTION, text="")
    assert " ".join(passage.text for passage in passages) == SECTION.text.strip()


def test_embedding_is_that_of_the_text_alone() -> None:
    graph, tokenizer = encoder_files(Encoding())
    encoder = Encoder(graph.read_bytes(), tokenizer, 256)
    texts = ["May I build a fence?", "Do I need a permit for a hedge at my garden?", "Bake a cake"]
    together = encoder.embed(texts)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(encoder.embed(texts[1:2])[0], together[1])
    assert together[0] @ together[1] > 0.4
    assert together[0] @ together[2] < 0.2


def test_missing_encoder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.folder: there is no .*model\.onnx"):
        encoder_files(Encoding(folder=str(tmp_path)))
