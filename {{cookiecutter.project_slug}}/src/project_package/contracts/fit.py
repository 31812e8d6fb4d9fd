"""Fine-tune the language model: adapters and the last layer, in epochs.

Training writes a checkpoint after every epoch, so that a run that was killed continues with the
next epoch; a finished network is read again instead of trained again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch import Tensor, nn
from transformers import get_cosine_schedule_with_warmup

from ..checkpoints import write_checkpoint
from ..contract.training import Hyperparameters, Report
from ..errors import UserError
from ..torch_training import device_of, resumed
from .encoder import Classifier, add_adapters, load, merge
from .params import Network
from .tokens import pad

Ids = Sequence[Sequence[int]]
"""The ids of the tokens of each text."""


@dataclass(frozen=True)
class Run:
    """How to train, on which clauses, where checkpoints are kept, and what is called each epoch."""

    options: Network
    ids: Ids
    types: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    count: int
    """The number of types."""
    seed: int
    checkpoint: Path
    report: Report


def fit(settings: Hyperparameters, run: Run) -> Classifier:
    """Train for as many epochs as the options say; the learning rate falls to 0.

    A run with the same checkpoint continues after its last epoch, or has finished already.

    Raises:
        UserError: there is no such device or model, or the loss is not a number.
    """
    options = run.options
    device = device_of(options.device)
    torch.manual_seed(run.seed)
    dtype = torch.bfloat16 if in_bfloat16(options, device) else torch.float32
    network = load(options, run.count, dtype, quantised=options.quantised)
    add_adapters(network, quantised=options.quantised)
    network.to(device)
    trained = [values for values in network.parameters() if values.requires_grad]
    rate = float(settings["rate"])
    optimizer = torch.optim.AdamW(trained, rate, weight_decay=0.01)
    steps = options.epochs * -(-int(np.sum(~run.held_out)) // options.batch)
    schedule = get_cosine_schedule_with_warmup(optimizer, steps // 10, steps)
    parts: dict[str, Any] = {"network": network, "optimizer": optimizer, "schedule": schedule}
    for epoch in range(resumed(run.checkpoint, parts), options.epochs):
        scores = {"loss": train_epoch(run, epoch, parts, device)}
        if run.held_out.any():
            scores["score"] = validate(network, run, device)
        if not np.isfinite([*scores.values()]).all():
            raise UserError("The loss is not a number: search lower rates.")
        state = {name: part.state_dict() for name, part in parts.items()}
        write_checkpoint(run.checkpoint, partial(torch.save, {"epochs": epoch + 1, **state}))
        run.report(epoch, scores)
    return merge(network)


def train_epoch(run: Run, epoch: int, parts: Mapping[str, Any], device: torch.device) -> float:
    """Train on all clauses, once; return the mean loss of the batches."""
    network = parts["network"]
    torch.manual_seed(run.seed + epoch)  # so that a resumed training draws the same numbers
    network.train()
    network.encoder.eval()  # dropout there took half of the time
    weights = class_weights(run.types[~run.held_out], run.count).to(device)
    losses = []
    for rows in shuffled(run, epoch):
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16(run.options, device)):
            logits = network.logits(*tensors([run.ids[row] for row in rows.tolist()], device))
        types = torch.from_numpy(run.types[rows]).to(device)
        loss = nn.functional.cross_entropy(logits.float(), types, weights)
        parts["optimizer"].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        parts["optimizer"].step()
        parts["schedule"].step()
        losses.append(loss.item())
    return float(np.mean(losses))


def class_weights(types: NDArray[np.int64], count: int) -> Tensor:
    """Return the weight of each type, the inverse root of its number."""
    weights = 1 / np.sqrt(np.maximum(np.bincount(types, minlength=count), 1))
    return torch.from_numpy(weights).float()


def in_bfloat16(options: Network, device: torch.device) -> bool:
    """Return whether frozen weights and products are in bfloat16."""
    if options.precision == "auto":
        if device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return options.precision == "bfloat16"


def shuffled(run: Run, epoch: int) -> Iterator[NDArray[np.int64]]:
    """Yield batches of training clauses of similar length, in random order."""
    random = np.random.default_rng((run.seed, epoch))
    rows = np.flatnonzero(~run.held_out)
    lengths = np.array([len(run.ids[row]) for row in rows.tolist()])
    order = rows[np.argsort(lengths + random.uniform(0, 30, len(rows)))]
    starts = range(0, len(order), run.options.batch)
    for start in random.permutation(np.array(starts)):
        yield order[start : start + run.options.batch]


def tensors(ids: Ids, device: torch.device | None) -> list[Tensor]:
    """Return ids and mask on a device: see `pad`."""
    return [torch.from_numpy(values).to(device) for values in pad(ids).values()]


@torch.no_grad()
def predict(
    network: Callable[..., Tensor], ids: Ids, device: torch.device | None = None
) -> NDArray[Any]:
    """Return what a function makes of ids and mask, (rows, ...), in batches of similar length."""
    order = np.argsort([len(values) for values in ids], kind="stable")
    parts = []
    for start in range(0, len(order), 32):
        inputs = tensors([ids[row] for row in order[start : start + 32].tolist()], device)
        parts.append(network(*inputs).float().cpu().numpy())
    found = np.concatenate(parts)
    return found[np.argsort(order, kind="stable")]


def validate(network: Classifier, run: Run, device: torch.device) -> float:
    """Return the macro F1 on the clauses that were held out."""
    network.eval()
    held_out = [ids for ids, out in zip(run.ids, run.held_out, strict=True) if out]
    found = predict(network, held_out, device).argmax(axis=1)
    right = run.types[run.held_out]
    labels = np.unique(right)  # as in `metrics.macro_f1`
    return float(f1_score(right, found, labels=labels, average="macro", zero_division=0))
