"""What the server needs of the contracts use case: clauses become rows, rows become answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle, Files
from ..columns import EXPLAIN, Columns
from ..contract.task import Task
from ..onnx_runtime import GRAPH, OnnxModel
from .classify_and_explain import DETAILS, PARTS, ClauseModel, Details
from .documents import MEDIA_TYPES, read_document
from .schemas import LONGEST, ContractsRequest, ContractsResponse, Label, Words
from .tokens import TOKENIZER, load_tokenizer, pad, token_ids

WEIGHTS = "weights"  # the large file of a bundle with weights that the graph names
WORDS = "words.onnx"  # the graph that reads words; that of the language model is GRAPH
SECONDS = 5  # to extract the text of a body: other bodies wait
MAX_CLAUSES = 250  # of a body, which take six seconds of a processor
WEIGHT = 1_000 // MAX_CLAUSES


def load(bundle: Bundle) -> ClauseModel:
    """Load the model of a bundle."""
    return model_of(bundle.files, bundle.large.get(WEIGHTS))


def model_of(files: Files, weights: Path | None = None) -> ClauseModel:
    """Return the served model of the files of a bundle, which has one graph or both."""
    details = Details.model_validate_json(files[DETAILS])
    graphs = []
    if WORDS in files:
        graphs.append(OnnxModel(files[WORDS], lambda rows: {"text": lower(rows["text"])[:, None]}))
    if GRAPH in files:
        tokenizer = load_tokenizer(files[TOKENIZER], details.tokens)

        def encode(rows: Columns) -> Columns:
            return pad(token_ids(tokenizer, rows["text"]))

        graphs.append(OnnxModel(files[GRAPH], encode, weights=weights))
    return ClauseModel(tuple(graphs), details)


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
            confidence=round(confidence, 7),
            decision="accept" if accepted else "review",
            clause=clause,
            page=page,
            heading=heading,
            words=[Words(start=s, end=e, effect=round(x, 4)) for s, e, x in words if x > 0],
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
    clauses = read_document(content, SECONDS)
    if len(clauses) > MAX_CLAUSES:
        raise ValueError(f"has more than {MAX_CLAUSES} clauses: `ml predict` reads it")
    return [
        {"text": one.text[:LONGEST], "heading": one.heading, "page": one.page, "clause": number}
        for number, one in enumerate(clauses, 1)
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
        weight=lambda request: WEIGHT * (1 + PARTS if request.explain else 1),
        max_body_mb=8,
        media_types=dict.fromkeys(MEDIA_TYPES, instances),
    )
