"""What the server needs of the assistant: questions become rows, rows become answers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..bundle import Bundle
from ..columns import Columns, length
from ..contract.task import Task
from .answer import DETAILS, AnswerModel, Details
from .encoder import ENCODER, TOKENIZER, Encoder, TextEncoder
from .generate import PROMPT, GeneratingModel
from .index import INDEX, Index
from .retrieve import Retriever
from .schemas import FoundPassage, Label, Sentence, SupportRequest, SupportResponse
from .spending import Spending
from .writers import make_writer

MAX_QUESTIONS = 250  # of a body, which take five seconds of a processor
WEIGHT = 1_000 // MAX_QUESTIONS
SPENDING = "spending.db"  # in the folder of the project or the server


def load(bundle: Bundle) -> AnswerModel | GeneratingModel:
    """Load the model of a bundle; without the key of its provider, documents are quoted."""
    details = Details.model_validate_json(bundle.files[DETAILS])
    graph = bundle.large[ENCODER].read_bytes()
    encoder = Encoder(graph, bundle.files[TOKENIZER], details.tokens)
    model = model_of(encoder, bundle.large[INDEX], details)
    writer = make_writer(details.generate)
    if writer is None:
        return model
    prompt = bundle.files[PROMPT].decode()
    return GeneratingModel(model, writer, details.generate, prompt, Spending(Path(SPENDING)))


def model_of(encoder: TextEncoder, index: Path, details: Details) -> AnswerModel:
    """Return the served model of encoder, index and details."""
    retriever = Retriever(encoder, Index(index), details.dense, details.words, details.passages)
    return AnswerModel(retriever, details)


def to_rows(requests: Sequence[SupportRequest]) -> Columns:
    """Turn requests into rows."""
    return {
        "question": np.array([request.question for request in requests], object),
        "customer": np.array([request.customer_id or "" for request in requests], object),
    }


def to_responses(_: Columns, predictions: Columns) -> list[SupportResponse]:
    """Turn predictions into responses."""
    fields = [name for name in FoundPassage.model_fields if name != "similarity"]
    responses = []
    for row in range(length(predictions)):
        parts = zip(*(predictions[name][row].tolist() for name in fields), strict=True)
        similarities = predictions["similarity"][row].tolist()
        passages = [
            FoundPassage(**dict(zip(fields, values, strict=True)), similarity=round(similarity, 7))
            for values, similarity in zip(parts, similarities, strict=True)
        ]
        sentences = predictions["answer"][row].splitlines()
        cited = [map(int, line.split()) for line in predictions["cited"][row].splitlines()]
        responses.append(
            SupportResponse(
                answer=" ".join(sentences),
                refused=predictions["refused"][row],
                confidence=round(float(predictions["confidence"][row]), 7),
                sentences=tuple(
                    Sentence(text=text, passages=tuple(numbers))
                    for text, numbers in zip(sentences, cited, strict=True)
                ),
                by=predictions["by"][row],
                passages=tuple(passages),
            )
        )
    return responses


def monitored(rows: Columns, predictions: Columns) -> Columns:
    """Select the length of the question, what was found for it, and whether it is refused."""
    words = [len(question.split()) for question in rows["question"]]
    first = {name: predictions[name][:, 0] for name in ("similarity", "topic", "language")}
    decided = {name: predictions[name] for name in ("confidence", "refused", "by")}
    return {"words": np.array(words, np.float64), **first, **decided}


def make_task(_: Bundle) -> Task:
    """Build the task."""
    return Task(
        name="support",
        request=SupportRequest,
        response=SupportResponse,
        load=load,
        to_rows=to_rows,
        to_responses=to_responses,
        monitored=monitored,
        outputs=("similarity", "topic", "language", "confidence", "refused", "by"),
        entity="customer",
        label=Label,
        meanings={"question": "as a customer asks it"},
        slow_requests=True,
        weight=lambda _: WEIGHT,
    )
