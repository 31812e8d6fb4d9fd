"""Assemble the training of the assistant: what do the documents say, or do they not say it?"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from ..contract.checklist import Checklist
from ..contract.checks import Checks
from ..contract.training import Training
from . import dataset, figures, metrics
from .ablations import ablations
from .about import about
from .answer import is_quoted
from .confidence import finish
from .generate import PROMPT
from .judge import make_judge
from .log_answers import log_answers
from .models import candidates
from .monitoring import MONITORING
from .params import SupportParams
from .simulation import make_simulation
from .split import split
from .task import make_task

LIBRARIES = (
    "langchain-anthropic",
    "langchain-openai",
    "langgraph",
    "langgraph-checkpoint-postgres",
    "langgraph-checkpoint-sqlite",
    "mcp",
    "psycopg-pool",
    "tokenizers",
)
PARAMS = SupportParams
"""The type of the parameters."""


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return questions with answer, the documents that its sentences name, and confidence."""
    answers = [answer.replace("\n", " ") for answer in predictions["answer"]]
    sources = ["; ".join(sorted(names)) for names in metrics.cited_documents(predictions)]
    return {
        "question": rows["question"],
        "answer": np.array(answers, object),
        "sources": np.array(sources, object),
        "refused": predictions["refused"],
        "confidence": predictions["confidence"],
    }


def export_differs(fitted: Columns, loaded: Columns) -> NDArray[np.bool_]:
    """Return the questions with other passages, or with other quoted sentences, (rows,)."""
    found = (fitted["document"] != loaded["document"]).any(axis=1)
    other = is_quoted(loaded) & (fitted["answer"] != loaded["answer"])
    differs: NDArray[np.bool_] = found | other
    return differs


def answer_changes(old: Columns, new: Columns) -> NDArray[np.bool_]:
    """Return the questions that only one model answers, or each from another document, (rows,)."""
    other = old["document"][:, 0] != new["document"][:, 0]
    changed: NDArray[np.bool_] = (old["refused"] != new["refused"]) | (other & ~new["refused"])
    return changed


def erase_conversations(customer: str) -> int:
    """Delete the conversations of a customer with the agent; return how many."""
    from .agent.delete import erase_conversations as erase  # noqa: PLC0415  LangGraph takes a second

    return erase(customer)


def make_training(params: SupportParams, root: Path) -> Training:
    """Return the training for parameters and a project's folder."""
    return Training(
        make_task=make_task,
        libraries=LIBRARIES,
        prompts=(PROMPT,),
        load_data=dataset.load_data,
        split=split,
        candidates=candidates(params, root),
        metrics=metrics.METRICS,
        naive=metrics.naive,
        about=about,
        read_batch=dataset.read_batch,
        batch_table=batch_table,
        examples=dataset.examples,
        finish=finish,
        periods=metrics.periods,
        pooled=True,
        groups=lambda rows: rows["topic"].astype(str),
        slices=metrics.slices,
        export_differs=export_differs,
        answer_changes=answer_changes,
        summary=figures.summary,
        figures=figures.figures,
        monitoring=MONITORING,
        checks=Checks(max_parity_rows=150, latency_calls=30),  # a question takes 20 ms
        simulation=make_simulation(params),
        judge=make_judge,
        log_rows=log_answers,
        erase={"conversations": erase_conversations},
        checklist=Checklist(
            ablations=ablations,
            feature_tests="support/test_retrieve.py",
            feature_modules=("support.retrieve",),
            new_feature_test="support/test_new_document.py",
            groups=metrics.slices,
        ),
    )
