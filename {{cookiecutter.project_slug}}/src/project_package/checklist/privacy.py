"""The check D5: identifiers are not in what a project writes, and can be erased."""

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..lifecycle.erase import LIST, erase
from ..lifecycle.project import find_log
from ..model_store import CHAMPION
from ..serving.log_config import PACKAGE, JsonFormatter
from .checks import Outcome
from .identifiers import find, plant
from .subject import Subject, ask

REQUESTS = 5
REAL = 300
"""At most so many identifiers of the data set are looked for, of each kind."""


def privacy(subject: Subject) -> Outcome:
    """Require that identifiers are in no log, metric, model or report, and that they are erased."""
    own = replace(subject, folder=subject.folder / "privacy")
    own.folder.mkdir(exist_ok=True)
    planted: set[str] = set()
    bodies = []
    for request in subject.requests[:REQUESTS]:
        body, identifiers = plant(request)
        bodies.append(body)
        planted |= identifiers
    # 1. Answer requests with planted identifiers, and refuse one.
    refused = {**bodies[0], "unknown field": 1}
    with logged() as lines, own.serve() as client:
        codes = [ask(client, body).status_code for body in (*bodies, refused)]
        written = {"/metrics": client.get("/metrics").content}
    if codes != [200] * len(bodies) + [422]:
        return Outcome(False, f"the planted requests were answered with {codes}")
    # 2. Look for them, and for those of the data set, in everything that was written.
    written["the server's log"] = lines.getvalue().encode()
    written |= {**log_files(own.folder), **published(subject)}
    real = real_identifiers(subject)
    leaks = [f"{name} has one that was planted" for name in find(planted, written)]
    leaks += [f"{name} has one of the data set" for name in find(real, written, words=True)]
    # 3. Erase an entity.
    request = type(subject.requests[0]).model_validate(bodies[0])
    entity = subject.task.to_rows([request])[subject.task.entity][0] if subject.task.entity else ""
    if entity and (error := erasure_error(own, entity)):
        leaks.append(error)
    found = (
        f"{len(planted)} planted identifiers and {len(real)} of the data set were looked for in "
        f"{len(written)} logs and files; a planted {subject.task.entity or 'entity'} was erased"
    )
    has_ids = bool(subject.task.id or subject.task.entities)
    return Outcome(bool(planted) == has_ids and not leaks, "; ".join(leaks) or found)


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Collect the lines that the server logs."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger()
    package = logging.getLogger(PACKAGE)
    level = package.level
    logger.addHandler(handler)
    package.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        package.setLevel(level)


def log_files(folder: Path) -> dict[str, bytes]:
    """Return the files of the prediction log."""
    return {path.name: path.read_bytes() for path in folder.glob("predictions.db*")}


def published(subject: Subject) -> Mapping[str, bytes]:
    """Return the files of the champion in the model store, and those of the reports."""
    _, bundle, evidence = subject.project.store.load(CHAMPION)
    paths = [path for path in subject.project.workspace.reports.rglob("*") if path.is_file()]
    return {**bundle.files, **evidence, **{f"reports/{p.name}": p.read_bytes() for p in paths}}


def real_identifiers(subject: Subject) -> set[str]:
    """Return identifiers of test rows; those without a letter could be any number in a file."""
    identifiers: set[str] = set()
    for name in {*subject.task.id, *subject.task.entities} & subject.test.keys():
        known = np.unique(subject.test[name].astype(str))
        chosen = known[np.linspace(0, len(known) - 1, REAL).astype(int)].tolist()
        identifiers |= {value for value in chosen if any(map(str.isalpha, value))}
    return identifiers


def erasure_error(subject: Subject, entity: str) -> str:
    """Erase an entity whose requests were answered; return what is left, empty if nothing."""
    project = subject.in_folder()
    with closing(find_log(project)) as log:
        pseudonym = [log.hash(entity)]
    if not any(find(pseudonym, log_files(subject.folder))):
        return "the log has no prediction about a planted entity"
    erase(project, entity)
    left = [*find(pseudonym, log_files(subject.folder))]
    if pseudonym[0] not in (subject.folder / LIST).read_text("utf-8"):
        left.append(f"an empty {LIST}")
    return f"`ml erase` leaves {', '.join(left)}" if left else ""
