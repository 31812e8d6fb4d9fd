"""Texts become padded ids, without what the image of the server leaves out."""

import subprocess
import sys

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from project_package.contracts.tokens import load_tokenizer, pad, token_ids

LEFT_OUT = ("fsspec", "hf_xet", "huggingface_hub", "lxml.objectify", "tqdm", "yaml")
"""The Dockerfile removes them."""
CODE = f"""
import sys
sys.modules.update(dict.fromkeys({LEFT_OUT}))  # which makes their import fail
from project_package.contracts.task import make_task
from project_package.contracts.tokens import load_tokenizer, token_ids
import docx
import numpy as np
print(token_ids(load_tokenizer(sys.stdin.buffer.read(), 3), np.array(["a b a b"], object)))
"""


def small_tokenizer() -> bytes:
    tokenizer = Tokenizer(models.WordLevel({"a": 1, "b": 2, "?": 3}, unk_token="?"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str().encode()


def test_texts_are_cut_and_padded() -> None:
    ids = token_ids(load_tokenizer(small_tokenizer(), 3), np.array(["a b c d", "b"], object))
    assert ids == [[1, 2, 3], [2]]
    padded = pad(ids)
    assert padded["ids"].tolist() == [[1, 2, 3], [2, 0, 0]]
    assert padded["mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert pad([])["ids"].shape == (0, 0)


def test_server_needs_nothing_that_is_left_out() -> None:
    command = (sys.executable, "-c", CODE)
    done = subprocess.run(command, input=small_tokenizer(), capture_output=True, check=False)
    assert done.stdout.decode() == "[[1, 2, 1]]\n", done.stderr.decode()
