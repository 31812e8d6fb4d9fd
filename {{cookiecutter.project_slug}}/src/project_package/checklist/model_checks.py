"""The checks of the model: M1 to M7."""

from ..lifecycle.gate import beats
from .checks import Check, Outcome
from .subject import Subject


def simpler_model(subject: Subject) -> Outcome:
    """Require a better score than the simple baseline and than no model."""
    verdicts = beats(subject.project.training.goal, subject.evaluation)
    detail = "; ".join(verdict.detail for verdict in verdicts)
    return Outcome(all(verdict.passed for verdict in verdicts), detail)


MODEL = (
    Check(
        "M5",
        "No simpler model is better",
        "The scores of the test are compared with those of the simple baseline and of no model.",
        "reports/report.html",
        simpler_model,
    ),
)
