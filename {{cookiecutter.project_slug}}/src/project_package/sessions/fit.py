"""Train the network in PyTorch.

Training writes a checkpoint after every epoch, so that a run that was killed continues with the
next epoch; a finished network is read again instead of trained again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from ..checkpoints import write_checkpoint
from ..columns import Columns, length, take
from ..contract.training import Hyperparameters, Report
from ..errors import UserError
from ..torch_training import device_of, resumed
from .network import Gru
from .params import Network
from .task import Catalogue


@dataclass(frozen=True)
class Run:
    """How to train, on which rows, where checkpoints are kept, and what is called each epoch."""

    options: Network
    catalogue: Catalogue
    counts: NDArray[Any]
    """How often each of its items was bought."""
    rows: Columns
    held_out: Columns
    seed: int
    checkpoint: Path
    report: Report


class Loss(nn.Module):
    """The loss of a network as a module, whose gradients PyTorch can average over processes."""

    def __init__(self, network: Gru) -> None:
        """Take the network."""
        super().__init__()
        self.network = network

    def forward(self, batch: Mapping[str, Tensor], device: torch.device) -> Tensor:
        """Return the loss of a batch: see `loss_of`."""
        return loss_of(self.network, batch, device)


def fit(settings: Hyperparameters, run: Run) -> Gru:
    """Train a network for as many epochs as the options say; the learning rate falls to 0.

    A run with the same checkpoint continues after its last epoch, or has finished already.

    Raises:
        UserError: there is no such device, a step has more batches than there are, the loss is not
            a number, or several processes cannot train together.
    """
    options = run.options
    device = device_of(options.device)
    torch.manual_seed(run.seed)
    network = Gru(run.counts, int(settings["width"]), float(settings["dropout"])).to(device)
    rate = float(settings["rate"])
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-4)
    steps = -(-length(run.rows) // options.batch) // options.batches_per_step
    if not steps:
        raise UserError("There are fewer batches than network.batches_per_step: lower it.")
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, options.epochs * steps)
    parts: dict[str, Any] = {"network": network, "optimizer": optimizer, "schedule": schedule}
    done = resumed(run.checkpoint, parts)
    loss = averaged(Loss(network), options, done)
    for epoch in range(done, options.epochs):
        scores = {"loss": train_epoch(run, epoch, parts, loss, device)}
        if length(run.held_out):
            scores |= validate(network, run, device)
        if not np.isfinite([*scores.values()]).all():
            raise UserError("The loss is not a number: search lower rates.")
        if process()[0] == 0:  # all processes have the same weights
            state = {name: part.state_dict() for name, part in parts.items()}
            write_checkpoint(run.checkpoint, partial(torch.save, {"epochs": epoch + 1, **state}))
        run.report(epoch, scores)
    return network.to("cpu").eval()


def process() -> tuple[int, int]:
    """Return the rank of this process among those that train together, and how many they are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def averaged(loss: Loss, options: Network, done: int) -> nn.Module:
    """Return the loss; if several processes train together, its gradients are their mean.

    Raises:
        UserError: the processes cannot have equal shares of a step, or have not done as many
            epochs.
    """
    _, processes = process()
    if processes == 1:
        return loss
    if options.batches_per_step % processes:
        raise UserError(f"network.batches_per_step must be a multiple of {processes} processes.")
    epochs = [0] * processes
    dist.all_gather_object(epochs, done)
    if len({*epochs}) > 1:
        raise UserError("The processes find different checkpoints: let them share the folder.")
    return nn.parallel.DistributedDataParallel(loss)


def train_epoch(
    run: Run, epoch: int, parts: Mapping[str, Any], loss_module: nn.Module, device: torch.device
) -> float:
    """Train the network on all rows, once; return the mean loss of the batches.

    A step follows the mean gradient of its batches; each process computes that of a share of them.
    """
    network = parts["network"]
    optimizer = parts["optimizer"]
    schedule = parts["schedule"]
    rank, processes = process()
    torch.manual_seed(run.seed + epoch)  # so that a resumed training draws the same numbers
    network.train()
    losses = []
    order, steps = shuffled(run, epoch)
    for starts in steps.tolist():
        optimizer.zero_grad()
        for start in starts[rank::processes]:
            if len(starts) > 1:  # whichever process has the batch, it draws the same numbers
                torch.manual_seed(run.seed + epoch + start * run.options.epochs)
            rows = take(run.rows, order[start : start + run.options.batch])
            loss = loss_module(tensors(run.catalogue, rows), device)
            (loss * processes / len(starts)).backward()
            losses.append(loss.item())
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    mean = torch.tensor(np.mean(losses) / processes, dtype=torch.float32, device=device)
    if processes > 1:
        dist.all_reduce(mean)
    return mean.item()


def shuffled(run: Run, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return an order of the rows, and where in it batches start: (steps, batches of a step).

    A batch has rows of similar length. The last ones that do not suffice for a step are left out.
    """
    random = np.random.default_rng((run.seed, epoch))
    lengths = np.array([len(baskets) for baskets in run.rows["baskets"]])
    order = np.argsort(lengths + random.uniform(0, 4, len(lengths)))
    starts = random.permutation(np.arange(0, len(order), run.options.batch))
    of_step = run.options.batches_per_step
    return order, starts[: len(starts) // of_step * of_step].reshape(-1, of_step)


def batches_of(rows: Columns, order: NDArray[np.int64], size: int) -> Iterator[Columns]:
    """Yield batches of `size` rows in this order."""
    for start in range(0, len(order), size):
        yield take(rows, order[start : start + size])


def tensors(catalogue: Catalogue, rows: Columns) -> Mapping[str, Tensor]:
    """Return the inputs of rows, and the basket that follows each: (rows, baskets, items)."""
    inputs = catalogue.sequences(rows)
    items = inputs["items"]
    last = inputs["last"]
    bought = [catalogue.codes_read(basket) for basket in rows["bought"]]
    most = max(items.shape[2], *map(len, bought))
    following = np.zeros((*items.shape[:2], most), np.int64)
    following[:, :-1, : items.shape[2]] = items[:, 1:]
    for row, codes in enumerate(bought):
        following[row, last[row], : len(codes)] = codes
    return {name: torch.from_numpy(value) for name, value in {**inputs, "next": following}.items()}


def loss_of(network: Gru, batch: Mapping[str, Tensor], device: torch.device) -> Tensor:
    """Return the mean cross-entropy of the items of a basket, averaged over baskets.

    Each basket counts alike, as in the recall. The first basket of a row is not predicted, unless
    it is the household's first: the baskets before it are in another row.
    """
    items, days, last, following = (value.to(device) for value in batch.values())
    steps = torch.arange(items.shape[1], device=device).expand(len(items), -1)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        scores = network.scores(items, days, steps)
    known = following > 0
    picked = scores.float().log_softmax(2).gather(2, (following - 1).clamp(min=0))
    sizes = known.sum(2)
    loss = -(picked * known).sum(2) / sizes.clamp(min=1)
    counted = (steps <= last[:, None]) & ((steps > 0) | (last[:, None] == 0)) & (sizes > 0)
    return loss[counted].sum() / counted.sum().clamp(min=1)  # a batch can have unknown items only


@torch.no_grad()
def validate(network: Gru, run: Run, device: torch.device, count: int = 20) -> dict[str, float]:
    """Return the loss on held-out rows, and as score the recall@20 of the last baskets' items."""
    network.eval()
    losses = []
    recalls = []
    for rows in batches_of(run.held_out, np.arange(length(run.held_out)), run.options.batch):
        batch = tensors(run.catalogue, rows)
        losses.append(loss_of(network, batch, device).item())
        items, days, last, following = (value.to(device) for value in batch.values())
        scores = network.scores(items, days, last[:, None])[:, 0]
        best = scores.topk(min(count, network.count)).indices + 1
        bought = following[torch.arange(len(best)), last]
        hits = (best[:, :, None] == bought[:, None]).any(2).sum(1)
        recalls.append((hits / (bought > 0).sum(1))[(bought > 0).any(1)])
    return {"val_loss": float(np.mean(losses)), "score": float(torch.cat(recalls).mean())}
