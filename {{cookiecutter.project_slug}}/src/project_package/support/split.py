"""Split questions by topic; documents are in every training part."""

from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold

from ..bundle import sha256
from ..columns import Columns, concatenate, length, take
from ..contract.training import Fold, Splits
from ..errors import UserError
from .dataset import read_rows
from .params import SupportParams

DIGITS = 8  # of a hash


def split(params: SupportParams, folder: Path) -> Splits:
    """Split by topic: no choice depends on the topics of the test.

    A topic stays where it is when others are added: otherwise an older model would be tested on
    questions by which its threshold was chosen.

    Raises:
        UserError: there are too few topics.
    """
    documents, questions = read_rows(folder)
    topics = questions["topic"].astype(str)
    tested = {name for name in np.unique(topics) if is_tested(name, params)}
    in_test = np.array([topic in tested for topic in topics], np.bool_)
    others = len(np.unique(topics[~in_test]))
    if others < params.split.folds or not tested:
        raise UserError(
            f"Of the topics of questions, {len(tested)} are for the test and {others} for "
            f"training, which needs {params.split.folds}: add questions on other topics."
        )
    rest = take(questions, ~in_test)
    folds = GroupKFold(params.split.folds, shuffle=True, random_state=params.seed)
    parts = folds.split(np.arange(length(rest)), groups=topics[~in_test])

    def with_documents(rows: Columns) -> Columns:
        return concatenate([rows, documents])

    return Splits(
        train=with_documents(rest),
        folds=tuple(
            Fold(with_documents(take(rest, fit)), take(rest, score)) for fit, score in parts
        ),
        test=take(questions, in_test),
    )


def is_tested(topic: str, params: SupportParams) -> bool:
    """Return whether a topic is in the test, by a hash of seed and name."""
    value = int(sha256(f"{params.seed} {topic}".encode())[:DIGITS], 16)
    return bool(value < params.split.test_share * 16**DIGITS)
