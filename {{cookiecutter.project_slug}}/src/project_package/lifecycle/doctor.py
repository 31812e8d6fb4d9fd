"""doctor: which parts of the set-up are broken, and what to do."""

from .. import api_keys
from ..errors import UserError
from ..model_store import CHAMPION
from ..settings import redacted
from .project import FAILURES, Project
from .search import open_storage


def doctor(project: Project) -> None:
    """Print the finding of each check; raise UserError when something is broken."""
    rows = []
    broken = []
    for check in (_data, _tracking, _search, _champion, _events, _keys):
        name = check.__name__.removeprefix("_")
        try:
            rows.append((name, "ok", check(project)))
        except (UserError, *FAILURES) as error:
            broken.append(name)
            rows.append((name, "broken", redacted(str(error))))
    project.console.table("doctor", ("check", "status", "finding"), rows)
    if broken:
        raise UserError(f"Broken: {', '.join(broken)}. See the findings for what to do.")


def _data(project: Project) -> str:
    return project.workspace.dataset().digest


def _tracking(project: Project) -> str:
    versions = len(project.registry.versions())
    project.registry.champion()  # raises when the champion is not among these versions
    return f"{redacted(project.settings.tracking(project.workspace.root))}, versions: {versions}"


def _search(project: Project) -> str:
    address = project.settings.studies(project.workspace.root)
    with project.workspace.lock():
        studies = len(open_storage(address).get_all_studies())
    return f"{redacted(address)}, studies: {studies}"


def _champion(project: Project) -> str:
    version, bundle, _ = project.store.load(CHAMPION)
    project.verify(version, bundle)
    return f"version {version} in {project.store.address}"


def _events(project: Project) -> str:
    if project.events is None:
        return "not used: no feature reads earlier events"
    return project.events.check_store(project)


def _keys(project: Project) -> str:
    path = project.settings.keys(project.workspace.root)
    if path is None:
        return "off: every request is accepted without a key"
    names = ", ".join(key.name for key in api_keys.read_keys(path))
    return f"{path}: {names or 'none, add one with `ml key NAME --scope predict`'}"
