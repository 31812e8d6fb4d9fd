"""A cluster trains the model that this machine trains, in each use case."""

from collections.abc import Callable
from pathlib import Path

from dask_nodes import CLUSTER, DaskNodes
from projects import copy_project, train_again

from project_package.lifecycle.project import Project


def test_cluster_trains_the_same_model(
    trained: Path, opened: Callable[[Path], Project], dask: DaskNodes, tmp_path: Path
) -> None:
    project = opened(copy_project(trained, tmp_path / "copy"))
    train_again(project, **dask.settings.model_dump(include=CLUSTER))
    one, two = (project.registry.bundle(version) for version in project.registry.versions())
    assert one.digest == two.digest
