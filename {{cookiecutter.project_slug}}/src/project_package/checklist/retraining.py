"""Train a champion again, in a folder of its own, and search again from the stored trials."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pkgutil import resolve_name
from typing import Any, NoReturn

import optuna

from ..bundle import PARAMS, Manifest
from ..columns import Columns
from ..contract.training import Choice, Fitted, Hyperparameters, Report, ignore
from ..errors import UserError
from ..lifecycle.choose import open_search, search
from ..lifecycle.console import Console
from ..lifecycle.project import Project
from ..lifecycle.search import open_storage
from .subject import Subject


def prepare(subject: Subject, name: str = "again") -> Project:
    """Return the project with the champion's parameters, and its training in a folder of that name.

    The folder of the project has checkpoints of networks, which would not be trained again. Checks
    of the same name share a folder: a network that both need is trained once in a checklist.
    """
    project = subject.project
    folder = subject.folder / name
    studies = {"optuna_storage": f"sqlite:///{folder / 'optuna.db'}"}
    if not folder.exists():
        folder.mkdir()
        for path in project.workspace.root.glob("*.toml"):
            shutil.copy(path, folder)
        copy_studies(project, studies["optuna_storage"], subject.bundle.manifest)
    package = package_of(project)
    entry = resolve_name(f"{package}.entry_point:ENTRY")
    use_case: Any = import_module(f"{package}.{entry.training}")
    params = use_case.PARAMS.model_validate_json(subject.bundle.files[PARAMS])
    return replace(
        project,
        params=params,
        training=use_case.make_training(params, folder),
        settings=project.settings.model_copy(update=studies),
        console=Console(quiet=True),
    )


def package_of(project: Project) -> str:
    """Return the name of the package of the use case."""
    return project.training.make_task.__module__.rpartition(".")[0]


def copy_studies(project: Project, address: str, manifest: Manifest) -> None:
    """Copy the studies of a model on its data set."""
    stored = open_storage(project.settings.studies(project.workspace.root))
    storage = open_storage(address)
    for name in optuna.get_all_study_names(stored):
        if name.startswith(f"{manifest.name}/{manifest.data}/"):
            optuna.copy_study(from_study_name=name, from_storage=stored, to_storage=storage)


def search_again(project: Project, manifest: Manifest) -> list[Choice]:
    """Return the best settings of each candidate from the stored trials.

    Raises:
        UserError: a candidate was fitted, as if a trial were missing.
    """

    def refuse(*_: object) -> NoReturn:
        raise UserError(
            "The search does not continue from the stored trials: code, parameters or the search "
            "database have changed since the champion was trained. Run `ml pipeline` again."
        )

    searching = open_search(project, project.workspace.dataset(manifest.data))
    return search(project, replace(searching, folds=1, runs=lambda _: refuse), lambda _: None)


def choice_of(project: Project, manifest: Manifest) -> Choice:
    """Return the candidate and the settings of a model, to fit it again.

    Raises:
        UserError: the code has no such candidate.
    """
    choices = [Choice(c, manifest.settings, ()) for c in project.training.candidates]
    if all(choice.candidate.name != manifest.candidate for choice in choices):
        tried = search_again(project, manifest)
        # Without folds, nothing is fitted.
        choices = [*project.training.combine((), project.training.metric, tried)]
    for choice in choices:
        named = choice.candidate.name == manifest.candidate
        if named and dict(choice.settings) == manifest.settings:
            return quantised(choice, manifest)
    raise UserError(f"The code has no candidate {manifest.candidate} with its settings.")


class Stopped(Exception):
    """Training is stopped after an epoch."""


def fit_in_two_parts(
    choice: Choice, rows: Columns, seed: int
) -> tuple[Fitted, list[tuple[int, float]]]:
    """Fit on rows; stop a network after its first epoch, and let it continue.

    Returns:
        The fitted model, and the number and the loss of each epoch, none without epochs.
    """
    epochs: list[tuple[int, float]] = []

    def report(epoch: int, scores: Mapping[str, float]) -> None:
        epochs.append((epoch + 1, scores["loss"]))
        if len(epochs) == 1:
            raise Stopped

    try:
        fitted = choice.candidate.fit(rows, choice.settings, seed, report)
    except Stopped:
        fitted = choice.candidate.fit(rows, choice.settings, seed, report)
    return fitted, epochs


def quantised(choice: Choice, manifest: Manifest) -> Choice:
    """Return a choice that is quantised as the model was, whatever the times of today."""
    candidate = choice.candidate
    quantise = candidate.quantise
    if quantise is None or manifest.quantisation is None or not manifest.quantisation.taken:
        return replace(choice, candidate=replace(candidate, quantise=None))

    def fit(rows: Columns, settings: Hyperparameters, seed: int, report: Report = ignore) -> Fitted:
        return quantise(candidate.fit(rows, settings, seed, report), rows)

    return replace(choice, candidate=replace(candidate, fit=fit, quantise=None))
