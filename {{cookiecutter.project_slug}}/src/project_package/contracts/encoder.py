"""The language model in transformers, its adapters in PEFT, and the export to ONNX."""

import logging
import warnings
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from transformers import AutoModel, BitsAndBytesConfig
from transformers.utils.logging import disable_progress_bar

from ..bundle import Contents, sha256_of_file
from ..onnx_runtime import GRAPH
from .hub import from_hub
from .params import Network
from .task import WEIGHTS

RANK = 16
ALPHA = 32
MOST = 500_000_000  # weights in a graph: its file has at most 2 GB


class Classifier(nn.Module):
    """A language model, and a linear layer on the mean of its last states."""

    def __init__(self, encoder: nn.Module, width: int, types: int, dropout: float = 0.1) -> None:
        """Take a model with states of `width`, for a number of types."""
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, types)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the probabilities of the types, (rows, types), of (rows, tokens) with a mask."""
        return self.logits(ids, mask).softmax(1)

    def logits(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the logits of the types, (rows, types)."""
        states = self.dropout(self.embed(ids, mask)).to(self.output.weight.dtype)
        logits: Tensor = self.output(states)
        return logits

    def embed(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the mean of the last states of the tokens, (rows, width)."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(2).to(states.dtype)
        mean: Tensor = (states * weights).sum(1) / weights.sum(1)
        return mean

    def set_output(self, linear: LogisticRegression) -> None:
        """Take the weights of the last layer from a fitted logistic regression."""
        weight = linear.coef_
        bias = linear.intercept_
        if len(weight) == 1:  # of two types, only the second has weights
            weight = np.vstack([np.zeros_like(weight), weight])
            bias = np.append(0.0, bias)
        with torch.no_grad():
            self.output.weight.copy_(torch.from_numpy(weight))
            self.output.bias.copy_(torch.from_numpy(bias))


def load(
    options: Network, types: int, dtype: torch.dtype = torch.float32, *, quantised: bool = False
) -> Classifier:
    """Load the language model of the options, without training; quantised, in 4 bits (QLoRA).

    Raises:
        UserError: it cannot be loaded.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]
    changes: dict[str, Any] = {"attn_implementation": "eager", "dtype": dtype}
    if quantised:
        changes["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    encoder = from_hub(options, partial(AutoModel.from_pretrained, **changes))
    return Classifier(encoder, int(encoder.config.hidden_size), types)


def add_adapters(network: Classifier, *, quantised: bool = False) -> None:
    """Freeze the language model, and add adapters to its linear layers (LoRA; Hu et al. 2021)."""
    encoder: Any = network.encoder
    if quantised:
        encoder = prepare_model_for_kbit_training(encoder)  # type: ignore[no-untyped-call]
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.encoder = get_peft_model(encoder, config)


def merge(network: Classifier) -> Classifier:
    """Add the adapters to the weights that they adapt, for the export."""
    encoder: Any = network.encoder
    is_quantised = hasattr(encoder.config, "quantization_config")
    if not is_quantised:
        encoder.cpu().float()  # sums in 16 bits would be rounded
    merged = encoder.merge_and_unload()
    network.encoder = merged.dequantize() if is_quantised else merged
    return network.to("cpu").float().eval()


def to_onnx(network: nn.Module, folder: Path, most: int = MOST) -> Contents:
    """Return the graph in ONNX: ids and mask, (rows, tokens) int64, to probabilities.

    The weights of a network that has more than `most` are in a file of the folder.
    """
    logging.getLogger("torch").setLevel(logging.ERROR)
    inputs = (torch.ones(2, 8, dtype=torch.int64), torch.ones(2, 8, dtype=torch.int64))
    rows, tokens = (torch.export.Dim(name) for name in ("rows", "tokens"))
    shape = {0: rows, 1: tokens}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(
            network.eval(),
            inputs,
            dynamo=True,
            input_names=["ids", "mask"],
            output_names=["probabilities"],
            dynamic_shapes=(shape, shape),
            verbose=False,
        )
    if sum(weights.numel() for weights in network.parameters()) <= most:
        return {GRAPH: bytes(program.model_proto.SerializeToString())}
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as name:
        graph = Path(name) / GRAPH
        program.save(graph, external_data=True)
        saved = graph.with_name(f"{GRAPH}.data")
        weights = saved.rename(folder / sha256_of_file(saved))  # as the model store calls it
        model = onnx.load(graph, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = weights.name
    return {GRAPH: bytes(model.SerializeToString()), WEIGHTS: weights}
