"""Training with `train.data_parallel`: what the manifest and the study say, and its refusals."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from dask_nodes import DaskNodes
from projects import open_project

from project_package.errors import UserError
from project_package.fraud import training
from project_package.lifecycle.make_dataset import make_dataset
from project_package.lifecycle.project import Project
from project_package.lifecycle.train import train

CLUSTER = {"cluster", "cluster_ca", "cluster_cert", "cluster_key"}
TINY = Path(__file__).with_name("tiny.toml").read_text()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Make a data set of a project with `train.data_parallel`."""
    text = TINY.replace("[train]", "[train]\ndata_parallel = true")
    (tmp_path / "params.toml").write_text(text)
    project = open_project(training, tmp_path)
    make_dataset(project)
    return project


def test_bundle_and_study_have_the_number_of_workers(project: Project, dask: DaskNodes) -> None:
    cluster = dask.settings.model_dump(include=CLUSTER)
    project = replace(project, settings=project.settings.model_copy(update=cluster))
    train(project)
    (version,) = project.registry.versions()
    manifest = project.registry.bundle(version).manifest
    assert (manifest.candidate, manifest.workers) == ("xgboost", 2)
    assert manifest.parity
    assert manifest.parity.changed_decisions == 0
    root = project.workspace.root
    names = optuna.get_all_study_names(f"sqlite:///{root}/optuna.db")
    assert [name.rpartition("/")[2] for name in names if "xgboost" in name] == ["2 workers"]
    assert not [*root.glob(".fit-*")]


def test_without_a_cluster_it_is_refused(project: Project) -> None:
    with pytest.raises(UserError, match=r"^train\.data_parallel = true requires a cluster: set CL"):
        train(project)
