"""Ask a language model whether passages support an answer, and whether it answers the question.

Metrics and gate use only the labels of the test questions. How often the judge agrees with these
labels says how far it can be trusted on questions without labels.
"""

import re
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
from sklearn.metrics import cohen_kappa_score

from ..columns import Columns, length, weighted_mean
from .dataset import objects
from .generate import message, passages_of
from .llm import LanguageModel, NotWrittenError, call_each, open_llm
from .metrics import is_right
from .params import SupportParams

JUDGEMENT = "judgement"
"""The column: `yes no` if an answer is supported, but does not answer the question."""
RIGHT = "yes yes"
UNCLEAR = "unclear"
UNJUDGED = ("budget", "provider", UNCLEAR)
"""Why there is no judgement: see `NotWrittenError`, or the reply is another."""
MAX_WORDS = 4  # of a reply that is a judgement
WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Judge:
    """Judges some of the answers, evenly spread over the rows; it is awaited."""

    llm: LanguageModel
    prompt: str
    most: int
    """How many answers, at most."""

    async def predict(self, rows: Columns) -> Columns:
        """Return the judgements of questions with their predictions; empty where it was not asked.

        Refusals are not judged.
        """
        answered = np.flatnonzero(~rows["refused"].astype(bool))
        count = min(self.most, len(answered))
        chosen = answered[np.linspace(0, len(answered), count, endpoint=False, dtype=int)]
        judgements = objects([""] * length(rows))
        judgements[chosen] = await call_each(partial(self._judge, rows), chosen.tolist())
        return {JUDGEMENT: judgements}

    async def _judge(self, rows: Columns, row: int) -> str:
        """Return the judgement of an answer, or why there is none."""
        asked = message(rows["question"][row], passages_of(rows, row))
        text = f"{asked}\n<answer>{escape(rows['answer'][row], quote=False)}</answer>"
        try:
            written = await self.llm.write([("system", self.prompt), ("user", text)])
        except NotWrittenError as error:
            return str(error)
        return read_judgement(written.message.text)


def read_judgement(reply: str) -> str:
    """Return the two words of a reply that say yes or no; unclear if it is long or has others."""
    words = WORD.findall(reply.lower())
    found = [word for word in words if word in {"yes", "no"}]
    return " ".join(found) if len(found) == 2 and len(words) <= MAX_WORDS else UNCLEAR


def make_judge(params: SupportParams) -> Judge | None:
    """Return the judge; None without a language model, or if it should judge nothing."""
    most = params.promote.judged
    llm = open_llm(params.llm) if most else None
    if llm is None:
        return None
    return Judge(llm, (Path(__file__).parent / "judge.md").read_text("utf-8"), most)


def agreement(rows: Columns, predictions: Columns) -> dict[str, float]:
    """Compare judgements with labels, by name; empty if the judge was not asked.

    `judge_agreement` is the share of judged answers that are right by both or wrong by both,
    `judge_kappa` that of Cohen, which chance makes 0; NaN where they are not defined.
    """
    judgements = predictions.get(JUDGEMENT, np.array([""]))
    if not (judgements != "").any():
        return {}
    judged = ~np.isin(judgements, ("", *UNJUDGED))
    verdicts = judgements[judged] == RIGHT
    labels = is_right(rows, predictions)[judged]
    differ = len(np.unique([verdicts, labels])) > 1
    return {
        "judged": judged.sum(),
        "unjudged": np.isin(judgements, UNJUDGED).sum(),
        "judge_agreement": weighted_mean(verdicts == labels),
        "judge_kappa": cohen_kappa_score(labels, verdicts) if differ else np.nan,
    }
