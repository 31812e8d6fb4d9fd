"""Champions come and go, in the store and in MLflow."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    PERMISSION_DENIED,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
)

from project_package.bundle import unpack
from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.lifecycle.registry import Registry, Version
from project_package.model_store import BUNDLE, CHALLENGER, CHAMPION, Pointer, Store


@pytest.fixture
def registry(retrained: Path, clone: Callable[[Path], Project]) -> Registry:
    """Give one of two versions: 1 is the champion, 2 the challenger."""
    return clone(retrained).registry


def found(registry: Registry, which: int | str) -> Version:
    version = registry.find(which)
    assert version is not None
    return version


def pointer(registry: Registry) -> Pointer:
    found = registry.store.pointer(CHAMPION)
    assert found is not None
    return found


def test_versions_are_listed_newest_first_with_their_aliases(registry: Registry) -> None:
    versions = [(version.number, version.aliases) for version in registry.versions()]
    assert versions == [(2, (CHALLENGER,)), (1, (CHAMPION,))]
    assert registry.find(3) is registry.find("nobody") is None


def test_a_crowned_version_is_published_whole(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    published = registry.store.fetch(2, BUNDLE)
    assert published == registry.files(found(registry, 2), BUNDLE)
    assert pointer(registry).digest == unpack(published).digest
    assert registry.store.fetch(2, "evidence").keys() >= {"card.md", "report.html"}


def test_an_evaluated_challenger_is_in_the_store_until_it_is_crowned(registry: Registry) -> None:
    assert registry.store.load(CHALLENGER)[0] == 2
    registry.challenge(found(registry, 1))  # evaluated again, it stays the champion
    assert registry.store.load(CHALLENGER)[0] == 2
    registry.crown(found(registry, 2))
    assert registry.store.pointer(CHALLENGER) is None


def test_a_crown_remembers_who_wore_it_and_moves_the_alias(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    assert (pointer(registry).version, pointer(registry).previous) == (2, (1,))
    assert found(registry, CHAMPION).number == 2


def test_crowning_the_champion_again_changes_nothing(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    before = pointer(registry)
    registry.crown(found(registry, 2))
    assert pointer(registry) == before


def test_rollback_goes_to_the_champion_before_and_back_no_further(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    assert registry.rollback() == (2, 1)
    assert (pointer(registry).version, found(registry, CHAMPION).number) == (1, 1)
    with pytest.raises(UserError, match="There is no earlier champion"):
        registry.rollback()


def test_a_version_that_was_rolled_back_is_no_challenger_and_may_be_crowned_again(
    registry: Registry,
) -> None:
    registry.crown(two := found(registry, 2))
    registry.rollback()
    assert registry.find(CHALLENGER) is None
    registry.crown(two)
    assert (pointer(registry).version, pointer(registry).previous) == (2, (1,))


def test_another_challenger_stays_when_the_champion_is_rolled_back(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    source = registry.client.get_model_version(registry.name, "2").source
    registry.register(str(source), found(registry, 2).run)
    registry.rollback()
    assert found(registry, CHALLENGER).number == 3


def test_a_rollback_to_a_damaged_version_is_refused(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    graph = Path(registry.store.address, "versions", "1", BUNDLE, "model.onnx")
    graph.write_bytes(graph.read_bytes() + b"x")
    with pytest.raises(UserError, match=r"model\.onnx of this bundle was changed"):
        registry.rollback()
    assert pointer(registry).version == found(registry, CHAMPION).number == 2


def test_the_alias_follows_the_pointer(registry: Registry) -> None:
    moved = pointer(registry).model_copy(update={"version": 2})
    registry.store.point(CHAMPION, moved)
    assert found(registry, CHAMPION).number == 1
    registry.champion()
    assert found(registry, CHAMPION).number == 2


def test_a_store_that_knows_more_than_mlflow_is_told_in_words(registry: Registry) -> None:
    registry.store.point(CHAMPION, pointer(registry).model_copy(update={"version": 9}))
    with pytest.raises(UserError, match="version 9"):
        registry.champion()


def test_a_store_of_other_models_with_the_same_numbers_is_refused(registry: Registry) -> None:
    registry.store.point(CHAMPION, Pointer(version=2, digest="another"))
    with pytest.raises(UserError, match="which MLflow does not know"):
        registry.champion()
    assert registry.find(CHAMPION) == registry.find(1)


def test_a_model_without_versions_has_none(registry: Registry, tmp_path: Path) -> None:
    other = Registry(registry.client, "other", Store(str(tmp_path / "other")))
    assert other.versions() == []
    with pytest.raises(UserError, match="There is no earlier champion"):
        other.rollback()


class Failing:
    """A client of a registry that answers with errors of these codes, and then with a model."""

    def __init__(self, *codes: int) -> None:
        self._codes = [*codes]

    def _answer(self, name: str) -> RegisteredModel:
        if self._codes:
            raise MlflowException("no", self._codes.pop(0))
        return RegisteredModel(name)

    get_registered_model = create_registered_model = _answer

    def search_model_versions(self, _: str) -> list[Any]:
        return []


@pytest.mark.parametrize(
    ("codes", "refused"),
    [
        ((RESOURCE_DOES_NOT_EXIST,), False),
        ((RESOURCE_DOES_NOT_EXIST, RESOURCE_ALREADY_EXISTS), False),  # another was first
        ((RESOURCE_DOES_NOT_EXIST, PERMISSION_DENIED), True),
        ((PERMISSION_DENIED,), True),
    ],
)
def test_only_a_model_that_is_missing_is_created(
    registry: Registry, codes: tuple[int, ...], refused: bool
) -> None:
    other = replace(registry, client=cast("MlflowClient", Failing(*codes)))
    if refused:
        with pytest.raises(MlflowException, match="no"):
            other.versions()
    else:
        assert other.versions() == []


def test_a_version_that_was_not_evaluated_says_what_to_run(registry: Registry) -> None:
    unknown = registry.client.create_run("0").info.run_id
    with pytest.raises(UserError, match="Version 7 has no evaluation: run `ml evaluate`"):
        registry.evaluation(Version(7, unknown, 0, ()))
