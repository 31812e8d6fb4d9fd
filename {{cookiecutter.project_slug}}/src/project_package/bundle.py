"""The one artifact: an ONNX graph, its assets and a manifest with their hashes.

A bundle is a flat set of named files. The manifest is written last, so a bundle without one is a
bundle that was never finished, and every reader checks the hashes before it trusts a byte.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from .contract import Files, Frozen
from .errors import UserError

GRAPH = "model.onnx"
MANIFEST = "manifest.json"
EXAMPLES = "examples.json"
"""A few requests with their answers, in raw form."""
PARAMS = "params.json"
"""The parameters that the model was trained with."""


class Parity(Frozen):
    """How far the graph's answers are from those of the model it was made from."""

    rows: int
    largest_difference: float
    """Of values up to 1; of a larger value, as a share of it."""
    changed_decisions: int


class Manifest(Frozen):
    """What a bundle is and where it came from."""

    format: int = 1
    name: str
    candidate: str
    settings: dict[str, float | int | str]
    created: str
    """UTC, ISO 8601."""
    commit: str
    """Git commit of the code, or an empty text outside a repository."""
    data: str
    """Digest of the data set it was trained on."""
    test: str
    """Digest of the test rows, which had no part in its training."""
    parity: Parity | None = None
    """None until the export was checked."""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of every other file."""


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory: `pack` seals it, `unpack` verifies it."""

    graph: bytes
    assets: Files
    manifest: Manifest

    @property
    def digest(self) -> str:
        """SHA-256 of the graph: the same data, code and seed give the same digest."""
        return sha256(self.graph)


def sha256(content: bytes) -> str:
    """Give the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def pack(bundle: Bundle) -> Files:
    """Give the files of a bundle, the manifest with their hashes last."""
    files = {GRAPH: bundle.graph, **bundle.assets}
    hashes = {name: sha256(content) for name, content in files.items()}
    sealed = bundle.manifest.model_copy(update={"files": hashes})
    return {**files, MANIFEST: sealed.model_dump_json(indent=2).encode()}


def unpack(files: Files) -> Bundle:
    """Verify the files of a bundle.

    Raises:
        UserError: no manifest or one that cannot be read, a missing or unexpected file, or a
            hash that does not match.
    """
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
            raise UserError(f"{name} of this bundle was changed or damaged: its hash is another.")
    assets = {name: files[name] for name in manifest.files if name != GRAPH}
    return Bundle(files[GRAPH], assets, manifest)


def write(files: Files, folder: Path) -> None:
    """Write files into a new folder in their order: the manifest comes last."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def read(folder: Path) -> Files:
    """Read every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
