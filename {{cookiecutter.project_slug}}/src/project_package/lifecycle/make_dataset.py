"""data: raw rows, validated, and their features, as one data set that never changes again."""

from .project import Project
from .workspace import Dataset


def make_dataset(project: Project) -> Dataset:
    """Write a new data set and make it the latest."""
    with project.console.step("data") as progress:
        dataset = project.workspace.new_dataset(
            lambda folder: project.training.load_data(project.params, folder, progress)
        )
    project.console.print(f"Data set {dataset.digest} is in {dataset.path}.")
    return dataset
