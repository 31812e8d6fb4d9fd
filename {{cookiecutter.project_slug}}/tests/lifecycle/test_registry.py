"""Champions change, in the store and in MLflow."""

from pathlib import Path
from typing import Any, cast

import pytest

from project_package.bundle import digest, unpack
from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.lifecycle.registry import Registry, Version
from project_package.model_store import (
    BUNDLE,
    CHALLENGER,
    CHAMPION,
    Pointer,
    Store,
)


@pytest.fixture
def registry(candidate: Project) -> Registry:
    """Return a registry of two versions: 1 is the champion, 2 the challenger."""
    return candidate.registry


def find(registry: Registry, which: int | str) -> Version:
    return cast("Version", registry.find_version(which))


def pointer(registry: Registry) -> Pointer:
    return cast("Pointer", registry.store.pointer(CHAMPION))


def test_versions_are_listed_newest_first(registry: Registry) -> None:
    versions = [(version.number, version.aliases) for version in registry.versions()]
    assert versions == [(2, (CHALLENGER,)), (1, (CHAMPION,))]
    assert registry.find_version(3) is registry.find_version("nobody") is None


def test_champion_is_published_whole(registry: Registry) -> None:
    registry.set_champion(find(registry, 2))
    published = registry.store.fetch(2, BUNDLE)
    assert published == registry.files(find(registry, 2), BUNDLE)
    assert registry.store.fetch(2, "evidence").keys() >= {"card.md", "report.html"}
    evidence = digest(registry.store.fetch(2, "evidence"))
    bundle = unpack(published, Path).digest
    before = pointer(registry)
    known = Pointer(version=2, digest=bundle, evidence=evidence, previous=(1,), since=before.since)
    assert before == known
    assert find(registry, CHAMPION).number == 2
    registry.set_champion(find(registry, 2))  # again
    assert pointer(registry) == before


def test_challenger_is_in_the_store_until_it_is_champion(registry: Registry) -> None:
    assert registry.store.load(CHALLENGER)[0] == 2
    registry.publish_challenger(find(registry, 1))  # the champion is never the challenger
    assert registry.store.load(CHALLENGER)[0] == 2
    registry.set_champion(find(registry, 2))
    assert registry.store.pointer(CHALLENGER) is None


@pytest.mark.parametrize("changed", [{"version": 9}, {"digest": "another"}])
def test_store_of_another_project_is_refused(registry: Registry, changed: dict[str, Any]) -> None:
    registry.store.set_alias(CHAMPION, pointer(registry).model_copy(update=changed))
    with pytest.raises(UserError, match="must belong to the same project"):
        registry.champion()
    assert find(registry, CHAMPION).number == 1


def test_new_model_has_no_version_and_no_champion(registry: Registry, tmp_path: Path) -> None:
    other = Registry(registry.client, "other", Store(str(tmp_path / "other")))
    assert (other.versions(), other.champion()) == ([], None)


def test_missing_evaluation_says_what_to_run(registry: Registry) -> None:
    unknown = registry.client.create_run("0").info.run_id
    with pytest.raises(UserError, match="Version 7 has no evaluation: run `ml evaluate`"):
        registry.evaluation(Version(7, unknown, 0, ()))
