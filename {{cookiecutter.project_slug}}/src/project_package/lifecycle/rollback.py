"""rollback: make the previous champion the champion again."""

from datetime import UTC, datetime

from ..bundle import digest
from ..errors import UserError
from ..model_store import CHALLENGER, CHAMPION, EVIDENCE, Pointer
from .project import Project


def rollback(project: Project) -> int:
    """Make the previous champion the champion again; return its version.

    The challenger alias of the other is removed: the next `ml promote` would promote it again. If
    MLflow has another champion, as after an interrupted rollback, only its alias is corrected.

    Raises:
        UserError: there is no champion, none before it, or the code does not fit that one.
    """
    registry = project.registry
    store = project.store
    with project.workspace.lock(), project.console.step("rollback"):
        old = store.pointer(CHAMPION)
        registered = registry.find_version(CHAMPION)
        # MLflow's champion can be the one before, after a killed promote; any other is one that a
        # killed rollback replaced in the store only.
        if old and registered and registered.number not in (old.version, *old.previous[:1]):
            registry.champion()
            project.console.print(
                "MLflow had another champion, as after an interrupted rollback: version "
                f"{old.version} is the champion. Run `ml rollback` again to go back further."
            )
            return old.version
        if old is None or not old.previous:
            raise UserError("There is no earlier champion to go back to: `ml models` lists all.")
        pointer = earlier_champion(project, old)
        challenger = registry.find_version(CHALLENGER)
        if challenger is not None and challenger.number == old.version:
            registry.client.delete_registered_model_alias(registry.name, CHALLENGER)
        store.set_alias(CHAMPION, pointer)
        registry.champion()  # sets the alias in MLflow too
    new = pointer.version
    project.console.print(f"Version {new} is the champion again, instead of version {old.version}.")
    return new


def earlier_champion(project: Project, champion: Pointer) -> Pointer:
    """Return the pointer to the champion before; raise UserError if the code does not fit it."""
    version, *earlier = champion.previous
    bundle = project.store.bundle(version)
    evidence = digest(project.store.fetch(version, EVIDENCE))
    project.verify(version, bundle)
    return Pointer(
        version=version,
        digest=bundle.digest,
        evidence=evidence,
        previous=tuple(earlier),
        since=datetime.now(UTC),
    )
