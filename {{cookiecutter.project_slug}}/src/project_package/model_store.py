"""The model store: published bundles and one pointer per alias, in a folder or a bucket.

    versions/<version>/bundle/<file>       immutable; the manifest is written last
    versions/<version>/evidence/<file>     evaluation, model card and report
    <alias>.json                           the pointer: replaced in one atomic write
    large/<sha256>                         a large file that several bundles may use
    pages/<file>                           what `ml monitor` and `ml checklist` found last

The address is a folder or a URL that obstore knows: s3://, gs://, az://. The server needs nothing
of the training side but this. Models read large files where they are in a folder; those of a bucket
are downloaded once, to another folder.
"""

from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore
from pydantic import ValidationError

from .bundle import Bundle, Files, digest, sha256_of_file, unpack
from .errors import UserError
from .frozen import Frozen
from .object_stores import download, open_objects, reached
from .settings import redacted

CHAMPION = "champion"
CHALLENGER = "challenger"
BUNDLE = "bundle"
EVIDENCE = "evidence"
LARGE = "large"
DOWNLOADS = "downloads"


class Pointer(Frozen):
    """What an alias points to, and the versions it pointed to before, newest first."""

    version: int
    digest: str
    """Of the bundle."""
    evidence: str = ""
    """Of the evidence; empty for a challenger, since promotion writes its evidence again, and in
    pointers that older code wrote."""
    previous: tuple[int, ...] = ()
    since: datetime | None = None
    """When the alias was moved to this version; None in pointers that older code wrote."""


class Store:
    """The published models of one project.

    Every method raises StoreUnreachable while the folder or bucket cannot be used.
    """

    def __init__(self, address: str, downloads: Path = Path(DOWNLOADS)) -> None:
        """Open the store; large files of a bucket are downloaded to the folder `downloads`."""
        self.address = redacted(address)  # for messages
        self._downloads = downloads
        with self._reached():
            self._objects = open_objects(address, mkdir=True)

    def publish(self, version: int, folder: str, files: Files) -> None:
        """Write files of a version in order, or again; raise UserError if its bundle is another."""
        mode: Literal["create", "overwrite"] = "create" if folder == BUNDLE else "overwrite"
        for name, content in files.items():
            path = f"versions/{version}/{folder}/{name}"
            with self._reached():
                try:
                    obstore.put(self._objects, path, content, mode=mode)
                except AlreadyExistsError as error:
                    if self._get(path) != content:
                        raise UserError(
                            f"The store {self.address} has another {path}: MODEL_STORE and "
                            "MLFLOW_TRACKING_URI must belong to the same project."
                        ) from error

    def load(self, alias: str) -> tuple[int, Bundle, Files]:
        """Load and verify the files of an alias, or raise UserError.

        Returns:
            The version, its bundle and its evidence.
        """
        pointer = self.pointer(alias)
        if pointer is None:
            raise UserError(f"There is no {alias} in {self.address}: run `ml pipeline` first.")
        bundle = self.bundle(pointer.version)
        evidence = self.fetch(pointer.version, EVIDENCE)
        if bundle.digest != pointer.digest or pointer.evidence not in ("", digest(evidence)):
            raise UserError(
                f"{alias}.json in {self.address} names other files than those of version "
                f"{pointer.version}: delete the file and promote again."
            )
        return pointer.version, bundle, evidence

    def bundle(self, version: int) -> Bundle:
        """Load and verify the bundle of a version; raise UserError when it is damaged."""
        return unpack(self.fetch(version, BUNDLE), self.locate)

    def add_large(self, file: Path) -> Path:
        """Store a large file, unless the store has it; return the path that models read."""
        name = sha256_of_file(file)
        if not self.has_file(f"{LARGE}/{name}"):
            with self._reached():
                obstore.put(self._objects, f"{LARGE}/{name}", file)
        return self.locate(name)

    def locate(self, name: str) -> Path:
        """Return the path of a large file; raise UserError when it is missing or damaged."""
        with self._reached():
            try:
                path = self._path_of(f"{LARGE}/{name}")
                if path is None:
                    path = self._download(name)
                intact = sha256_of_file(path) == name
            except FileNotFoundError as error:
                raise UserError(f"{self.address} has no {LARGE}/{name}: train again.") from error
        if not intact:
            raise UserError(f"{path} was changed or damaged: delete it, and try again.")
        return path

    def fetch(self, version: int, folder: str) -> Files:
        """Read every file of a version's folder; raise UserError when there is none."""
        prefix = f"versions/{version}/{folder}/"
        with self._reached():
            paths = [item["path"] for item in obstore.list(self._objects, prefix).collect()]
            files = {path.removeprefix(prefix): self._get(path) for path in paths}
        if not files:
            raise UserError(f"The store {self.address} has no {folder} of version {version}.")
        return files

    def write_file(self, path: str, content: bytes) -> None:
        """Write a file that belongs to no version, or replace it."""
        with self._reached():
            obstore.put(self._objects, path, content)

    def read_file(self, path: str) -> bytes | None:
        """Read a file; None when there is none."""
        with self._reached():
            try:
                return self._get(path)
            except FileNotFoundError:
                return None

    def has_file(self, path: str) -> bool:
        """Return whether there is a file, without reading it."""
        with self._reached():
            try:
                obstore.head(self._objects, path)
            except FileNotFoundError:
                return False
            return True

    def pointer(self, alias: str) -> Pointer | None:
        """Return what an alias points to, None when it is not set; raise UserError when damaged."""
        with self._reached():
            try:
                return Pointer.model_validate_json(self._get(f"{alias}.json"))
            except FileNotFoundError:
                return None
            except ValidationError as error:
                raise UserError(
                    f"{alias}.json in {self.address} is damaged: delete the file and promote again."
                ) from error

    def set_alias(self, alias: str, pointer: Pointer) -> None:
        """Move an alias: readers see the old pointer or the new one, nothing in between."""
        with self._reached():
            obstore.put(self._objects, f"{alias}.json", pointer.model_dump_json().encode())

    def delete_alias(self, alias: str) -> None:
        """Delete an alias, if it exists."""
        with self._reached(), suppress(FileNotFoundError):
            obstore.delete(self._objects, f"{alias}.json")

    def _get(self, path: str) -> bytes:
        self._path_of(path)  # raises for a symbolic link
        return bytes(obstore.get(self._objects, path).bytes())

    def _path_of(self, path: str) -> Path | None:
        """Return where a file is, None if that is a bucket; raise UserError for a symbolic link."""
        folder = self._objects.prefix if isinstance(self._objects, LocalStore) else None
        if folder is None:
            return None
        if (file := folder.resolve() / path).resolve() != file:
            raise UserError(f"{path} in {self.address} is a symbolic link: replace it by a copy.")
        return file

    def _download(self, name: str) -> Path:
        """Download a large file of a bucket, unless it is there; return its path."""
        path = self._downloads.absolute() / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{name}.{uuid4()}")  # of this process
            try:
                download(self._objects, f"{LARGE}/{name}", part)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        return path

    def _reached(self) -> AbstractContextManager[None]:
        return reached(f"The model store {self.address}")
