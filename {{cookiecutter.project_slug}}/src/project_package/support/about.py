"""What report and model card say about the assistant."""

from ..contract.about import About
from .params import FAQ, SupportParams

FAQ_LIMITS = (
    "Questions and expansions were written by language models, without sight of each other's; "
    "those of customers differ more from both.",
    "The entries of the FAQ contradict each other in places; the answer is what an entry says, "
    "not what the law says.",
    "The encoder knows English. Swedish is found by its words.",
)


def about(params: SupportParams) -> About:
    """Describe the model for the report and the model card."""
    is_faq = FAQ in params.data.sources
    return About(
        title="Support assistant",
        question="What do our documents say about this question, or do they not say it?",
        use="Customers get an answer in the words of a document, with its source. A person takes "
        "over what is refused.",
        misuse="It must not advise on what no document says.",
        data="A FAQ about building and renovation in Sweden, in English and Swedish (Zaragoza AB, "
        "CC BY 4.0), and questions written for it."
        if is_faq
        else f"Documents and questions in {', '.join(params.data.sources)}.",
        limits=FAQ_LIMITS if is_faq else (),
        rows="questions",
        train_rows="documents and questions",
        periods="groups of topics",
        baselines="The simple baseline finds passages by their words (BM25). “No model” refuses "
        "every question.",
        terms={
            "answerable": "a document answers the question",
            "near": "it is about a subject of the documents, but none answers it",
            "far": "it is about something else",
        },
    )
