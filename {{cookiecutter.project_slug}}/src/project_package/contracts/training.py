"""Assemble the training of the contracts: what kind of clause is this, and who should read it?"""

from functools import partial
from pathlib import Path

import numpy as np

from ..columns import Columns
from ..contract.checklist import Checklist
from ..contract.checks import Checks
from ..contract.training import Training
from . import dataset, figures, metrics
from .ablations import ablations
from .about import about
from .confidence import finish
from .ensemble import ensembles
from .models import candidates
from .monitoring import MONITORING
from .params import ContractsParams
from .simulation import make_simulation
from .split import split
from .task import make_task

PARAMS = ContractsParams
"""The type of the parameters."""


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return the clauses with document, page and type, those of the least confidence first."""
    order = np.argsort(predictions["confidence"], kind="stable")
    position = {n: rows[n] for n in ("document", "clause", "page", "heading") if n in rows}
    decision = np.where(predictions["accepted"], "accept", "review")
    answer = {"type": predictions["type"], "confidence": predictions["confidence"]}
    table = {**position, **answer, "decision": decision, "text": rows["text"]}
    return {name: column[order] for name, column in table.items()}


def make_training(params: ContractsParams, root: Path) -> Training:
    """Return the training for parameters and a project's folder."""
    return Training(
        make_task=make_task,
        libraries=("tokenizers",),
        load_data=dataset.load_data,
        split=split,
        candidates=candidates(params, root),
        combine=partial(ensembles, params.seed),
        metrics=metrics.METRICS,
        naive=metrics.naive,
        about=about,
        read_batch=dataset.read_batch,
        batch_table=batch_table,
        examples=dataset.examples,
        finish=finish,
        periods=metrics.periods,
        pooled=True,
        groups=lambda rows: rows["owner"].astype(str),
        slices=metrics.slices,
        summary=figures.summary,
        figures=partial(figures.figures, params.decide),
        monitoring=MONITORING,
        checks=Checks(max_parity_rows=150, latency_calls=30),  # a language model takes 25 ms
        simulation=make_simulation(params),
        checklist=Checklist(
            ablations=ablations,
            feature_tests="contracts/test_clauses.py",
            feature_modules=("contracts.clauses",),
            new_feature_test="contracts/test_new_feature.py",
            groups=metrics.slices,
        ),
    )
