"""What training loops in PyTorch share: the device, and the checkpoint of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .errors import UserError


def device_of(name: str) -> torch.device:
    """Return the device of that name; for `auto`, CUDA or Apple's if there is one, else the CPU.

    Raises:
        UserError: there is no such device.
    """
    cpu = torch.device("cpu")
    accelerator = torch.accelerator.current_accelerator(check_available=True) or cpu
    if name not in ("auto", "cpu", accelerator.type):
        raise UserError(f'PyTorch finds no device {name}: set network.device to "auto".')
    return cpu if name == "cpu" else accelerator


def resumed(checkpoint: Path, parts: Mapping[str, Any]) -> int:
    """Load the parts from a checkpoint, if there is one; return how many epochs are done."""
    if not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, map_location="cpu")  # tensors and numbers, no code
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return int(saved["epochs"])
