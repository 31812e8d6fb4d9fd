"""Rollback makes the previous champion the champion again, in the store and in MLflow."""

from pathlib import Path

import pytest
from projects import with_age

from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.rollback import rollback
from project_package.model_store import BUNDLE, CHALLENGER, CHAMPION


def champions(project: Project) -> tuple[int, int]:
    """Return the number of the champion in the store and in MLflow."""
    version = project.registry.find_version(CHAMPION)
    return project.store.load(CHAMPION)[0], version.number if version else 0


def test_goes_back_to_the_first_champion(candidate: Project) -> None:
    first = candidate.store.pointer(CHAMPION)
    promote(candidate)
    assert rollback(candidate) == 1
    assert champions(candidate) == (1, 1)
    again = candidate.store.pointer(CHAMPION)
    assert again is not None
    assert first is not None
    assert again.since is not None
    assert first.since is not None
    assert again.since > first.since
    assert again.model_copy(update={"since": first.since}) == first
    assert candidate.registry.find_version(CHALLENGER) is None
    with pytest.raises(UserError, match="There is no earlier champion"):
        rollback(candidate)
    version = candidate.registry.find_version(2)
    assert version is not None
    candidate.registry.set_champion(version)
    assert champions(candidate) == (2, 2)
    assert rollback(candidate) == 1


def test_keeps_another_challenger(candidate: Project) -> None:
    promote(candidate)
    registry = candidate.registry
    source = registry.client.get_model_version(registry.name, "2").source
    registry.register(str(source), "about")
    rollback(candidate)
    challenger = registry.find_version(CHALLENGER)
    assert challenger is not None
    assert challenger.number == 3


def test_damaged_version_is_refused(candidate: Project) -> None:
    promote(candidate)
    file = Path(candidate.store.address, "versions", "1", BUNDLE, "params.json")
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(UserError, match=r"params\.json of this bundle was changed"):
        rollback(candidate)
    assert champions(candidate) == (2, 2)


def test_version_of_other_code_is_refused(candidate: Project) -> None:
    promote(candidate)
    with pytest.raises(UserError, match=r"^Version 1 was trained with other request fields .*age"):
        rollback(with_age(candidate))
    assert champions(candidate) == (2, 2)
    assert rollback(candidate) == 1
