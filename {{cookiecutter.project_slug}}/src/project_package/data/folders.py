"""Folders of files, on a disk or in a bucket: what batch prediction reads and writes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import obstore
import polars as pl
from obstore.store import LocalStore, from_url

from ..errors import UserError
from .open_files import CSV_ENDINGS

ENDINGS = (".parquet", *CSV_ENDINGS)
PART_BYTES = 2**23
"""What one request downloads of a file: requests have a time limit."""
MARK = "answers"
"""The key of a Parquet file under which it states the model and the file that it answers."""
FOOTER_BYTES = 2**20
"""The end of a Parquet file, with all that it states."""
UNFINISHED = ".predict-"
WILDCARDS = "*?["


class Folder:
    """A folder, or what is below a prefix of a bucket (s3://, gs:// or az://)."""

    def __init__(self, address: str) -> None:
        """Open the folder of an address, which may end in a pattern such as `2026-*.parquet`.

        Raises:
            UserError: there is no such folder.
        """
        head, _, last = address.rstrip("/").rpartition("/")
        has_pattern = any(sign in last for sign in WILDCARDS)
        self.address = (head or ".") if has_pattern else address
        self.pattern = last if has_pattern else "*"
        self.is_bucket = "://" in self.address
        if self.is_bucket:
            self._objects = from_url(self.address)
        elif Path(self.address).is_dir():
            self._objects = LocalStore(Path(self.address).absolute())
        else:
            raise UserError(f"There is no folder {self.address}.")

    def tables(self) -> dict[str, str]:
        """Return the names of the tables, sorted, and of each what changes with its content."""
        found = {}
        for item in obstore.list_with_delimiter(self._objects)["objects"]:
            name = PurePosixPath(item["path"]).name
            if fnmatch(name, self.pattern) and name.lower().endswith(ENDINGS):
                found[name] = f"{item['e_tag']} {item['size']} {item['last_modified']}"
        return dict(sorted(found.items()))

    def path(self, name: str, scratch: Path) -> Path:
        """Return the path of a file; one of a bucket is downloaded to the folder `scratch`."""
        if not self.is_bucket:
            return Path(self.address) / name
        path = scratch / name
        reader = obstore.open_reader(self._objects, name, buffer_size=PART_BYTES)
        with path.open("wb") as file:
            while chunk := reader.read(PART_BYTES):
                file.write(chunk)
        return path

    def read_mark(self, name: str) -> str:
        """Return what a Parquet file states under `MARK`; empty if there is no such file."""
        try:
            end = obstore.get(self._objects, name, options={"range": {"suffix": FOOTER_BYTES}})
        except FileNotFoundError:
            return ""
        return pl.read_parquet_metadata(BytesIO(end.bytes())).get(MARK, "")

    def add(self, path: Path) -> None:
        """Add a file under its name, at once; an older one is replaced."""
        if self.is_bucket:
            obstore.put(self._objects, path.name, path)
        else:
            path.replace(Path(self.address) / path.name)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Create a folder for unfinished files: a hidden one in the folder, or a temporary one."""
        where = None if self.is_bucket else Path(self.address).absolute()
        with TemporaryDirectory(prefix=UNFINISHED, dir=where) as folder:
            yield Path(folder)

    def remove_unfinished(self) -> None:
        """Remove what stopped commands left in the folder."""
        if not self.is_bucket:
            for folder in Path(self.address).glob(f"{UNFINISHED}*"):
                shutil.rmtree(folder, ignore_errors=True)
