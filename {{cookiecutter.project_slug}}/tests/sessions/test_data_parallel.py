"""Two processes train one network: they end with equal weights, which `ml train` finds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sessions.tables import data_set, params

from project_package.errors import UserError
from project_package.sessions.models import candidates
from project_package.sessions.split import split

PARAMS = """
name = "tiny"
data = {source = "own.parquet", min_households = 2}
split = {test_weeks = 3, folds = 2, fold_weeks = 2}
network = {epochs = 3, batch = 8, device = "cpu", processes = 2}
"""
SAVE_WEIGHTS = """
import sys
from pathlib import Path
import torch
import torch.distributed as dist
from project_package.read_params import read_params
from project_package.sessions.data_parallel import train_share
from project_package.sessions.params import SessionsParams
from project_package.sessions.split import split
root = Path(sys.argv[1])
params = read_params(SessionsParams, root / "params.toml")
dist.init_process_group("gloo")
fitted = train_share(split(params, root / "data" / "tiny").train, params, root)
torch.save(fitted.network.state_dict(), root / f"{dist.get_rank()}.pt")
dist.destroy_process_group()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project with a data set and parameters."""
    folder = tmp_path / "data" / "tiny"
    folder.mkdir(parents=True)
    data_set(folder)
    (tmp_path / "data" / "latest").write_text("tiny")
    (tmp_path / "params.toml").write_text(PARAMS)
    return tmp_path


def torchrun(*program: str) -> str:
    """Run a program in two processes; return what they print."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launcher, *program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_processes_end_with_equal_weights(root: Path) -> None:
    (root / "save_weights.py").write_text(SAVE_WEIGHTS)
    printed = torchrun(str(root / "save_weights.py"), str(root))
    first, second = (torch.load(root / f"{rank}.pt") for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    losses = [float(loss) for loss in re.findall(r"epoch \d: loss ([\d.]+)", printed)]
    assert len(losses) == 3
    assert losses[-1] < losses[0]


def test_training_finds_the_network_of_the_processes(root: Path) -> None:
    network = {"epochs": 3, "batch": 8, "device": "cpu", "processes": 2}
    one = params("own.parquet", network=network)
    candidate = candidates(one, root)[1]
    splits = split(one, root / "data" / "tiny")
    with pytest.raises(UserError, match="is not trained yet: run the module sessions"):
        candidate.fit(splits.train, candidate.start, one.seed)
    torchrun("-m", "project_package.sessions.data_parallel", str(root))
    epochs: list[int] = []
    for rows in (splits.train, *(fold.train for fold in splits.folds)):
        fitted = candidate.fit(rows, candidate.start, one.seed, lambda e, _: epochs.append(e))
        assert np.isfinite(fitted.predict(splits.test)["scores"]).all()
    assert not epochs  # all are trained


def test_more_processes_than_batches_are_refused(root: Path) -> None:
    one = params("own.parquet", network={"batch": 8, "processes": 1000})
    network = candidates(one, root)[1]
    with pytest.raises(UserError, match=r"fewer batches than network\.processes, 1000"):
        network.fit(split(one, root / "data" / "tiny").train, network.start, one.seed)
