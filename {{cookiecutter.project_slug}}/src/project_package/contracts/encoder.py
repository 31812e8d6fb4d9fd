"""The language model in transformers, its adapters in PEFT, and the export to ONNX."""

import logging
import warnings
from functools import partial
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as ADAPTED
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from transformers import AutoModel, BitsAndBytesConfig

from ..errors import UserError
from .params import Network
from .tokens import from_hub

RANK = 16
ALPHA = 32


class Classifier(nn.Module):
    """A language model, and a linear layer on the mean of its last states."""

    def __init__(self, encoder: nn.Module, width: int, types: int, dropout: float = 0.1) -> None:
        """Take a model with states of `width`, for a number of types."""
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, types)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the logits of the types, (rows, types), of (rows, tokens) with a mask."""
        return self.classify(self.embed(ids, mask))

    def embed(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the mean of the last states of the tokens, (rows, width)."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(2).to(states.dtype)
        mean: Tensor = (states * weights).sum(1) / weights.sum(1)
        return mean

    def set_output(self, linear: LogisticRegression) -> None:
        """Take the weights of the last layer from a fitted logistic regression."""
        with torch.no_grad():
            self.output.weight.copy_(torch.from_numpy(linear.coef_))
            self.output.bias.copy_(torch.from_numpy(linear.intercept_))

    def classify(self, embedding: Tensor) -> Tensor:
        """Return the logits of the types, (rows, types)."""
        logits: Tensor = self.output(self.dropout(embedding))
        return logits


def load(options: Network, types: int) -> Classifier:
    """Load the language model of the options, without training.

    Raises:
        UserError: it cannot be loaded.
    """
    four_bits = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )
    quantised: dict[str, Any] = {"quantization_config": four_bits} if options.quantised else {}
    encoder = from_hub(
        options, partial(AutoModel.from_pretrained, attn_implementation="eager", **quantised)
    )
    return Classifier(encoder, int(encoder.config.hidden_size), types)


def add_adapters(network: Classifier, options: Network) -> None:
    """Freeze the language model, and add adapters to its last layers (LoRA; Hu et al. 2021).

    Raises:
        UserError: PEFT does not know models of this kind.
    """
    encoder: Any = network.encoder
    if options.quantised:
        encoder = prepare_model_for_kbit_training(encoder)  # type: ignore[no-untyped-call]
    count = int(encoder.config.num_hidden_layers)
    layers = "|".join(map(str, range(max(0, count - options.layers), count)))
    kind = encoder.config.model_type
    if kind not in ADAPTED:
        raise UserError(f'network.encoder: PEFT does not know which weights of "{kind}" to adapt.')
    names = "|".join(ADAPTED[kind])
    config = LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.1,
        target_modules=rf"(.*\.)?({layers})\..*\.({names})",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.encoder = get_peft_model(encoder, config)


def merge(network: Classifier) -> Classifier:
    """Add the adapters to the weights that they adapt, for the export."""
    encoder: Any = network.encoder
    network.encoder = encoder.merge_and_unload()
    return network.to("cpu").float().eval()


def to_onnx(network: nn.Module) -> bytes:
    """Return the graph in ONNX: ids and mask, (rows, tokens) int64, to logits, (rows, types)."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
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
            output_names=["logits"],
            dynamic_shapes=(shape, shape),
            external_data=False,
            verbose=False,
        )
    return bytes(program.model_proto.SerializeToString())
