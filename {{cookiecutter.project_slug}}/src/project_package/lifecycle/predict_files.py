"""predict: predict the files of a folder or a bucket with the champion, each in a task of its own.

A file of answers is complete: it is written beside its place, then renamed. It states the model and
the file that it answers, so a command that was stopped goes on where it was.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio.from_thread import start_blocking_portal
from filelock import FileLock

from ..contract.call_async_model import to_model
from ..contract.training import Training
from ..data.folders import MARK, Folder
from ..errors import UserError
from ..model_store import CHAMPION, Store
from ..params import Params
from .cluster import open_cluster
from .predict import answers
from .project import Project


@dataclass(frozen=True)
class Job:
    """What the tasks have in common."""

    training: Training
    params: Params
    store: Store
    version: int
    history: Path
    """The folder of the data set."""
    source: Folder
    target: Folder
    explain: bool


@dataclass(frozen=True)
class FileTask:
    """One file of rows."""

    name: str
    answers: str
    """The name of the file of answers."""
    mark: str

    def __str__(self) -> str:
        """Return the name of the task."""
        return self.name


def predict_files(project: Project, source: str, target: str, *, explain: bool = False) -> int:
    """Write a file of answers for each file of rows; return how many rows were predicted now.

    Raises:
        UserError: there is no folder, no file, or a file cannot be predicted; the answers of other
            files are kept.
    """
    version, bundle, _ = project.store.load(CHAMPION)
    project.load(bundle)  # before any file is read
    if "://" not in target:
        Path(target).mkdir(parents=True, exist_ok=True)
    job = Job(
        training=project.training,
        params=project.params,
        store=project.store,
        version=version,
        history=project.workspace.dataset().path,
        source=Folder(source),
        target=Folder(target),
        explain=explain,
    )
    tasks = tasks_of(job, bundle.digest)
    rows = 0
    with (
        project.console.step("predict") as progress,
        open_cluster(project.settings) as runs,
        FileLock(project.workspace.root / ".lock-predict"),
        TemporaryDirectory(dir=project.workspace.data, prefix=".batch-") as scratch,
    ):
        job.target.remove_unfinished()
        waiting = [task for task in tasks if job.target.read_mark(task.answers) != task.mark]
        if waiting and (write_history := project.training.batch_history):
            files = [job.source.path(task.name, Path(scratch)) for task in tasks]
            write_history(job.params, files, job.history, Path(scratch))
            job = replace(job, history=Path(scratch))
        counts = runs(True)(partial(predict_file, job), waiting)  # a model has one thread
        for number, count in enumerate(counts, 1):
            rows += count
            progress(number / len(waiting))
    done = len(tasks) - len(waiting)
    project.console.print(
        f"{target} has the answers of version {version} to {len(tasks)} files: {rows:,} rows of "
        f"{len(waiting)} files were predicted, {done} files had their answers."
    )
    return rows


def tasks_of(job: Job, digest: str) -> list[FileTask]:
    """Return a task for each file; raise UserError if there is none, or two have the same name."""
    tables = job.source.tables()
    if not tables:
        raise UserError(f"There is no Parquet or CSV file {job.source.pattern} in the folder.")
    tasks = []
    for name, content in tables.items():
        answers = f"{name.partition('.')[0]}.parquet"
        tasks.append(FileTask(name, answers, f"{digest} {content} {job.explain}"))
    if len({task.answers for task in tasks}) < len(tasks):
        raise UserError("Two files have the same name but for their ending: rename one of them.")
    return tasks


def predict_file(job: Job, task: FileTask) -> int:
    """Write the answers to one file; return how many rows it has."""
    bundle = job.store.bundle(job.version)
    with job.target.scratch() as scratch, start_blocking_portal() as portal:
        path = job.source.path(task.name, scratch)
        model = to_model(job.training.make_task(bundle).load(bundle), portal)
        rows = job.training.read_batch(job.params, path, job.history)
        table = answers(job.training, model, rows, explain=job.explain)
        complete = scratch / task.answers
        table.write_parquet(complete, metadata={MARK: task.mark})
        job.target.add(complete)
    return len(table)
