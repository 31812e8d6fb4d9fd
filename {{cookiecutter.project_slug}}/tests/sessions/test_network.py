"""The network: what it sees, and what changes nothing."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from project_package.sessions.network import Gru


def network() -> Gru:
    """Return a network of random weights that knows nine items."""
    torch.manual_seed(0)
    made = Gru(np.arange(1, 10), 8, 0.0).eval()
    for values in made.parameters():
        torch.nn.init.normal_(values, std=0.5)
    torch.nn.init.zeros_(made.embedding.weight[0])  # as a new network has it
    return made


def inputs(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    items = torch.from_numpy(random.integers(0, 10, shape))
    days = torch.from_numpy(-np.sort(-random.uniform(0, 180, shape[:2])).astype(np.float32))
    return items, days, torch.from_numpy(random.integers(0, shape[1], shape[0]))


@torch.no_grad()
def probabilities(*values: torch.Tensor) -> np.ndarray[Any, Any]:
    counts = torch.zeros(len(values[0]), 9)  # it reads none
    found: np.ndarray[Any, Any] = network()(*values, counts).numpy()
    return found


def test_probabilities_sum_to_one() -> None:
    assert probabilities(*inputs(5, 4, 3)).sum(1) == pytest.approx(np.ones(5), abs=1e-5)


@settings(max_examples=15)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3))
def test_padding_changes_nothing(rows: int, baskets: int, items: int, more: int) -> None:
    bought, days, _ = inputs(rows, baskets, items)
    last = torch.full((rows,), baskets - 1)
    days[:, -1] = 2
    padded = torch.nn.functional.pad(bought, (0, more, 0, more))
    longer = torch.nn.functional.pad(days, (0, more))
    found = probabilities(padded, longer, last)
    np.testing.assert_allclose(found, probabilities(bought, days, last), rtol=1e-4)


@torch.no_grad()
def test_later_basket_never_changes_an_earlier_score() -> None:
    items, days, _ = inputs(3, 6, 4)
    steps = torch.arange(6).expand(3, -1)
    scores = network().scores(items, days, steps)
    for step in range(5):
        other = items.clone()
        other[:, step + 1 :] = inputs(3, 5 - step, 4, seed=1)[0]
        changed = network().scores(other, days, steps)
        torch.testing.assert_close(changed[:, : step + 1], scores[:, : step + 1])
        assert not torch.allclose(changed[:, step + 1 :], scores[:, step + 1 :])
