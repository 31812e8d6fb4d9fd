"""Where a project stores its files. Readers never see a file or a data set half written.

data/<digest>/     one data set: raw rows and features, never changed after it was written
data/latest        the digest that the next stage reads
reports/           report, model card and scores
"""

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from ..errors import UserError


@dataclass(frozen=True)
class Dataset:
    """A finished data set."""

    digest: str
    path: Path


@dataclass(frozen=True)
class Workspace:
    """The folder of a project."""

    root: Path

    @property
    def data(self) -> Path:
        """Folder of the data sets."""
        return self.root / "data"

    @property
    def reports(self) -> Path:
        """Folder of the reports."""
        return self.root / "reports"

    def lock(self) -> FileLock:
        """Return the lock for what two commands must not do at once; it is reentrant."""
        return FileLock(self.root / ".lock", is_singleton=True)

    def new_dataset(self, fill: Callable[[Path], None]) -> Dataset:
        """Have `fill` write a new folder, name it by its content and make it the latest."""
        for path in self.data.glob(".partial-*"):  # of processes killed more than a day ago
            if path.stat().st_mtime < time.time() - 86_400:
                shutil.rmtree(path, ignore_errors=True)
        partial = self.data / f".partial-{uuid4().hex}"
        partial.mkdir(parents=True)
        try:
            fill(partial)
            dataset = Dataset(digest := _digest(partial), self.data / digest)
            with self.lock():
                if not dataset.path.exists():
                    partial.replace(dataset.path)
                replace_text(self.data / "latest", digest)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return dataset

    def dataset(self, digest: str = "") -> Dataset:
        """Return a data set, the latest without a digest; raise UserError when there is none."""
        latest = self.data / "latest"
        digest = digest or (latest.read_text("utf-8") if latest.exists() else "")
        if not digest:
            raise UserError("There is no data yet: run `ml data` first.")
        dataset = Dataset(digest, self.data / digest)
        if not dataset.path.exists():
            raise UserError(f"The data set {digest} is gone from {self.data}: run `ml data` again.")
        return dataset


def replace_text(path: Path, text: str) -> None:
    """Write a temporary file, then rename it: readers see the old text or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{uuid4().hex}")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            total.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]
