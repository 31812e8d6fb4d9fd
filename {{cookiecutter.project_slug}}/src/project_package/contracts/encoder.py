"""The language model in transformers, its adapters in PEFT, and the export to ONNX."""

import logging
import warnings
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, BitsAndBytesConfig

from ..errors import UserError
from .params import Network
from .tokens import encoder_of

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
    name = encoder_of(options)
    four_bits = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )
    try:
        config = AutoConfig.from_pretrained(name)
        quantised = {"quantization_config": four_bits} if options.quantised else {}
        encoder = AutoModel.from_pretrained(name, attn_implementation="eager", **quantised)
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f'network.encoder: "{name}" cannot be loaded: {reason}') from error
    return Classifier(encoder, int(config.hidden_size), types)


def add_adapters(network: Classifier, options: Network) -> None:
    """Freeze the language model, and add adapters to its last layers (LoRA; Hu et al. 2021)."""
    encoder: Any = network.encoder
    if options.quantised:
        encoder = prepare_model_for_kbit_training(encoder)  # type: ignore[no-untyped-call]
    layers = int(encoder.config.num_hidden_layers)
    chosen = list(range(max(0, layers - options.layers), layers))
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.1, layers_to_transform=chosen)
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
