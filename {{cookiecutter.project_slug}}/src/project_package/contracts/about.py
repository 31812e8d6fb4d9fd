"""What report and model card say about the contracts."""

from ..contract.about import About
from .params import LICENCES, ContractsParams

LICENCE_LIMITS = (
    "The types are those that headings name. Two annotators (language models that did not see the "
    "heading) agree with each other on 98% of 200 clauses, and with the heading on 83 and 84%: a "
    "perfect reader would not reach a score of 1.",
    "The clauses are those of software licences in English: train on contracts of your own before "
    "you review others.",
)


def about(params: ContractsParams) -> About:
    """Describe the model for the report and the model card."""
    are_licences = params.data.source == LICENCES
    return About(
        title="Contract review",
        question="What kind of clause is this, and does a person have to read it?",
        use="A lawyer reads the clauses that the model is not certain about, and the types that "
        "matter.",
        misuse="It is no legal advice, and must not approve a contract.",
        data="Clauses of licence texts in ScanCode LicenseDB, with the type that their heading "
        "names; the model does not read the heading."
        if are_licences
        else f"Clauses read from {params.data.source}.",
        limits=(
            *(LICENCE_LIMITS if are_licences else ()),
            f"The model reads the first {params.network.tokens} tokens of a clause.",
        ),
        rows="clauses",
        periods="groups of owners",
        baselines="The simple baseline is a logistic regression on words and pairs of words "
        "(TF-IDF). “No model” answers the most frequent type.",
        terms={
            "short clauses": "the third with the fewest words",
            "long clauses": "the third with the most words",
            "rare owners": "clauses of owners with one or two clauses in the test",
        },
    )
