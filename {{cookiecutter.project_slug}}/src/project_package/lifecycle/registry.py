"""The registry: versions in MLflow, and the champion, published to the model store.

The store's pointer is what serves, so moving it is the one act that makes a champion: the files
are put first, then the pointer moves (atomically), then MLflow's alias follows. A kill between
the last two leaves a new champion with an old alias; `champion` sets that right, when next asked.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException

from ..bundle import Bundle, read, unpack
from ..contract import Files
from ..errors import UserError
from ..model_store import BUNDLE, CHALLENGER, CHAMPION, EVIDENCE, Pointer, Store
from .scoring import Evaluation

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Version:
    """One registered model version."""

    number: int
    run: str
    created: int
    """Milliseconds since 1970, UTC."""
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Registry:
    """The versions of one model and its store."""

    client: MlflowClient
    name: str
    store: Store

    def register(self, model: str, run: str) -> int:
        """Register a logged model as the next version: it becomes the challenger."""
        self._model()
        version = self.client.create_model_version(self.name, model, run)
        self.client.set_registered_model_alias(self.name, CHALLENGER, version.version)
        return int(version.version)

    def versions(self) -> list[Version]:
        """Give all versions, newest first."""
        aliases: dict[int, tuple[str, ...]] = {}
        for alias, number in self._model().aliases.items():
            aliases[int(number)] = (*aliases.get(int(number), ()), alias)
        versions = [
            Version(n := int(v.version), str(v.run_id), v.creation_timestamp, aliases.get(n, ()))
            for v in self.client.search_model_versions(f"name = '{self.name}'")
        ]
        return sorted(versions, key=lambda version: -version.number)

    def find(self, which: int | str) -> Version | None:
        """Find a version by number or alias."""
        return next((v for v in self.versions() if which == v.number or which in v.aliases), None)

    def bundle(self, version: Version, folder: str = BUNDLE) -> Bundle:
        """Get the bundle of a version, or its baseline, verified."""
        return unpack(self.files(version, folder))

    def evaluation(self, version: Version) -> Evaluation:
        """Get what the evaluation of a version showed.

        Raises:
            UserError: it was not evaluated.
        """
        files = self.files(version, EVIDENCE)
        if EVALUATION not in files:
            raise UserError(f"Version {version.number} has no evaluation: run `ml evaluate`.")
        return Evaluation.model_validate_json(files[EVALUATION])

    def files(self, version: Version, folder: str) -> Files:
        """Get the files of a folder of the version's run; none when it has no such folder."""
        if not self.client.list_artifacts(version.run, folder):
            return {}
        with TemporaryDirectory() as place:  # else MLflow leaves one behind each time
            path = self.client.download_artifacts(version.run, folder, place)
            return read(Path(path))

    def describe(self, version: Version, text: str) -> None:
        """Keep a text with a version, in the place of the one before; MLflow shows it."""
        self.client.update_model_version(self.name, str(version.number), text)

    def challenge(self, version: Version) -> None:
        """Publish a version and make it the store's challenger, unless it is the champion."""
        champion = self.store.pointer(CHAMPION)
        if champion is None or champion.version != version.number:
            digest = self._publish(version)
            self.store.point(CHALLENGER, Pointer(version=version.number, digest=digest))

    def _publish(self, version: Version) -> str:
        """Put a version's files into the store; give the digest of its graph."""
        bundle = self.files(version, BUNDLE)
        digest = unpack(bundle).digest
        self.store.publish(version.number, EVIDENCE, self.files(version, EVIDENCE))
        self.store.publish(version.number, BUNDLE, bundle)
        return digest

    def crown(self, version: Version) -> None:
        """Publish a version and make it the champion; it is the challenger no more."""
        digest = self._publish(version)
        old = self.store.pointer(CHAMPION)
        if old is None or old.version != version.number:  # it may be, if promote was killed
            previous = (old.version, *old.previous) if old else ()
            pointer = Pointer(version=version.number, digest=digest, previous=previous)
            self.store.point(CHAMPION, pointer)
        self.champion()

    def rollback(self) -> tuple[int, int]:
        """Make the previous champion the champion again; give the old and the new version.

        The old one is no challenger any more, or the next promote would crown it again.

        Raises:
            UserError: there is no champion, or none before it.
        """
        old = self.store.pointer(CHAMPION)
        if old is None or not old.previous:
            raise UserError("There is no earlier champion to go back to: `ml models` lists all.")
        number, *earlier = old.previous
        digest = unpack(self.store.fetch(number, BUNDLE)).digest
        if (challenger := self.find(CHALLENGER)) and challenger.number == old.version:
            self.client.delete_registered_model_alias(self.name, CHALLENGER)
        pointer = Pointer(version=number, digest=digest, previous=tuple(earlier))
        self.store.point(CHAMPION, pointer)
        self.champion()
        return old.version, number

    def champion(self) -> Version | None:
        """Find the version that the store serves; let MLflow's alias and the challenger follow.

        Raises:
            UserError: MLflow does not know the version that the store serves.
        """
        pointer = self.store.pointer(CHAMPION)
        if pointer is None:
            return None
        version = self.find(pointer.version)
        if version is None or self.bundle(version).digest != pointer.digest:
            raise UserError(
                f"The store {self.store.address} serves version {pointer.version} of {self.name}, "
                "which MLflow does not know: name the store and the MLflow that belong together."
            )
        self.client.set_registered_model_alias(self.name, CHAMPION, str(pointer.version))
        challenger = self.store.pointer(CHALLENGER)
        if challenger is not None and challenger.version == pointer.version:
            self.store.unpoint(CHALLENGER)
        return version

    def _model(self) -> RegisteredModel:
        """Get the model of that name, which the first to ask for it creates."""
        try:
            return self.client.get_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
        try:
            return self.client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another was first
                raise
        return self.client.get_registered_model(self.name)
