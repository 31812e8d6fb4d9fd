"""The networks in PyTorch, and their export to ONNX.

A graph takes the items of baskets, (rows, baskets, items) int64 with 0 for nothing, how many days
ago each was bought, (rows, baskets) float32, the index of the newest basket, (rows,) int64, and how
often each item was bought, (rows, items) float32; see `Catalogue.encode`. It returns a probability
for each item of the catalogue, (rows, items).
"""

import logging
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def sum_by_item(items: Tensor, weights: Tensor, count: int) -> Tensor:
    """Sum the weights of baskets by item: (rows, steps, items of the catalogue).

    Items are (rows, baskets, items) and weights, of each basket in each step, (rows, steps,
    baskets).
    """
    index = items.flatten(1).unsqueeze(1).expand(-1, weights.shape[1], -1)
    values = weights.unsqueeze(3).expand(-1, -1, -1, items.shape[2]).flatten(2)
    zeros = torch.zeros(*weights.shape[:2], count + 1, device=items.device)
    return zeros.scatter_add(2, index, values)[..., 1:]


class Gru(nn.Module):
    """A gated recurrent unit over baskets, and attention that copies items from earlier baskets.

    Most of a basket has been bought before. So the score of an item is a sum: a linear layer on the
    state of the unit, and how often the item was in earlier baskets, weighted by attention; each
    item has a learned weight for the latter.
    """

    def __init__(self, counts: NDArray[Any], width: int, dropout: float) -> None:
        """Make layers for items that were bought so often.

        Before it is trained, the network recommends what the household buys most often, and of such
        items the popular ones: the first weights had the highest recall that way.
        """
        super().__init__()
        self.count = count = len(counts)
        self.embedding = nn.Embedding(count + 1, width, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(width + 2, width, batch_first=True)
        self.output = nn.Linear(width, count)
        self.query = nn.Linear(width, width // 4)
        self.key = nn.Linear(width, width // 4)
        self.decay = nn.Parameter(torch.tensor(0.0))
        self.scale = nn.Parameter(torch.tensor(4.0))
        self.copy_weights = nn.Parameter(torch.full((count,), 1.5))
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.zeros_(self.query.weight)
        nn.init.zeros_(self.output.weight)
        with torch.no_grad():
            self.embedding.weight[0] = 0  # no item: else the size of other baskets changes a mean
            self.output.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())) * 0.3)

    def scores(self, items: Tensor, days: Tensor, steps: Tensor) -> Tensor:
        """Score the basket that follows each of the baskets at `steps`: (rows, steps, items)."""
        sizes = (items > 0).sum(2, keepdim=True)
        means = self.embedding(items).sum(2) / sizes.clamp(min=1)
        next_days = torch.cat([days[:, 1:], torch.zeros_like(days[:, :1])], 1)  # 0: the row itself
        gaps = torch.log1p(days - next_days).unsqueeze(2)
        states, _ = self.gru(self.dropout(torch.cat([means, gaps, sizes.log1p()], 2)))
        state = states.gather(1, steps.unsqueeze(2).expand(-1, -1, states.shape[2]))
        # Attention: each step looks at its own basket and those before.
        now = next_days.gather(1, steps)
        age = torch.log1p((days.unsqueeze(1) - now.unsqueeze(2)).clamp(min=0))
        later = torch.arange(items.shape[1], device=items.device) > steps.unsqueeze(2)
        weights = self.query(state) @ self.key(states).transpose(1, 2) - self.decay * age
        attention = weights.masked_fill(later, -1e9).softmax(2)
        copied = sum_by_item(items, attention, self.count) * self.scale.exp()
        scores: Tensor = self.output(self.dropout(state)) + self.copy_weights * copied.log1p()
        return scores

    def forward(self, items: Tensor, days: Tensor, last: Tensor, _counts: Tensor) -> Tensor:
        """Return the probability of each item to be the next, (rows, items)."""
        return self.scores(items, days, last.unsqueeze(1))[:, 0].softmax(1)


class Counts(nn.Module):
    """What the household bought, and a prior: purchases as everybody makes them.

    On public data, few networks beat such counts (Li et al. 2021).
    """

    def __init__(self, bought: NDArray[Any], prior: float) -> None:
        """Take how often each item was bought, (items,), and how many purchases the prior has."""
        super().__init__()
        self.everybody: Tensor
        self.register_buffer("everybody", torch.tensor(prior * bought / bought.sum()).float())

    def forward(self, _items: Tensor, _days: Tensor, _last: Tensor, counts: Tensor) -> Tensor:
        """Return shares of items, (rows, items)."""
        scores = counts + self.everybody
        return scores / scores.sum(1, keepdim=True)


class Mixture(nn.Module):
    """The weighted mean of the probabilities of two networks."""

    def __init__(self, first: nn.Module, second: nn.Module, share: float) -> None:
        """Take two networks, and the weight of the second one, from 0 to 1."""
        super().__init__()
        self.first = first
        self.second = second
        self.share = share

    def forward(self, items: Tensor, days: Tensor, last: Tensor, counts: Tensor) -> Tensor:
        """Return the probability of each item to be the next, (rows, items)."""
        first: Tensor = self.first(items, days, last, counts)
        second: Tensor = self.second(items, days, last, counts)
        return (1 - self.share) * first + self.share * second


def to_onnx(network: nn.Module, count: int) -> bytes:
    """Return the graph of a network that scores `count` items in ONNX.

    It takes any number of rows, of baskets, and of items in a basket.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    inputs = (
        torch.ones(2, 3, 4, dtype=torch.int64),
        torch.ones(2, 3),
        torch.ones(2, dtype=torch.int64),
        torch.ones(2, count),
    )
    rows, baskets, items = (torch.export.Dim(name) for name in ("rows", "baskets", "items"))
    shapes = ({0: rows, 1: baskets, 2: items}, {0: rows, 1: baskets}, {0: rows}, {0: rows})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(
            network.eval(),
            inputs,
            dynamo=True,
            input_names=["items", "days", "last", "counts"],
            output_names=["scores"],
            dynamic_shapes=shapes,
            verbose=False,
        )
    return bytes(program.model_proto.SerializeToString())
