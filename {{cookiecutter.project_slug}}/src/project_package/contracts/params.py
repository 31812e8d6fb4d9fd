"""The parameters of the contracts: clauses, the split, the language model, and the error rate."""

from typing import Literal

from pydantic import Field

from ..frozen import Frozen
from ..params import Params, Promote

LICENCES = "licences"


class Data(Frozen):
    """Where clauses come from, and which are learned from."""

    source: str = Field(
        default=LICENCES,
        description="licences, a CSV or Parquet file, or a folder with documents",
    )
    labels: str = Field(
        default="labels.csv", description="in a folder of documents: the table of labels"
    )
    least_words: int = Field(default=15, ge=1, description="of a clause")
    most_words: int = Field(default=600, ge=1, description="of a clause")
    similarity: float = Field(
        default=0.5, gt=0, le=1, description="from which only one of two clauses is kept"
    )


class Split(Frozen):
    """How clauses are split; those of one owner stay together."""

    test_share: float = Field(
        default=0.25, gt=0, le=0.5, description="of the owners: 1/2, 1/3, 1/4 and so on"
    )
    folds: int = Field(default=1, ge=1, le=5, description="of the others, for the search")


class Network(Frozen):
    """The language model, and how it is fine-tuned."""

    encoder: str = Field(
        default="", description="a model of the Hugging Face hub, or its folder; MiniLM by default"
    )
    epochs: int = Field(default=2, ge=1)
    tokens: int = Field(default=96, ge=8, le=512, description="that are read of a clause")
    batch: int = Field(default=16, ge=1, description="clauses of a step")
    held_out: float = Field(
        default=0, ge=0, le=0.5, description="share of the owners that score each epoch"
    )
    device: str = Field(default="auto", description="auto, cpu, cuda or mps")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="of weights and products; auto: bfloat16 where it is fast"
    )
    quantised: bool = Field(default=False, description="QLoRA: frozen weights in 4 bits, on CUDA")


class Decide(Frozen):
    """When a person has to read a clause."""

    error_rate: float = Field(
        default=0.05, gt=0, lt=0.5, description="of the clauses that nobody reads"
    )


class ContractsParams(Params):
    """All parameters."""

    data: Data = Data()
    split: Split = Split()
    network: Network = Network()
    decide: Decide = Decide()
    promote: Promote = Promote(
        min_parity_rows=100, max_difference=1e-4, max_quantisation_loss=0.005, max_bundle_mb=120
    )
