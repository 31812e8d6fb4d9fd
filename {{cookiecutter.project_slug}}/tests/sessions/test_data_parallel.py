"""Several processes train one network, as one process does; `ml train` finds it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from sessions.tables import data_set, params

from project_package.contract.training import Fitted
from project_package.errors import UserError
from project_package.sessions.models import candidates
from project_package.sessions.params import SessionsParams
from project_package.sessions.split import split

PARAMS = """
name = "tiny"
data = {source = "own.parquet", min_households = 2}
split = {test_weeks = 3, folds = 2, fold_weeks = 2}
network = {epochs = 3, held_out = 0.2, batch = 8, batches_per_step = 2, device = "cpu"}
"""
KILLED_IN_THE_SECOND_EPOCH = """
import os, signal, sys
from project_package.sessions.data_parallel import main

class Output:
    def write(self, text):
        if text.startswith("epoch 2"):  # its checkpoint is written
            os.kill(os.getpid(), signal.SIGKILL)

    def flush(self):
        pass

sys.stdout = Output()
main()
"""
MODULE = ("-m", "project_package.sessions.data_parallel")
NETWORK = {"epochs": 3, "held_out": 0.2, "batch": 8, "batches_per_step": 2, "device": "cpu"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project with a data set and parameters."""
    folder = tmp_path / "data" / "tiny"
    folder.mkdir(parents=True)
    data_set(folder)
    (tmp_path / "data" / "latest").write_text("tiny")
    (tmp_path / "params.toml").write_text(PARAMS)
    return tmp_path


def torchrun(root: Path, *program: str) -> subprocess.Popen[str]:
    """Start a program in two processes with one thread each, in the folder of a project."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*launcher, *program],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def weights(fitted: Fitted) -> Mapping[str, torch.Tensor]:
    state: Mapping[str, torch.Tensor] = fitted.network.state_dict()  # type: ignore[attr-defined]
    return state


def fits(root: Path, checkpoints: Path, report: Callable[[int], None]) -> list[Fitted]:
    """Train the networks of the folds and of all training rows in this process."""
    one = params("own.parquet", network=NETWORK)
    network = candidates(one, checkpoints)[1]
    splits = split(one, root / "data" / "tiny")
    return [
        network.fit(rows, network.start, one.seed, lambda epoch, _: report(epoch))
        for rows in (*(fold.train for fold in splits.folds), splits.train)
    ]


def test_processes_train_the_network_of_one(root: Path, tmp_path: Path) -> None:
    (root / "train.py").write_text(KILLED_IN_THE_SECOND_EPOCH)
    (killed := torchrun(root, "train.py")).communicate()
    assert killed.returncode
    printed, _ = (again := torchrun(root, *MODULE)).communicate()
    assert again.returncode == 0
    lines = re.findall(r"epoch (\d): loss ([\d.]+)\n", printed)
    assert [int(epoch) for epoch, _ in lines] == [3, *[1, 2, 3] * 2]
    assert float(lines[-1][1]) < float(lines[-3][1])

    trained: list[int] = []
    found = fits(root, root, trained.append)
    assert not trained  # nothing is left to train
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    expected = fits(root, tmp_path / "other", trained.append)
    torch.set_num_threads(threads)
    assert trained == [0, 1, 2] * 3
    for one, other in zip(found, expected, strict=True):
        assert all(torch.equal(weights(one)[name], value) for name, value in weights(other).items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('device = "cpu"', 'device = "abacus"'), "network.device"),
        (("batches_per_step = 2", "batches_per_step = 3"), "must be a multiple of 2 processes"),
    ],
)
def test_mistakes_are_sentences(change: tuple[str, str], message: str, root: Path) -> None:
    (root / "params.toml").write_text(PARAMS.replace(*change))
    _, printed = (processes := torchrun(root, *MODULE)).communicate()
    assert processes.returncode
    assert printed.count(message) == 1
    assert "Traceback" not in printed.partition("ChildFailedError")[0].rpartition(message)[0]


def test_processes_without_torchrun_are_refused(root: Path) -> None:
    command = [sys.executable, *MODULE]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == "Start this module with torchrun: docs/task.md has the command.\n"
    assert done.returncode == UserError.exit_code


def test_more_batches_per_step_than_there_are_is_refused(root: Path) -> None:
    one: SessionsParams = params("own.parquet", network=NETWORK | {"batches_per_step": 1000})
    network = candidates(one, root)[1]
    with pytest.raises(UserError, match=r"fewer batches than network\.batches_per_step"):
        network.fit(split(one, root / "data" / "tiny").train, network.start, one.seed)
