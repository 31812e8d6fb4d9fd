"""Object stores: folders, and buckets by the URLs that obstore knows (s3://, gs:// and az://)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from .errors import Unavailable
from .settings import redacted

RETRY_TIMEOUT = timedelta(seconds=10)
PART_BYTES = 2**23
"""What one request downloads of a large file: requests have a time limit."""


class StoreUnreachable(Unavailable):
    """The store cannot be read or written now; a retry may succeed."""


def open_objects(address: str, *, mkdir: bool = False) -> ObjectStore:
    """Open a folder, which is made if `mkdir`, or what is below a prefix of a bucket."""
    if "://" in address:
        return from_url(address, retry_config={"retry_timeout": RETRY_TIMEOUT})
    return LocalStore(Path(address).absolute(), mkdir=mkdir)


def download(objects: ObjectStore, name: str, target: Path) -> None:
    """Download a file, part by part."""
    source = obstore.open_reader(objects, name, buffer_size=PART_BYTES)
    with target.open("wb") as file:
        while chunk := source.read(PART_BYTES):
            file.write(chunk)


@contextmanager
def reached(title: str) -> Iterator[None]:
    """Raise StoreUnreachable, with the title, when a folder or bucket cannot be used."""
    try:
        yield
    except (BaseError, OSError, ValueError) as error:  # ValueError: of a wrong port
        reason = redacted(str(error).partition("\n")[0] or repr(error))
        raise StoreUnreachable(f"{title} cannot be used: {reason}") from error
