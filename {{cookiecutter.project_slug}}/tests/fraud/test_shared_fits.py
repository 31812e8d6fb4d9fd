"""A training whose XGBoost is fitted on two workers of a cluster."""

from dataclasses import replace
from pathlib import Path

import pytest
from dask_nodes import CLUSTER, DaskNodes
from projects import open_project

from project_package.fraud import training
from project_package.lifecycle.make_dataset import make_dataset
from project_package.lifecycle.train import train
from project_package.onnx_runtime import GRAPH

TINY = Path(__file__).with_name("tiny.toml").read_text()


@pytest.mark.system
def test_model_is_the_same_each_time_and_names_its_workers(dask: DaskNodes, tmp_path: Path) -> None:
    graphs: list[bytes] = []
    for number in range(2):
        root = tmp_path / str(number)
        root.mkdir()
        (root / "params.toml").write_text(f"{TINY}\n[xgboost]\nworkers = 2\n")
        project = open_project(training, root)
        make_dataset(project)
        of_cluster = dask.settings.model_dump(include=CLUSTER)
        train(replace(project, settings=project.settings.model_copy(update=of_cluster)))
        (version,) = project.registry.versions()
        bundle = project.registry.bundle(version)
        assert (bundle.manifest.candidate, bundle.manifest.settings["workers"]) == ("xgboost", 2)
        graphs.append(bundle.files[GRAPH])
    assert graphs[0] == graphs[1]
