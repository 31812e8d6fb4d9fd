"""The one artifact: the files of a model and a manifest with their hashes.

A bundle is a flat set of named files. The manifest is written last, so a bundle without one was
never finished. Readers verify the hashes first. A large file, such as a trained network that many
bundles use, is not copied into each: the manifest has its hash, and the model store has it once.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from pydantic import BaseModel, Field, ValidationError

from .errors import UserError
from .frozen import Frozen

Files: TypeAlias = Mapping[str, bytes]
"""The content of files by name."""
Contents: TypeAlias = Mapping[str, bytes | Path]
"""Files by name; a path is that of a large file, which other bundles may have, too."""
Locate: TypeAlias = Callable[[str], Path]
"""Return the verified path of the large file with a SHA-256."""
MANIFEST = "manifest.json"
EXAMPLES = "examples.json"
"""A few requests with their answers: for /docs, and to verify a bundle before it serves."""
PARAMS = "params.json"
"""The parameters that the model was trained with."""


class Parity(Frozen):
    """How far answers of the loaded model are from those of the fitted one."""

    rows: int
    largest_difference: float
    """Relative to the value, the median of all or 1, whichever is largest."""
    changed_decisions: int


class Interval(NamedTuple):
    """A score, or a gain that is positive when the first model is better: estimate and bounds."""

    estimate: float
    low: float
    high: float


class Quantisation(Frozen):
    """The gain of the goal on validation rows, size and time of a row, before and after."""

    gain: Interval
    limit: float
    megabytes: tuple[float, float]
    milliseconds: tuple[float, float]
    taken: bool
    reason: str


class Manifest(Frozen):
    """What a bundle is and where it came from."""

    format: int = 2
    name: str
    candidate: str
    settings: dict[str, float | int | str]
    created: str
    """UTC, ISO 8601."""
    commit: str
    """Git commit of the code; empty without one."""
    data: str
    """Digest of the data set it was trained on."""
    test: str
    """Digest of the test rows, which had no part in its training."""
    workers: int | None = None
    """On how many workers it was fitted, which its trees depend on; None for one process."""
    parity: Parity | None = None
    """None until the loaded model was compared with the fitted one."""
    quantisation: Quantisation | None = None
    """None if the candidate cannot be quantised."""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of every other file; `pack` fills it."""
    large: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of every large file; `pack` fills it."""


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory: `pack` writes the manifest, `unpack` verifies it."""

    files: Files
    manifest: Manifest
    large: Mapping[str, Path] = field(default_factory=dict)
    """Large files by name; on disk, each is called by its SHA-256."""

    @property
    def digest(self) -> str:
        """The digest of the files: same data, code and seed, same digest."""
        return digest({**self.files, **{n: path.name.encode() for n, path in self.large.items()}})

    @property
    def megabytes(self) -> float:
        """The size of all files, that of the manifest included."""
        large = sum(path.stat().st_size for path in self.large.values())
        return (sum(map(len, pack(self).values())) + large) / 1e6


def sha256(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, without reading all of it into memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(files: Files) -> str:
    """Return the SHA-256 over names and hashes of files."""
    hashes = {name: sha256(content) for name, content in sorted(files.items())}
    return sha256(json.dumps(hashes).encode())


def code_of(function: Callable[..., object]) -> bytes:
    """Return the content of all files beside a function: results of other code are not reused.

    Prompts, SQL and other text files count as code; hidden files, such as those of editors, do not.
    """
    folder = Path(inspect.getfile(function)).parent
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    apart = (".", "__pycache__")
    code = [path for path in paths if not any(part.startswith(apart) for part in path.parts)]
    return b"".join((folder / path).read_bytes() for path in code)


def make_bundle(
    contents: Contents, manifest: Manifest, add_large: Callable[[Path], Path]
) -> Bundle:
    """Return a bundle of contents; `add_large` stores a large file and returns its new path."""
    files = {name: content for name, content in contents.items() if isinstance(content, bytes)}
    paths = {name: content for name, content in contents.items() if isinstance(content, Path)}
    return Bundle(files, manifest, {name: add_large(path) for name, path in paths.items()})


def pack(bundle: Bundle) -> Files:
    """Return the files of a bundle, the manifest with their hashes last."""
    hashes = {name: sha256(content) for name, content in bundle.files.items()}
    large = {name: path.name for name, path in bundle.large.items()}
    manifest = bundle.manifest.model_copy(update={"files": hashes, "large": large})
    absent = {"large": large, "workers": manifest.workers}
    unused = {name for name, value in absent.items() if not value}  # older servers refuse these
    return {**bundle.files, MANIFEST: manifest.model_dump_json(indent=2, exclude=unused).encode()}


def unpack(files: Files, locate: Locate) -> Bundle:
    """Verify the files of a bundle; raise UserError when they are not what the manifest says."""
    if MANIFEST not in files:
        raise UserError(f"This bundle has no {MANIFEST}: it was never finished; train again.")
    try:
        manifest = Manifest.model_validate_json(files[MANIFEST])
    except ValidationError as error:
        raise UserError(f"{MANIFEST} of this bundle cannot be read: train again.") from error
    if odd := (manifest.files.keys() | {MANIFEST}) ^ files.keys():
        raise UserError(f"The bundle and its manifest disagree about {', '.join(sorted(odd))}.")
    for name, expected in manifest.files.items():
        if sha256(files[name]) != expected:
            raise UserError(f"{name} of this bundle was changed or damaged: its hash differs.")
    large = {name: locate(expected) for name, expected in manifest.large.items()}
    return Bundle({name: files[name] for name in manifest.files}, manifest, large)


def example_requests(
    request: type[BaseModel], examples: Iterable[Mapping[str, Any]], version: int | str
) -> list[BaseModel]:
    """Return the requests of a version's examples; raise UserError if the code has other fields."""
    try:
        return [request.model_validate(example["request"]) for example in examples]
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise UserError(
            f"Version {version} was trained with other request fields than the code has now "
            f"({field}: {first['msg']}): run `ml pipeline` to train a version that fits, or "
            "restore the code of its commit, which `ml models` shows."
        ) from error


def write_files(files: Files, folder: Path) -> None:
    """Write files into a new folder in their order: the manifest comes last."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def read_files(folder: Path) -> Files:
    """Read every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
