"""The file of API keys: names, scopes and SHA-256 digests. No key can be recovered from it.

A token is 256 random bits, which nobody can guess, so a fast hash is enough: slow hashes are for
passwords, which people choose.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import get_args

from filelock import FileLock
from pydantic import Field, TypeAdapter, ValidationError

from .bundle import sha256
from .contract.task import Scope
from .errors import UserError, require_known
from .frozen import Frozen

SCOPES: tuple[Scope, ...] = get_args(Scope)


class Key(Frozen):
    """A key without its token."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: tuple[Scope, ...] = Field(min_length=1)


KEYS = TypeAdapter(tuple[Key, ...])


def read_keys(path: Path) -> tuple[Key, ...]:
    """Read the keys, none when there is no file; raise UserError when they cannot be read."""
    try:
        return KEYS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        reason = error if isinstance(error, OSError) else error.errors()[0]["msg"]
        raise UserError(f"The API keys in {path} cannot be read: {reason}.") from None


def add_key(path: Path, name: str, scopes: Sequence[str]) -> str:
    """Create a key and return its token, stored nowhere; raise UserError for a wrong argument."""
    if not scopes:
        raise UserError(f"The key needs a --scope, one or more: {', '.join(SCOPES)}.")
    require_known("--scope", scopes, "a scope", SCOPES)
    token = secrets.token_urlsafe(32)
    try:
        key = Key.model_validate({"name": name, "sha256": sha256(token.encode()), "scopes": scopes})
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise UserError(f"{name!r} cannot be the name of a key: {reason}.") from None
    with _lock(path):
        keys = read_keys(path)
        if any(other.name == name for other in keys):
            raise UserError(f"There is a key {name} already: choose another name, or --remove it.")
        _write(path, (*keys, key))
    return token


def remove_key(path: Path, name: str) -> None:
    """Remove a key; raise UserError when there is none of that name."""
    with _lock(path):
        keys = read_keys(path)
        remaining = tuple(key for key in keys if key.name != name)
        if len(remaining) == len(keys):
            names = ", ".join(key.name for key in keys) or "none"
            raise UserError(f"There is no key {name}. The keys of {path} are: {names}.")
        _write(path, remaining)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Read and write under a lock: without it, a removed key could come back."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock"), mode=0o600):
            yield
    except OSError as error:
        raise UserError(f"The API keys in {path} cannot be written: {error}.") from error


def _write(path: Path, keys: tuple[Key, ...]) -> None:
    """Write a temporary file, which only its owner may read, then rename it."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(KEYS.dump_json(keys, indent=2) + b"\n")
    Path(file.name).replace(path)
