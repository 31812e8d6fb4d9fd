"""Training loops in PyTorch find their device, and continue after a kill."""

from pathlib import Path

import pytest
import torch

from project_package.errors import UserError
from project_package.torch_training import device_of, resumed


def test_device_is_the_named_one_or_what_there_is() -> None:
    assert device_of("cpu").type == "cpu"
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    assert device_of("auto").type == (found.type if found else "cpu")
    for name in {"cuda", "mps"} - {found.type if found else "cpu"}:
        with pytest.raises(UserError, match=f"PyTorch finds no device {name}"):
            device_of(name)


def test_parts_are_loaded_from_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "epochs.pt"
    assert resumed(path, {}) == 0
    parts = {name: torch.nn.Linear(2, 2) for name in ("before", "after")}
    torch.save({"epochs": 3, "part": parts["before"].state_dict()}, path)
    assert resumed(path, {"part": parts["after"]}) == 3
    assert torch.equal(parts["after"].weight, parts["before"].weight)
