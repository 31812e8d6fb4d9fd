"""Train the network in several processes at once, each on its share of the batches of a step.

torchrun starts this module in each process. It trains the network on the rows of each fold and on
all training rows with the settings that the search tries first, and leaves checkpoints, which
`ml train` finds: with `train.trials=1`, it has no network left to train.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.distributed as dist

from ..errors import UserError
from ..read_params import read_params
from ..torch_training import device_of
from .models import NETWORK, candidates
from .params import SessionsParams
from .split import split


def train(root: Path) -> None:
    """Train on the latest data set of a project's folder, as one of the processes.

    Raises:
        UserError: torchrun did not start this process, there is no data set, or as `split` and the
            training.
    """
    if not dist.is_torchelastic_launched():
        raise UserError("Start this module with torchrun: docs/task.md has the command.")
    params = read_params(SessionsParams, root / "params.toml")
    latest = root / "data" / "latest"
    if not latest.exists():
        raise UserError("There is no data yet: run `ml data` first.")
    device = device_of(params.network.device)
    if device.type not in ("cpu", "cuda"):
        raise UserError('Only CPU and CUDA can share a network: set network.device to "cpu".')
    splits = split(params, root / "data" / latest.read_text("utf-8"))
    network = next(one for one in candidates(params, root) if one.name == NETWORK)
    if device.type == "cuda":  # one for each process of a machine
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        for rows in (*(fold.train for fold in splits.folds), splits.train):
            network.fit(rows, network.start, params.seed, show)
    finally:
        dist.destroy_process_group()


def show(epoch: int, scores: Mapping[str, float]) -> None:
    """Print the loss of an epoch, in the first process."""
    if dist.get_rank() == 0:
        sys.stdout.write(f"epoch {epoch + 1}: loss {scores['loss']:.4f}\n")
        sys.stdout.flush()


def main() -> None:
    """Train in the working folder; print a user's error as a sentence, once for all processes."""
    try:
        train(Path())
    except UserError as error:
        if os.environ.get("RANK", "0") == "0":
            sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
