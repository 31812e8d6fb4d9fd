"""Language models are fine-tuned, resumed and exported; the served model answers as the fitted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from project_package.bundle import sha256_of_file
from project_package.columns import Columns, concatenate
from project_package.contract.training import Candidate, Choice, Fold
from project_package.contracts.encoder import Classifier, load, to_onnx
from project_package.contracts.ensemble import ensembles
from project_package.contracts.metrics import METRICS
from project_package.contracts.models import candidates
from project_package.contracts.params import ContractsParams, Network
from project_package.contracts.task import WEIGHTS, model_of
from project_package.errors import UserError
from project_package.onnx_runtime import GRAPH, OnnxModel

SETTINGS = {"tfidf": {"C": 10.0}, "frozen": {"C": 1e4}, "lora": {"rate": 0.01}, "ensemble": {}}
WORDS = {"grant": "you may use copy run", "misc": "notices survival waiver writing mail"}


def clauses(count: int, seed: int = 0) -> Columns:
    """Return clauses of random words of their type."""
    random = np.random.default_rng(seed)
    types = random.choice([*WORDS], count)
    texts = [" ".join(random.choice(WORDS[kind].split(), 6)) for kind in types]
    return {
        "text": np.array(texts, object),
        "type": types.astype(object),
        "owner": np.array([f"O{row % 7}" for row in range(count)], object),
    }


@pytest.fixture(scope="module", params=["bert", "llama"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a small language model with random weights, and its tokenizer."""
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))  # noqa: S106  no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=["[PAD]", "[UNK]"])
    tokenizer.train_from_iterator(WORDS.values(), trainer)
    fast: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token="[PAD]",  # noqa: S106
        unk_token="[UNK]",  # noqa: S106
    )
    fast.save_pretrained(folder)
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2, "vocab_size": fast.vocab_size}
    torch.manual_seed(0)
    if request.param == "bert":
        BertModel(BertConfig(**sizes)).save_pretrained(folder)
    else:
        LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained(folder)
    return folder


@pytest.fixture
def params(encoder: Path) -> ContractsParams:
    network = Network(encoder=str(encoder), epochs=6, batch=8, tokens=16, precision="float32")
    return ContractsParams(name="tiny", network=network)


def candidate(params: ContractsParams, root: Path, name: str) -> Candidate:
    known = {one.name: one for one in candidates(params, root)}
    if name in known:
        return known[name]
    folds = [Fold(clauses(60), clauses(20, seed=2))]
    choices = [Choice(one, SETTINGS[one.name], (0.5,)) for one in known.values()]
    (found,) = ensembles(1, folds, METRICS[0], choices)
    return found.candidate


@pytest.mark.parametrize("name", SETTINGS)
def test_served_model_answers_as_the_fitted_one(
    params: ContractsParams, tmp_path: Path, name: str
) -> None:
    known = candidate(params, tmp_path, name)
    fitted: Any = known.fit(clauses(120), SETTINGS[name], 1)
    rows = clauses(40, seed=1)
    long = {**rows, "text": rows["text"] + " unknown words that do not fit" * 5}
    rows = concatenate([rows, long])
    served = model_of(fitted.files())
    expected = fitted.predict(rows)
    found = served.predict(rows)
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-5)
    assert found["type"].tolist() == expected["type"].tolist()
    least = 0.6 if name == "frozen" else 0.9  # random weights say little about a text
    assert np.mean(found["type"][:40] == rows["type"][:40]) > least


def test_killed_training_continues_as_if_it_had_not_been(
    params: ContractsParams, tmp_path: Path
) -> None:
    seen: list[int] = []

    def report(epoch: int, _: Mapping[str, float]) -> None:
        seen.append(epoch)
        if seen == [0, 1]:
            raise KeyboardInterrupt

    rows = clauses(60)
    whole: Any = candidate(params, tmp_path / "whole", "lora").fit(rows, {"rate": 0.01}, 1)
    killed = candidate(params, tmp_path / "killed", "lora")
    with pytest.raises(KeyboardInterrupt):
        killed.fit(rows, {"rate": 0.01}, 1, report)
    continued: Any = killed.fit(rows, {"rate": 0.01}, 1, report)
    assert seen == [0, 1, 2, 3, 4, 5]
    answers = [model.predict(rows)["probabilities"] for model in (whole, continued)]
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_owners_that_are_held_out_score_each_epoch(
    params: ContractsParams, tmp_path: Path, precision: str
) -> None:
    network = params.network.model_copy(update={"held_out": 0.3, "precision": precision})
    found = []
    scored = candidate(params.model_copy(update={"network": network}), tmp_path, "lora")
    scored.fit(clauses(120), {"rate": 0.01}, 1, lambda _, scores: found.append(scores))
    assert all(scores.keys() == {"loss", "score"} for scores in found)
    assert found[-1]["score"] > 0.9


@pytest.mark.parametrize("name", ["lora", "ensemble"])
def test_int8_model_is_smaller(params: ContractsParams, tmp_path: Path, name: str) -> None:
    known = candidate(params, tmp_path, name)
    fitted: Any = known.fit(clauses(60), SETTINGS["lora"], 1)
    assert known.quantise
    small: Any = known.quantise(fitted, clauses(60))
    assert len(small.files()[GRAPH]) < 0.7 * len(fitted.files()[GRAPH])
    rows = clauses(20)
    answer = small.predict(rows)["probabilities"]
    np.testing.assert_allclose(answer, fitted.predict(rows)["probabilities"], atol=0.1)
    served = model_of(small.files()).predict(rows)
    np.testing.assert_array_equal(served["probabilities"], answer)


def test_ensemble_is_the_mean_of_both(params: ContractsParams, tmp_path: Path) -> None:
    rows = clauses(60)
    words, lora, both = (
        candidate(params, tmp_path, name).fit(rows, SETTINGS[name], 1).predict(rows)
        for name in ("tfidf", "lora", "ensemble")
    )
    mean = (words["probabilities"] + lora["probabilities"]) / 2
    np.testing.assert_allclose(both["probabilities"], mean, atol=1e-6)


@pytest.mark.parametrize("count", [2, 3])
def test_output_is_that_of_a_logistic_regression(count: int) -> None:
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(60, 8))
    linear = LogisticRegression().fit(embeddings, np.arange(60) % count)
    network = Classifier(nn.Identity(), 8, count).eval()
    network.set_output(linear)
    logits = network.output(torch.from_numpy(embeddings).float())
    found = logits.softmax(1).detach().numpy()
    np.testing.assert_allclose(found, linear.predict_proba(embeddings), atol=1e-5)


def test_weights_of_a_large_model_are_in_a_file(encoder: Path, tmp_path: Path) -> None:
    network = load(Network(encoder=str(encoder)), 2).eval()
    inputs = torch.tensor([[2, 3, 4]]), torch.ones(1, 3, dtype=torch.int64)
    files: Any = to_onnx(network, tmp_path / "new", most=1_000)
    served = OnnxModel(files[GRAPH], lambda rows: rows, weights=files[WEIGHTS])
    assert [*files[WEIGHTS].parent.iterdir()] == [files[WEIGHTS]]
    assert files[WEIGHTS].name == sha256_of_file(files[WEIGHTS])
    found = served.predict({"ids": inputs[0].numpy(), "mask": inputs[1].numpy()})
    expected = network(*inputs).detach().numpy()
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-6)


def test_holding_out_every_owner_is_an_error(params: ContractsParams, tmp_path: Path) -> None:
    network = params.network.model_copy(update={"held_out": 0.5})
    rows = {**clauses(60), "owner": np.full(60, "O", object)}
    held = candidate(params.model_copy(update={"network": network}), tmp_path, "lora")
    with pytest.raises(UserError, match="leaves no owner to train on"):
        held.fit(rows, {"rate": 0.01}, 2)


def test_unknown_model_is_named(params: ContractsParams, tmp_path: Path) -> None:
    network = Network(encoder=str(tmp_path / "nowhere"))
    missing = candidate(params.model_copy(update={"network": network}), tmp_path, "lora")
    with pytest.raises(UserError, match=r"nowhere.* cannot be loaded"):
        missing.fit(clauses(60), {"rate": 0.01}, 1)
