"""What the server needs of the contracts use case: clauses become rows, rows become answers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..columns import EXPLAIN, Columns
from ..contract.task import Task
from ..onnx_runtime import GRAPH, OnnxModel
from .classify_and_explain import DETAILS, ClauseModel, Details
from .documents import MEDIA_TYPES, read_document
from .schemas import LONGEST, ContractsRequest, ContractsResponse, Label, Words
from .tokens import TOKENIZER, encode, load_tokenizer


def load(bundle: Bundle) -> ClauseModel:
    """Load the model of a bundle."""
    details = Details.model_validate_json(bundle.files[DETAILS])
    return model_of(bundle.files[GRAPH], details, bundle.files.get(TOKENIZER, b""))


def model_of(graph: bytes, details: Details, tokenizer: bytes) -> ClauseModel:
    """Return the served model of a graph, its details, and the file of its tokenizer."""
    return ClauseModel(OnnxModel(graph, *coding(details, tokenizer)), details)


def coding(details: Details, content: bytes) -> tuple[Any, Any]:
    """Return how rows become inputs of the graph, and its outputs logits."""
    tokenizer = load_tokenizer(content, details.tokens) if details.inputs == "tokens" else None

    def read(rows: Columns) -> Columns:
        if tokenizer is None:
            return {"text": lower(rows["text"])[:, None]}
        return encode(tokenizer, rows["text"].tolist())

    def decode(_: Columns, outputs: Columns) -> Columns:
        if tokenizer is None:
            return {"logits": np.log(outputs["probabilities"])}
        return outputs

    return read, decode


def lower(texts: NDArray[Any]) -> NDArray[Any]:
    """Return texts in lower case, (rows,)."""
    return np.array([text.lower() for text in texts], object)


def to_rows(requests: Sequence[ContractsRequest]) -> Columns:
    """Turn requests into rows; what is not given is empty or 0."""
    return {
        "text": np.array([request.text for request in requests], object),
        "document": np.array([request.document_id or "" for request in requests], object),
        "clause": np.array([request.clause for request in requests]),
        "page": np.array([request.page for request in requests]),
        "heading": np.array([request.heading for request in requests], object),
        EXPLAIN: np.array([request.explain for request in requests]),
    }


def to_responses(rows: Columns, predictions: Columns) -> list[ContractsResponse]:
    """Turn predictions into responses."""
    columns = [rows[name].tolist() for name in ("clause", "page", "heading")]
    columns += [predictions[n].tolist() for n in ("type", "confidence", "accepted", "words")]
    return [
        ContractsResponse(
            type=kind,
            confidence=round(confidence, 6),
            decision="accept" if accepted else "review",
            clause=clause,
            page=page,
            heading=heading,
            words=[Words(start=s, end=e, effect=round(effect, 4)) for s, e, effect in words],
        )
        for clause, page, heading, kind, confidence, accepted, words in zip(*columns, strict=True)
    ]


def monitored(rows: Columns, predictions: Columns) -> Columns:
    """Select the number of words, their mean length, type and confidence."""
    words = np.array([len(text.split()) for text in rows["text"]], np.float64)
    letters = np.array([len("".join(text.split())) for text in rows["text"]], np.float64)
    return {
        "words": words,
        "word_length": letters / np.maximum(words, 1),
        "type": predictions["type"],
        "confidence": predictions["confidence"],
    }


def instances(content: bytes) -> list[dict[str, Any]]:
    """Return the instances of a document, one a clause; raise ValueError if it cannot be read."""
    clauses = enumerate(read_document(content), 1)
    return [
        {"text": one.text[:LONGEST], "heading": one.heading, "page": one.page, "clause": number}
        for number, one in clauses
    ]


def make_task(_: Bundle) -> Task:
    """Build the task."""
    return Task(
        name="contracts",
        request=ContractsRequest,
        response=ContractsResponse,
        load=load,
        to_rows=to_rows,
        to_responses=to_responses,
        monitored=monitored,
        outputs=("type", "confidence"),
        entity="document",
        id=("document", "clause"),
        label=Label,
        meanings={"text": "of the clause"},
        slow_requests=True,
        weight=lambda request: 24 if request.explain else 1,
        max_body_mb=8,
        media_types=dict.fromkeys(MEDIA_TYPES, instances),
    )
