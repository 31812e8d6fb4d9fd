"""The file of API keys: names, scopes and digests. No key is in it, so who reads it has none.

A token is 256 random bits: nobody can try so many, whatever the hash costs. A slow hash is for
passwords, which people choose; here it would only make every request slow.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from pydantic import Field, TypeAdapter, ValidationError

from .contract import Frozen
from .errors import UserError, near

Scope: TypeAlias = Literal["predict", "labels", "admin"]
"""What a key may do: ask; feed events and labels; read metrics and the model."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
TOKEN_BYTES = 32


class Key(Frozen):
    """A key by its name."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: tuple[Scope, ...] = Field(min_length=1)


KEYS = TypeAdapter(tuple[Key, ...])


def digest(token: bytes) -> bytes:
    """Give what is kept of a token: 32 bytes."""
    return hashlib.sha256(token).digest()


def read(path: Path) -> tuple[Key, ...]:
    """Read the keys; none when there is no file.

    Raises:
        UserError: the file cannot be read, or is damaged.
    """
    try:
        return KEYS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        said = error if isinstance(error, OSError) else error.errors()[0]["msg"]
        raise UserError(f"The API keys in {path} cannot be read: {said}.") from None


def add(path: Path, name: str, scopes: Sequence[str]) -> str:
    """Make a key and give its token, which is nowhere else.

    Raises:
        UserError: no scope or one that there is not, or a name that is taken or cannot be.
    """
    known = read(path)
    if not scopes:
        raise UserError(f"The key needs a --scope, one or more: {', '.join(SCOPES)}.")
    for scope in scopes:
        if scope not in SCOPES:
            raise UserError(f"{scope!r} is no scope: {near(scope, SCOPES)}")
    if any(key.name == name for key in known):
        raise UserError(f"There is a key {name} already: give another name, or --remove it first.")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    made = {"name": name, "sha256": digest(token.encode()).hex(), "scopes": scopes}
    try:
        _write(path, (*known, Key.model_validate(made)))
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise UserError(f"The key's name cannot be: {said}.") from None
    return token


def remove(path: Path, name: str) -> None:
    """Take a key away; raise UserError when there is none of that name."""
    known = read(path)
    kept = tuple(key for key in known if key.name != name)
    if len(kept) == len(known):
        names = [key.name for key in known]
        raise UserError(f"There is no key {name}: {near(name, names) if names else 'none at all.'}")
    _write(path, kept)


def _write(path: Path, keys: Sequence[Key]) -> None:
    """Write beside, then rename; only its owner may read the file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps([key.model_dump() for key in keys], indent=2)
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(f"{text}\n")
    beside.replace(path)
