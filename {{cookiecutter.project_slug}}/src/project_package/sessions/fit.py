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
from torch.utils.data import DataLoader, IterableDataset

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


def rank() -> int:
    """Return the number of this process among those that train one network."""
    return dist.get_rank() if dist.is_initialized() else 0


class Loss(nn.Module):
    """The loss as a module: PyTorch averages the gradients of a module over processes."""

    def __init__(self, network: Gru) -> None:
        """Take the network."""
        super().__init__()
        self.network = network

    def forward(self, batch: Mapping[str, Tensor], device: torch.device) -> Tensor:
        """Return the loss of a batch: see `loss_of`."""
        return loss_of(self.network, batch, device)


class Batches(IterableDataset[Mapping[str, Tensor]]):
    """The batches of an epoch that this process trains on, of similar length, in random order."""

    def __init__(self, run: Run, epoch: int) -> None:
        """Take the run and the epoch."""
        self.run = run
        self.epoch = epoch

    def __iter__(self) -> Iterator[Mapping[str, Tensor]]:
        """Read each when it is due: see `tensors`. Every process gets as many."""
        run = self.run
        size = run.options.batch
        random = np.random.default_rng((run.seed, self.epoch))
        lengths = np.array([len(baskets) for baskets in run.rows["baskets"]])
        order = np.argsort(lengths + random.uniform(0, 4, len(lengths)))
        starts = random.permutation(np.arange(0, len(order), size))
        processes = run.options.processes
        shared = starts[: len(starts) - len(starts) % processes]
        for start in shared[rank() :: processes]:
            yield tensors(run.catalogue, take(run.rows, order[start : start + size]))


def fit(settings: Hyperparameters, run: Run) -> Gru:
    """Train a network for as many epochs as the options say; the learning rate falls to 0.

    A run with the same checkpoint continues after its last epoch, or has finished already.

    Raises:
        UserError: there is no such device, there are fewer batches than processes, or the loss is
            not a number.
    """
    options = run.options
    device = device_of(options.device)
    torch.manual_seed(run.seed)
    network = Gru(run.counts, int(settings["width"]), float(settings["dropout"])).to(device)
    rate = float(settings["rate"])
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-4)
    steps = options.epochs * (-(-length(run.rows) // options.batch) // options.processes)
    if not steps:
        raise UserError(f"There are fewer batches than network.processes, {options.processes}.")
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    parts: dict[str, Any] = {"network": network, "optimizer": optimizer, "schedule": schedule}
    done = resumed(run.checkpoint, parts)
    loss_module = Loss(network) if done == options.epochs else averaged(Loss(network), options)
    for epoch in range(done, options.epochs):
        scores = {"loss": train_epoch(run, epoch, parts, loss_module, device)}
        if length(run.held_out):
            scores |= validate(network, run, device)
        if not np.isfinite([*scores.values()]).all():
            raise UserError("The loss is not a number: search lower rates.")
        if rank() == 0:  # all processes have the same weights
            state = {name: part.state_dict() for name, part in parts.items()}
            write_checkpoint(run.checkpoint, partial(torch.save, {"epochs": epoch + 1, **state}))
        run.report(epoch, scores)
    return network.to("cpu").eval()


def averaged(loss: Loss, options: Network) -> nn.Module:
    """Return the loss, whose gradients are averaged over the processes if several train.

    Raises:
        UserError: this is not one of so many processes.
    """
    if options.processes == 1:
        return loss
    if not dist.is_initialized() or dist.get_world_size() != options.processes:
        raise UserError(
            f"network.processes is {options.processes}, and this network is not trained yet: run "
            "the module sessions.data_parallel with torchrun first, in as many processes."
        )
    return nn.parallel.DistributedDataParallel(loss)


def train_epoch(
    run: Run, epoch: int, parts: Mapping[str, Any], loss_module: nn.Module, device: torch.device
) -> float:
    """Train the network on all rows, once; return the mean loss of the batches."""
    network = parts["network"]
    optimizer = parts["optimizer"]
    schedule = parts["schedule"]
    # A resumed training draws the same numbers, and each process others.
    torch.manual_seed(run.seed + epoch + rank() * run.options.epochs)
    network.train()
    losses = []
    # Its own generator leaves the random numbers of the network as they are.
    for batch in DataLoader(Batches(run, epoch), batch_size=None, generator=torch.Generator()):
        loss = loss_module(batch, device)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return float(np.mean(losses))


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
