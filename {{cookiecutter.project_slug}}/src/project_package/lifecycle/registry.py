"""The registry: versions in MLflow, and the champion, published to the model store.

Servers load the version that the store's pointer names, so moving it makes a champion: files are
written first, then the pointer moves (atomically), then MLflow's alias is set. A kill between the
last two leaves a new champion with an old alias, which `champion` corrects when it is called next,
with the aliases of its prompts.
"""

import logging
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import PromptVersion
from mlflow.exceptions import MlflowException

from ..bundle import Bundle, Files, digest, read_files, unpack
from ..errors import UserError
from ..model_store import BUNDLE, CHALLENGER, CHAMPION, EVIDENCE, Pointer, Store
from .scores import Evaluation

EVALUATION = "evaluation.json"
log = logging.getLogger(__name__)


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
    prompts: tuple[str, ...] = ()
    """Files of a bundle that are prompts for a language model."""

    def register(self, model: str, about: str) -> int:
        """Register a logged model as the next version and the challenger; return its number.

        The registered model is described by `about`, Markdown.
        """
        with redirect_stderr(StringIO()):  # MLflow prints what it did
            version = mlflow.register_model(model, self.name)
        self.client.update_registered_model(self.name, about)
        self.client.set_registered_model_alias(self.name, CHALLENGER, version.version)
        return int(version.version)

    def register_prompts(self, files: Files, run: str, champion: int | None = None) -> None:
        """Find or register the prompts of a bundle in MLflow, and link them to its run.

        A text that is known gets no new version. The prompts of a champion, the number of its
        version, get its alias. If MLflow refuses, the next command tries again.
        """
        try:
            for file in sorted(files.keys() & {*self.prompts}):
                name = f"{self.name}-{Path(file).stem}"
                prompt = self._register_prompt(name, files[file].decode())
                self.client.link_prompt_version_to_run(run, prompt)
                if champion is not None:
                    tag = ("model_version", str(champion))
                    self.client.set_prompt_version_tag(name, prompt.version, *tag)
                    self.client.set_prompt_alias(name, CHAMPION, prompt.version)
        except MlflowException as error:
            log.warning("MLflow did not register the prompts: %s", error)

    def _register_prompt(self, name: str, text: str) -> PromptVersion:
        """Find or register the version of a prompt with a text."""
        if self.client.get_prompt(name) is None:
            self.client.create_prompt(name)
        known = self.client.search_prompt_versions(name)
        found: Iterator[PromptVersion] = (prompt for prompt in known if prompt.template == text)
        return next(found, None) or self.client.create_prompt_version(name, text)

    def versions(self) -> list[Version]:
        """Return all versions, newest first."""
        of_name = f"name = '{self.name}'"
        models = self.client.search_registered_models(of_name)  # one, or none before the first
        aliases = [(alias, int(n)) for model in models for alias, n in model.aliases.items()]
        versions = []
        for entry in self.client.search_model_versions(of_name):
            number = int(entry.version)
            names = tuple(alias for alias, n in aliases if n == number)
            versions.append(Version(number, str(entry.run_id), entry.creation_timestamp, names))
        return sorted(versions, key=lambda version: -version.number)

    def find_version(self, which: int | str) -> Version | None:
        """Find a version by number or alias; None when there is none."""
        return next((v for v in self.versions() if which == v.number or which in v.aliases), None)

    def bundle(self, version: Version, folder: str = BUNDLE) -> Bundle:
        """Load and verify the bundle of a version, or of its baseline."""
        return unpack(self.files(version, folder), self.store.locate)

    def evaluation(self, version: Version) -> Evaluation:
        """Load the evaluation of a version; raise UserError when there is none."""
        files = self.files(version, EVIDENCE)
        if EVALUATION not in files:
            raise UserError(f"Version {version.number} has no evaluation: run `ml evaluate`.")
        return Evaluation.model_validate_json(files[EVALUATION])

    def files(self, version: Version, folder: str) -> Files:
        """Download the files of a folder of a version's run; none if there is no such folder."""
        if not self.client.list_artifacts(version.run, folder):
            return {}
        with TemporaryDirectory() as target:  # otherwise MLflow leaves one behind each time
            return read_files(Path(self.client.download_artifacts(version.run, folder, target)))

    def publish_challenger(self, version: Version) -> None:
        """Publish a version as the store's challenger, unless it is the champion."""
        champion = self.store.pointer(CHAMPION)
        if champion is None or champion.version != version.number:
            pointer = self._publish(version)
            self.store.set_alias(CHALLENGER, pointer.model_copy(update={"evidence": ""}))

    def _publish(self, version: Version) -> Pointer:
        """Copy a version's files into the store; return a pointer to them."""
        bundle = self.files(version, BUNDLE)
        evidence = self.files(version, EVIDENCE)
        # First, because a damaged bundle is not published.
        bundle_digest = unpack(bundle, self.store.locate).digest
        self.store.publish(version.number, EVIDENCE, evidence)
        self.store.publish(version.number, BUNDLE, bundle)
        return Pointer(version=version.number, digest=bundle_digest, evidence=digest(evidence))

    def set_champion(self, version: Version) -> None:
        """Publish a version and make it the champion."""
        pointer = self._publish(version)
        old = self.store.pointer(CHAMPION)
        if old is not None and old.version == version.number:  # it can be, after a killed promote
            changes = {"previous": old.previous, "since": old.since}
        else:
            previous = (old.version, *old.previous) if old else ()
            changes = {"previous": previous, "since": datetime.now(UTC)}
        self.store.set_alias(CHAMPION, pointer.model_copy(update=changes))
        self.champion()

    def champion(self) -> Version | None:
        """Find the store's champion, and correct the aliases that a kill left behind.

        Its prompts have the alias too, and its number as the tag `model_version`.

        Raises:
            UserError: MLflow has no such version, or it has another bundle.
        """
        pointer = self.store.pointer(CHAMPION)
        if pointer is None:
            return None
        version = self.find_version(pointer.version)
        if version is None or (bundle := self.bundle(version)).digest != pointer.digest:
            raise UserError(
                f"The champion in {self.store.address} is version {pointer.version}, which MLflow "
                f"does not have of {self.name}: MODEL_STORE and MLFLOW_TRACKING_URI must belong to "
                "the same project."
            )
        # First, because a rollback that was killed is known by the old alias of the model.
        self.register_prompts(bundle.files, version.run, version.number)
        self.client.set_registered_model_alias(self.name, CHAMPION, str(pointer.version))
        challenger = self.store.pointer(CHALLENGER)
        if challenger is not None and challenger.version == pointer.version:
            self.store.delete_alias(CHALLENGER)
        return version
