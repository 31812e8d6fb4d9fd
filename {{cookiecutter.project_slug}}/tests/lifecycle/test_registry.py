"""Champions change, in the store and in MLflow."""

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
    """Return a registry of two versions: 1 is the champion, 2 the challenger."""
    return clone(retrained).registry


def find(registry: Registry, which: int | str) -> Version:
    version = registry.find(which)
    assert version is not None
    return version


def pointer(registry: Registry) -> Pointer:
    found = registry.store.pointer(CHAMPION)
    assert found is not None
    return found


def test_versions_are_listed_newest_first(registry: Registry) -> None:
    versions = [(version.number, version.aliases) for version in registry.versions()]
    assert versions == [(2, (CHALLENGER,)), (1, (CHAMPION,))]
    assert registry.find(3) is registry.find("nobody") is None


def test_champion_is_published_whole(registry: Registry) -> None:
    registry.set_champion(find(registry, 2))
    published = registry.store.fetch(2, BUNDLE)
    assert published == registry.files(find(registry, 2), BUNDLE)
    assert registry.store.fetch(2, "evidence").keys() >= {"card.md", "report.html"}
    assert pointer(registry) == Pointer(version=2, digest=unpack(published).digest, previous=(1,))
    assert find(registry, CHAMPION).number == 2


def test_challenger_is_in_the_store_until_it_is_champion(registry: Registry) -> None:
    assert registry.store.load(CHALLENGER)[0] == 2
    registry.publish_challenger(find(registry, 1))  # the champion is never the challenger
    assert registry.store.load(CHALLENGER)[0] == 2
    registry.set_champion(find(registry, 2))
    assert registry.store.pointer(CHALLENGER) is None


def test_setting_the_champion_again_changes_nothing(registry: Registry) -> None:
    registry.set_champion(find(registry, 2))
    before = pointer(registry)
    registry.set_champion(find(registry, 2))
    assert pointer(registry) == before


def test_rollback_goes_back_to_the_first_champion(registry: Registry) -> None:
    registry.set_champion(two := find(registry, 2))
    assert registry.rollback() == (2, 1)
    assert (pointer(registry).version, find(registry, CHAMPION).number) == (1, 1)
    assert registry.find(CHALLENGER) is None
    with pytest.raises(UserError, match="There is no earlier champion"):
        registry.rollback()
    registry.set_champion(two)
    assert (pointer(registry).version, pointer(registry).previous) == (2, (1,))


def test_rollback_keeps_another_challenger(registry: Registry) -> None:
    registry.set_champion(find(registry, 2))
    source = registry.client.get_model_version(registry.name, "2").source
    registry.register(str(source), find(registry, 2).run)
    registry.rollback()
    assert find(registry, CHALLENGER).number == 3


def test_rollback_to_a_damaged_version_is_refused(registry: Registry) -> None:
    registry.set_champion(find(registry, 2))
    file = Path(registry.store.address, "versions", "1", BUNDLE, "params.json")
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(UserError, match=r"params\.json of this bundle was changed"):
        registry.rollback()
    assert pointer(registry).version == find(registry, CHAMPION).number == 2


def test_alias_in_mlflow_follows_the_store(registry: Registry) -> None:
    registry.store.set_alias(CHAMPION, pointer(registry).model_copy(update={"version": 2}))
    assert find(registry, CHAMPION).number == 1
    registry.champion()
    assert find(registry, CHAMPION).number == 2


@pytest.mark.parametrize("changed", [{"version": 9}, {"digest": "another"}])
def test_store_of_another_project_is_refused(registry: Registry, changed: dict[str, Any]) -> None:
    registry.store.set_alias(CHAMPION, pointer(registry).model_copy(update=changed))
    with pytest.raises(UserError, match="must belong to the same project"):
        registry.champion()
    assert find(registry, CHAMPION).number == 1


def test_model_without_versions_has_none(registry: Registry, tmp_path: Path) -> None:
    other = Registry(registry.client, "other", Store(str(tmp_path / "other")))
    assert other.versions() == []
    with pytest.raises(UserError, match="There is no earlier champion"):
        other.rollback()


class Failing:
    """A client of a registry that fails with these codes, and then returns a model."""

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
        ((RESOURCE_DOES_NOT_EXIST, RESOURCE_ALREADY_EXISTS), False),  # another created it
        ((RESOURCE_DOES_NOT_EXIST, PERMISSION_DENIED), True),
        ((PERMISSION_DENIED,), True),
    ],
)
def test_only_a_missing_model_is_created(
    registry: Registry, codes: tuple[int, ...], refused: bool
) -> None:
    other = replace(registry, client=cast("MlflowClient", Failing(*codes)))
    if refused:
        with pytest.raises(MlflowException, match="no"):
            other.versions()
    else:
        assert other.versions() == []


def test_missing_evaluation_says_what_to_run(registry: Registry) -> None:
    unknown = registry.client.create_run("0").info.run_id
    with pytest.raises(UserError, match="Version 7 has no evaluation: run `ml evaluate`"):
        registry.evaluation(Version(7, unknown, 0, ()))
