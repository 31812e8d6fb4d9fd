"""An assistant with one document, whose answers a language model writes."""

from contextlib import nullcontext
from pathlib import Path

from support.encoders import WordEncoder

from project_package.columns import Columns
from project_package.contract.task import Served
from project_package.support.answer import Details
from project_package.support.generate import GeneratingModel
from project_package.support.index import Passage, write_index
from project_package.support.llm import open_llm
from project_package.support.params import LLM
from project_package.support.task import model_of, to_responses


def serve(folder: Path, passage: Passage, provider: str) -> Served:
    """Return a served model whose only document is a passage."""
    encoder = WordEncoder()
    write_index(folder / "index", [passage], [encoder.embed([passage.text])])
    details = Details(tokens=9, dense=1, words=1, passages=1, sentences=9)
    options = {"provider": provider, "model": "small", "usd_read": 0.1, "usd_written": 0.1}
    llm = open_llm(LLM.model_validate({**options, "retries": 0}))
    assert llm is not None
    model = GeneratingModel(model_of(encoder, folder / "index", details), llm, "PROMPT of answers.")

    def observe(rows: Columns, predictions: Columns) -> dict[str, str]:
        return {"1": to_responses(rows, predictions)[0].model_dump_json()}

    return Served(model, observe, lambda *_: nullcontext())
