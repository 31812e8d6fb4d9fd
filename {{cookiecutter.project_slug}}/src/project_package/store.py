"""The model store: published bundles and one pointer per alias, in a folder or a bucket.

    versions/<version>/bundle/<file>       immutable; the manifest is put last
    versions/<version>/evidence/<file>     evaluation, model card and report
    <alias>.json                           the pointer: replaced in one atomic put

The address is a folder or a URL that obstore knows: s3://, gs://, az://. The server needs nothing
of the training side but this.
"""

from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url
from pydantic import ValidationError

from .contract import Files, Frozen
from .errors import UserError


class Pointer(Frozen):
    """What an alias points to, and the versions it pointed to before, newest first."""

    version: int
    digest: str
    previous: tuple[int, ...] = ()


class Store:
    """The published models of one project."""

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            self._objects = (
                from_url(address)
                if "://" in address
                else LocalStore(Path(address).absolute(), mkdir=True)
            )
        except BaseError as error:
            raise self._unreachable(error) from error

    def publish(self, version: int, folder: str, files: Files) -> None:
        """Put files of a version, in their order. Putting the same ones again is harmless."""
        for name, content in files.items():
            self._put(f"versions/{version}/{folder}/{name}", content)

    def fetch(self, version: int, folder: str) -> Files:
        """Get every file of a version's folder.

        Raises:
            UserError: the store cannot be reached or has no such version.
        """
        prefix = f"versions/{version}/{folder}/"
        try:
            batches = obstore.list(self._objects, prefix)
            paths = [item["path"] for batch in batches for item in batch]
            files = {path.removeprefix(prefix): self._get(path) for path in paths}
        except BaseError as error:
            raise self._unreachable(error) from error
        if not files:
            raise UserError(f"The store {self.address} has no {folder} of version {version}.")
        return files

    def pointer(self, alias: str) -> Pointer | None:
        """Get what an alias points to; None when it was never set.

        Raises:
            UserError: the store cannot be reached, or the pointer cannot be read.
        """
        try:
            return Pointer.model_validate_json(self._get(f"{alias}.json"))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise UserError(f"{alias}.json in {self.address} is damaged: promote again.") from error
        except BaseError as error:
            raise self._unreachable(error) from error

    def point(self, alias: str, pointer: Pointer) -> None:
        """Move an alias: readers see the old pointer or the new one, nothing between."""
        self._put(f"{alias}.json", pointer.model_dump_json().encode())

    def _get(self, path: str) -> bytes:
        return bytes(obstore.get(self._objects, path).bytes())

    def _put(self, path: str, content: bytes) -> None:
        try:
            obstore.put(self._objects, path, content)
        except BaseError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: BaseError) -> UserError:
        reason = str(error).splitlines()[0]
        return UserError(f"The model store {self.address} cannot be used: {reason}")
