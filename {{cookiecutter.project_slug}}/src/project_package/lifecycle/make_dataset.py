"""data: raw rows, validated, and their features, as one data set that never changes again."""

from pathlib import Path

from ..contract.training import Progress
from .cluster import open_cluster
from .erase import leave_out_erased
from .project import Project
from .workspace import Dataset


def make_dataset(project: Project) -> Dataset:
    """Write a new data set, without rows of erased entities, and make it the latest."""
    with project.console.step("data") as progress:
        dataset = project.workspace.new_dataset(lambda folder: _fill(project, folder, progress))
    project.console.print(f"Data set {dataset.digest} is in {dataset.path}.")
    return dataset


def _fill(project: Project, folder: Path, progress: Progress) -> None:
    project.training.load_data(project.params, folder, progress)
    leave_out_erased(project, folder)
    with open_cluster(project.settings) as runs:
        # On one machine chunk by chunk: each uses all cores.
        project.training.compute_features(project.params, folder, progress, runs(False))
