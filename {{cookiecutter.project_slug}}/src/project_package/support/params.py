"""The parameters of the assistant: documents, questions, passages, and when it answers."""

from typing import Literal

from pydantic import Field, model_validator

from ..frozen import Frozen
from ..params import Params, Promote
from .spending import Amount

FAQ = "faq"


class Data(Frozen):
    """Where documents and questions come from."""

    sources: tuple[str, ...] = Field(
        default=(FAQ,), min_length=1, description="faq, or folders with Markdown, HTML, PDF, text"
    )
    languages: tuple[Literal["en", "sv"], ...] = Field(
        default=("en", "sv"), min_length=1, description="of the FAQ that are read"
    )


class Split(Frozen):
    """How questions are split; those of one topic stay together."""

    test_share: float = Field(
        default=0.5, gt=0, lt=1, description="of the topics, by a hash of their names"
    )
    folds: int = Field(default=3, ge=2, le=10, description="of the others, for the search")


class Passages(Frozen):
    """What is searched, and returned."""

    questions: int = Field(default=3, ge=0, description="of expansions that are used, a document")
    count: int = Field(default=5, ge=1, le=20, description="passages of an answer")
    reranker: str = Field(
        default="", description="folder of a cross-encoder: model.onnx and tokenizer.json"
    )


class Encoding(Frozen):
    """The language model that embeds texts."""

    folder: str = Field(
        default="", description="with model.onnx and tokenizer.json; a packaged MiniLM by default"
    )
    tokens: int = Field(default=256, ge=8, le=8192, description="that are read of a text")


class Decide(Frozen):
    """When a question is answered."""

    answer_rate: float = Field(
        default=0.9, gt=0, le=1, description="of the questions that the documents answer"
    )
    sentences: int = Field(default=3, ge=1, description="of an answer, at most")


class LLM(Frozen):
    """The large language model that writes answers, if its key is in the environment."""

    provider: Literal["", "openai", "anthropic"] = Field(
        default="", description="empty: answers are the documents' own sentences"
    )
    model: str = Field(default="", description="of the provider")
    max_tokens: int = Field(default=300, ge=1, description="of an answer")
    seconds: float = Field(default=15, gt=0, description="limit for all attempts of a call")
    retries: int = Field(default=1, ge=0, description="per call, with backoff")
    usd_a_day: float = Field(default=1.0, gt=0, description="budget, UTC")
    tokens_a_day: int = Field(default=1_000_000, ge=1, description="budget, UTC")
    usd_read: float = Field(
        default=0.0, ge=0, description="price of a million tokens to read; 0 for your own server"
    )
    usd_written: float = Field(default=0.0, ge=0, description="price of a million to write")

    @model_validator(mode="after")
    def require_model(self) -> "LLM":
        """Require a model and its prices of a provider."""
        prices = {"usd_read", "usd_written"}  # 0 only if that is said
        if self.provider and not (self.model and prices <= self.model_fields_set):
            raise ValueError("provider needs model, usd_read and usd_written")
        return self

    def cost(self, read: int, written: int) -> Amount:
        """Return what tokens cost."""
        usd = (read * self.usd_read + written * self.usd_written) / 1_000_000
        return Amount(usd, read + written)


class Evidence(Promote):
    """What a challenger must show, and what the report shows beside it."""

    judged: int = Field(default=50, ge=0, description="test answers that llm also judges")


class SupportParams(Params):
    """All parameters."""

    data: Data = Data()
    split: Split = Split()
    passages: Passages = Passages()
    encoder: Encoding = Encoding()
    decide: Decide = Decide()
    llm: LLM = LLM()
    promote: Evidence = Evidence(min_parity_rows=100, max_difference=1e-4, max_bundle_mb=120)
