"""A cross-encoder of a folder ranks passages again, in training and when it is served."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from project_package.bundle import Bundle
from project_package.errors import UserError
from project_package.support import task
from project_package.support.answer import AnswerModel
from project_package.support.dataset import load_data, read_rows
from project_package.support.models import Indexed, candidates
from project_package.support.params import SupportParams
from project_package.support.rerank import RERANKER

MANIFEST: Any = None
WORDS = {"[UNK]": 0, "fence": 1, "roof": 2}
FILES = {
    "long.md": "A fence, a fence, a fence and a roof.",
    "short.md": "A fence.",
    "questions.csv": "question,documents\nMay I build a fence?,short.md\nWho won?,\n",
}


def write_cross_encoder(folder: Path, reads: str = "input_ids", returns: str = "logits") -> None:
    """Write a cross-encoder that prefers passages with few known words."""
    folder.mkdir()
    ids = helper.make_tensor_value_info(reads, TensorProto.INT64, [1, None])
    logits = helper.make_tensor_value_info(returns, TensorProto.FLOAT, [1, 1])
    nodes = [
        helper.make_node("Cast", [reads], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["floats"], ["sum"], keepdims=1),
        helper.make_node("Neg", ["sum"], [returns]),
    ]
    graph = helper.make_graph(nodes, "cross-encoder", [ids], [logits])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    tokenizer = {
        "version": "1.0",
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": WORDS, "unk_token": "[UNK]"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def fit(root: Path, reranker: str) -> dict[str, Any]:
    """Return the fitted candidates of two documents, by name."""
    (root / "own").mkdir()
    for name, text in FILES.items():
        (root / "own" / name).write_text(text)
    sections = {"data": {"sources": [str(root / "own")]}, "passages": {"reranker": reranker}}
    params = SupportParams.model_validate({"name": "own", **sections})
    load_data(params, root, lambda _: None)
    documents, _ = read_rows(root)
    found = candidates(params, root)
    return {one.name: one.fit(documents, one.start, 0) for one in found}


def test_reranker_orders_what_was_found(tmp_path: Path) -> None:
    write_cross_encoder(tmp_path / "reranker")
    fitted = fit(tmp_path, str(tmp_path / "reranker"))
    asked = {"question": np.array(["a fence and a roof"], object)}
    orders = {name: one.predict(asked)["document"][0].tolist() for name, one in fitted.items()}
    assert orders["hybrid"] == ["long.md", "short.md"]
    assert orders["reranked"] == ["short.md", "long.md"]
    similarity = fitted["reranked"].predict(asked)["similarity"][0]
    assert similarity[0] < similarity[1]


def test_bundle_has_the_reranker(tmp_path: Path) -> None:
    write_cross_encoder(tmp_path / "reranker")
    fitted: Indexed = fit(tmp_path, str(tmp_path / "reranker"))["reranked"]
    contents = fitted.files()
    large = {name: one for name, one in contents.items() if isinstance(one, Path)}
    files = {name: one for name, one in contents.items() if isinstance(one, bytes)}
    assert RERANKER in large
    loaded = task.load(Bundle(files, MANIFEST, large))
    assert isinstance(loaded, AnswerModel)
    asked = {"question": np.array(["a fence and a roof", "roof"], object)}
    for name in ("document", "similarity", "signals"):
        np.testing.assert_array_equal(loaded.predict(asked)[name], fitted.predict(asked)[name])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("input_ids", "scores"), "must return logits, of no other inputs than input_ids"),
        (("position_ids", "logits"), "must return logits, of no other inputs than input_ids"),
    ],
)
def test_other_graph_is_an_error(tmp_path: Path, names: tuple[str, str], message: str) -> None:
    write_cross_encoder(tmp_path / "reranker", *names)
    with pytest.raises(UserError, match=message):
        fit(tmp_path, str(tmp_path / "reranker"))


def test_damaged_tokenizer_is_an_error(tmp_path: Path) -> None:
    write_cross_encoder(tmp_path / "reranker")
    (tmp_path / "reranker" / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"tokenizer\.json: "):
        fit(tmp_path, str(tmp_path / "reranker"))


def test_reranker_is_optional_and_its_files_are_not(tmp_path: Path) -> None:
    assert {*fit(tmp_path, "")} == {"words", "dense", "hybrid"}
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match=r"passages\.reranker: there is no none/model\.onnx"):
        fit(tmp_path / "other", "none")
