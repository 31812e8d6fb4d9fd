"""Turn texts into the ids of tokens, as the language model reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ..columns import Columns

TOKENIZER = "tokenizer.json"  # the file of a bundle


def load_tokenizer(content: bytes, tokens: int) -> Tokenizer:
    """Return the tokenizer of a bundle's file, which cuts texts to a number of tokens."""
    tokenizer = Tokenizer.from_buffer(content)
    tokenizer.enable_truncation(tokens)
    tokenizer.no_padding()
    return tokenizer


def token_ids(tokenizer: Tokenizer, texts: NDArray[Any]) -> list[list[int]]:
    """Return the ids of each text."""
    return [encoding.ids for encoding in tokenizer.encode_batch(texts.tolist())]


def pad(ids: Sequence[Sequence[int]]) -> Columns:
    """Return ids, padded to the longest, and the mask of those that count: (rows, tokens)."""
    longest = max(map(len, ids), default=0)
    padded = np.zeros((len(ids), longest), np.int64)
    mask = np.zeros((len(ids), longest), np.int64)
    for row, values in enumerate(ids):
        padded[row, : len(values)] = values
        mask[row, : len(values)] = 1
    return {"ids": padded, "mask": mask}
