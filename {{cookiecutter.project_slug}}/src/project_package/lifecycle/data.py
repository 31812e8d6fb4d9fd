"""data: raw rows, checked, and their features, as one data set that never changes again."""

from .project import Project
from .workspace import Dataset


def data(project: Project) -> Dataset:
    """Collect a new data set and make it the latest."""
    with project.console.step("data") as progress:
        dataset = project.workspace.new_dataset(
            lambda folder: project.use_case.collect(project.params, folder, progress)
        )
    project.console.say(f"Data set {dataset.digest} is in {dataset.path}.")
    return dataset
