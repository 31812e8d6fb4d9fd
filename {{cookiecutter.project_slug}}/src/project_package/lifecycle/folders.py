"""Folders of tables, on a disk or in a bucket: what batch prediction reads and writes."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import obstore
import polars as pl

from ..errors import UserError
from ..object_stores import download, open_objects, reached
from ..settings import redacted

ENDINGS = (".parquet", ".csv", ".csv.gz")
MARK = "answers"
"""The key of a Parquet file under which it states the model and the file that it answers."""
FOOTER_BYTES = 2**20
"""The end of a Parquet file, with all that it states."""
UNFINISHED = ".unfinished-"


class Folder:
    """A folder, or what is below a prefix of a bucket (s3://, gs:// or az://).

    Every method raises StoreUnreachable while the folder or bucket cannot be used.
    """

    def __init__(self, address: str) -> None:
        """Open the folder of an address; raise UserError if there is none."""
        self.is_bucket = "://" in address
        self.address = address.rstrip("/") if self.is_bucket else str(Path(address).resolve())
        self.title = redacted(address)  # for messages
        if not self.is_bucket and not Path(address).is_dir():
            raise UserError(f"There is no folder {address}.")
        with self._reached():
            self._objects = open_objects(self.address)

    def tables(self, pattern: str) -> dict[str, str]:
        """Return the names of the tables, sorted, and of each what changes with its content."""
        with self._reached():
            items = obstore.list_with_delimiter(self._objects)["objects"]
        found = {}
        for item in items:
            name = PurePosixPath(item["path"]).name
            if (name == pattern or fnmatch(name, pattern)) and name.lower().endswith(ENDINGS):
                found[name] = f"{item['e_tag']} {item['size']} {item['last_modified']}"
        return dict(sorted(found.items()))

    def path(self, name: str, scratch: Path) -> Path:
        """Return the path of a file; one of a bucket is downloaded to the folder `scratch`."""
        if not self.is_bucket:
            return Path(self.address) / name
        with self._reached():
            download(self._objects, name, scratch / name)
        return scratch / name

    def read_mark(self, name: str) -> str:
        """Return what a file of answers states under `MARK`; empty if there is no file.

        Raises:
            UserError: there is another file with this name, which is not replaced.
        """
        with self._reached():
            try:
                size = obstore.head(self._objects, name)["size"]
            except FileNotFoundError:
                return ""
            start = max(0, size - FOOTER_BYTES)
            end = obstore.get_range(self._objects, name, start=start, end=size) if size else b""
        try:
            return pl.read_parquet_metadata(BytesIO(bytes(end)))[MARK]
        except (KeyError, pl.exceptions.ComputeError) as error:
            raise UserError(
                f"{name} in {self.title} is not a file of answers: move it, or name another folder."
            ) from error

    def add(self, path: Path) -> None:
        """Add a file under its name, at once; an older one is replaced."""
        with self._reached():
            if self.is_bucket:
                obstore.put(self._objects, path.name, path)
            else:
                path.replace(Path(self.address) / path.name)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Create a folder for unfinished files: a hidden one in the folder, or a temporary one."""
        where = None if self.is_bucket else self.address
        with TemporaryDirectory(prefix=UNFINISHED, dir=where, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def remove_unfinished(self) -> None:
        """Remove what stopped commands left in the folder."""
        if not self.is_bucket:
            remove_unfinished(Path(self.address))

    def _reached(self) -> AbstractContextManager[None]:
        return reached(f"The folder {self.title}")


def remove_unfinished(folder: Path) -> None:
    """Remove what stopped commands left in a folder."""
    for path in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)


def split_pattern(address: str) -> tuple[str, str]:
    """Return the folder of an address and the pattern of its files.

    The pattern is what the address ends in, such as `2026-*.parquet` or the name of a file, or `*`.
    """
    folder, _, last = address.rstrip("/").rpartition("/")
    if Path(address).is_dir() or not (last.lower().endswith(ENDINGS) or {*last} & {*"*?["}):
        return address, "*"
    return folder or ("/" if address.startswith("/") else "."), last
