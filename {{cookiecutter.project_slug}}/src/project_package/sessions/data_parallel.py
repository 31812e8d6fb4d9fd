"""Train the network in several processes at once, each on its share of the batches.

torchrun starts this module in each process. It trains the network on the rows of each fold and on
all training rows with the settings that the search tries first, and leaves the checkpoints that
`ml train` continues with: with `train.trials=1`, it has no network left to train. `params.toml`
names the number of processes, since the weights depend on it.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.distributed as dist

from ..columns import Columns
from ..contract.training import Fitted
from ..read_params import read_params
from ..torch_training import device_of
from .models import NETWORK, candidates
from .params import SessionsParams
from .split import split


def train_share(rows: Columns, params: SessionsParams, root: Path) -> Fitted:
    """Train the network on rows, as one of the processes; the first prints the loss by epoch."""

    def show(epoch: int, scores: Mapping[str, float]) -> None:
        if dist.get_rank() == 0:
            sys.stdout.write(f"epoch {epoch + 1}: loss {scores['loss']:.4f}\n")

    network = next(one for one in candidates(params, root) if one.name == NETWORK)
    return network.fit(rows, network.start, params.seed, show)


def main(root: Path) -> None:
    """Train on the latest data set of a project's folder."""
    params = read_params(SessionsParams, root / "params.toml")
    folder = root / "data" / (root / "data" / "latest").read_text("utf-8")
    has_gpu = device_of(params.network.device).type == "cuda"
    if has_gpu:  # one for each process of a machine
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if has_gpu else "gloo")
    try:
        splits = split(params, folder)
        for rows in (*(fold.train for fold in splits.folds), splits.train):
            train_share(rows, params, root)
            dist.barrier()  # the last checkpoint is written
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]))
