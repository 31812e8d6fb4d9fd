"""What the server needs of the assistant: questions become rows, rows become answers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from fastapi import APIRouter

from ..bundle import Bundle
from ..columns import Columns, length
from ..contract.task import Served, Task
from ..errors import UserError
from ..settings import read_settings
from .answer import DETAILS, AnswerModel, Details
from .encoder import ENCODER, TOKENIZER, Encoder, TextEncoder
from .generate import PROMPT, GeneratingModel
from .index import INDEX, Index
from .llm import open_llm
from .mask import mask
from .rerank import RERANKER, RERANKER_TOKENIZER, Reranker
from .retrieve import Retriever
from .schemas import (
    MAX_QUESTIONS,
    MAX_SLOW,
    FoundPassage,
    Label,
    Sentence,
    SupportRequest,
    SupportResponse,
)
from .settings import SupportSettings
from .vectors import MemoryVectors, VectorStore

OUTPUTS = ("confidence", "refused", "by", "usd", "tokens")


def load(bundle: Bundle) -> AnswerModel | GeneratingModel:
    """Load the model of a bundle; without the key of its provider, documents are quoted.

    Raises:
        UserError: the vector store cannot be used.
    """
    details = Details.model_validate_json(bundle.files[DETAILS])
    graph = bundle.large[ENCODER].read_bytes()
    encoder = Encoder(graph, bundle.files[TOKENIZER], details.tokens)
    path = bundle.large[INDEX]
    reranker = None
    if RERANKER in bundle.large:
        tokenizer = bundle.files[RERANKER_TOKENIZER]
        reranker = Reranker(bundle.large[RERANKER], tokenizer)
    model = model_of(encoder, path, details, open_vectors(path), reranker)
    llm = open_llm(details.llm)
    return GeneratingModel(model, llm, bundle.files[PROMPT].decode()) if llm else model


def open_vectors(index: Path) -> VectorStore:
    """Open the embeddings of an index: those in PostgreSQL, or in memory without an address."""
    address = read_settings(SupportSettings).vector_store_url.get_secret_value()
    if not address:
        return MemoryVectors(index)
    try:
        from .postgres_vectors import PostgresVectors  # noqa: PLC0415  an extra of the project
    except ImportError:
        raise UserError("VECTOR_STORE_URL needs `uv sync --extra postgresql`.") from None
    return PostgresVectors(address, index)


def model_of(
    encoder: TextEncoder,
    path: Path,
    details: Details,
    vectors: VectorStore | None = None,
    reranker: Reranker | None = None,
) -> AnswerModel:
    """Return the served model of encoder, index and details; by default with vectors in memory."""
    index = Index(path, vectors or MemoryVectors(path))
    retriever = Retriever(encoder, index, details.dense, details.words, details.passages, reranker)
    return AnswerModel(retriever, details)


def to_rows(requests: Sequence[SupportRequest]) -> Columns:
    """Turn requests into rows."""
    return {
        "question": np.array([request.question for request in requests], object),
        "customer": np.array([request.customer_id or "" for request in requests], object),
    }


def to_responses(_: Columns, predictions: Columns) -> list[SupportResponse]:
    """Turn predictions into responses."""
    fields = [*FoundPassage.model_fields]
    responses = []
    for row in range(length(predictions)):
        parts = zip(*(predictions[name][row].tolist() for name in fields), strict=True)
        passages = [FoundPassage(**dict(zip(fields, values, strict=True))) for values in parts]
        sentences = predictions["answer"][row].splitlines()
        cited = [map(int, line.split()) for line in predictions["cited"][row].splitlines()]
        responses.append(
            SupportResponse(
                answer=" ".join(sentences),
                refused=predictions["refused"][row],
                confidence=float(predictions["confidence"][row]),
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
    decided = {name: predictions[name] for name in OUTPUTS}
    return {"words": np.array(words, np.float64), **first, **decided}


def masked(rows: Columns) -> Columns:
    """Mask personal data in questions."""
    return {**rows, "question": np.array([*map(mask, rows["question"])], object)}


def chat_routes(served: Callable[[], Served]) -> APIRouter:
    """Return the route of the agent."""
    from .agent.chat import make_router  # noqa: PLC0415  commands need no LangGraph, which takes a second

    return make_router(served)


def make_task(bundle: Bundle) -> Task:
    """Build the task."""
    details = Details.model_validate_json(bundle.files[DETAILS])
    is_slow = details.llm.provider or RERANKER in bundle.large
    most = MAX_SLOW if is_slow else MAX_QUESTIONS
    return Task(
        name="support",
        request=SupportRequest,
        response=SupportResponse,
        load=load,
        to_rows=to_rows,
        to_responses=to_responses,
        monitored=monitored,
        logged=masked,
        outputs=("similarity", "topic", "language", *OUTPUTS),
        entity="customer",
        label=Label,
        meanings={"question": "as a customer asks it"},
        slow_requests=True,
        traces=True,
        weight=lambda _: 1_000 // most,
        routers={"predict": chat_routes},
    )
