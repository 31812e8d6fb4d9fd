"""predict: predict the files of a folder or a bucket with the champion, each in a task of its own.

A file of answers is complete: it is written in a folder for unfinished files, then renamed. It
states the model and the file that it answers, so a command that was stopped goes on where it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio.from_thread import start_blocking_portal
from filelock import FileLock

from ..contract.call_async_model import to_model
from ..contract.training import Progress, Training
from ..errors import UserError
from ..model_store import CHAMPION, Store
from ..params import Params
from .cluster import open_cluster
from .folders import ENDINGS, MARK, UNFINISHED, Folder, remove_unfinished, split_pattern
from .predict import answers, require_reasons
from .project import Project


@dataclass(frozen=True)
class Job:
    """What the tasks have in common."""

    training: Training
    params: Params
    store: Store
    version: int
    history: Path
    """The folder of rows that others look back on: of the data set, then also of all files."""
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
        return f"predictions of {self.name}"


def predict_files(project: Project, source: str, target: str, *, explain: bool = False) -> int:
    """Write a file of answers for each file of rows; return how many rows were predicted now.

    Raises:
        UserError: there is no folder, no file, or a file cannot be predicted; the answers of other
            files are kept.
    """
    require_reasons(project.training, explain)
    if target.lower().endswith(ENDINGS) and not Path(target).is_dir():
        raise UserError(f"{target} must be a folder: each file of rows gets a file of answers.")
    address, pattern = split_pattern(source)
    folder = Folder(address)
    if "://" not in target:
        Path(target).mkdir(parents=True, exist_ok=True)
    answered = Folder(target)
    if answered.address == folder.address:
        raise UserError(f"{target} has the rows to predict: name another folder for the answers.")
    lock = FileLock(project.workspace.root / ".lock-predict")  # unfinished files are of one command
    with project.console.step("predict") as progress, lock:
        version, bundle, _ = project.store.load(CHAMPION)
        project.load(bundle)  # before any file is read
        job = Job(
            training=project.training,
            params=project.params,
            store=project.store,
            version=version,
            history=project.workspace.dataset().path,
            source=folder,
            target=answered,
            explain=explain,
        )
        tasks = make_tasks(folder.tables(pattern), f"{bundle.digest} {project.identity} {explain}")
        if not tasks:
            raise UserError(f"{folder.title} has no {' or '.join(ENDINGS)} file {pattern}.")
        remove_unfinished(project.workspace.data)
        answered.remove_unfinished()
        waiting = [task for task in tasks if answered.read_mark(task.answers) != task.mark]
        try:
            rows = predict_waiting(project, job, tasks, waiting, progress)
        finally:
            answered.remove_unfinished()
    project.console.print(
        f"{answered.title} has the answers of version {version} to {len(tasks):,} files. Now "
        f"predicted: {rows:,} rows of {len(waiting):,} files."
    )
    return rows


def make_tasks(tables: Mapping[str, str], model: str) -> list[FileTask]:
    """Return a task for each table; raise UserError if two have the same name of answers."""
    tasks = []
    for name, content in tables.items():
        ending = next(ending for ending in ENDINGS if name.lower().endswith(ending))
        tasks.append(FileTask(name, f"{name[: -len(ending)]}.parquet", f"{model} {content}"))
    if len({task.answers for task in tasks}) < len(tasks):
        raise UserError("Two files have the same name but for their ending: rename one of them.")
    return tasks


def predict_waiting(
    project: Project,
    job: Job,
    tasks: Sequence[FileTask],
    waiting: Sequence[FileTask],
    progress: Progress,
) -> int:
    """Predict the files that wait for answers, which may look back on all; return how many rows."""
    rows = 0
    if not waiting:
        return rows
    # After an error, other processes may still write while the folder is removed.
    temporary = partial(TemporaryDirectory, ignore_cleanup_errors=True)
    with temporary(dir=project.workspace.data, prefix=UNFINISHED) as scratch:
        (history := Path(scratch) / "history").mkdir()
        if write_history := job.training.batch_history:
            files = [job.source.path(task.name, Path(scratch)) for task in tasks]
            write_history(job.params, files, job.history, history)
        job = replace(job, history=history)
        with open_cluster(project.settings) as runs:
            counts = runs(True)(partial(predict_file, job), waiting)  # a model has one thread
            for number, count in enumerate(counts, 1):
                rows += count
                progress(number / len(waiting))
    return rows


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
