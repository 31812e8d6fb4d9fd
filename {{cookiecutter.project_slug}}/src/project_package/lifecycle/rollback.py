"""rollback: make the previous champion the champion again."""

from ..bundle import unpack
from ..errors import UserError
from ..model_store import BUNDLE, CHALLENGER, CHAMPION, Pointer
from .project import Project


def rollback(project: Project) -> int:
    """Make the previous champion the champion again; return its version.

    Its challenger alias is removed too: the next `ml promote` would promote it again.

    Raises:
        UserError: there is no champion, none before it, or the code does not fit that one.
    """
    registry = project.registry
    store = project.store
    with project.workspace.lock(), project.console.step("rollback"):
        old = store.pointer(CHAMPION)
        if old is None or not old.previous:
            raise UserError("There is no earlier champion to go back to: `ml models` lists all.")
        new, *earlier = old.previous
        bundle = unpack(store.fetch(new, BUNDLE))
        project.verify(new, bundle)
        challenger = registry.find_version(CHALLENGER)
        if challenger is not None and challenger.number == old.version:
            registry.client.delete_registered_model_alias(registry.name, CHALLENGER)
        pointer = Pointer(version=new, digest=bundle.digest, previous=tuple(earlier))
        store.set_alias(CHAMPION, pointer)
        registry.champion()  # sets the alias in MLflow too
    project.console.print(f"Version {new} is the champion again, instead of version {old.version}.")
    return new
