"""checklist: the ML Test Score (Breck et al. 2017) of the champion, found by running its checks."""

import logging
import time
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..errors import GateRefused, UserError
from ..lifecycle.cluster import open_cluster
from ..lifecycle.project import Project
from ..lifecycle.report import fill
from ..lifecycle.workspace import replace_text
from ..summaries import PAGE
from .checks import SECTIONS, TEXTS, Checks, Row, Score
from .data_checks import DATA
from .infrastructure_checks import INFRASTRUCTURE
from .model_checks import MODEL
from .monitoring_checks import MONITORING
from .subject import PACKAGE, Subject

if TYPE_CHECKING:
    from ..serving.services import OpenEvents

CHECKS: Checks = {**DATA, **MODEL, **INFRASTRUCTURE, **MONITORING}
FILE = "checklist.html"


def checklist(project: Project, open_events: "OpenEvents | None") -> Score:
    """Run all checks; write reports/checklist.json and checklist.html, and return the score.

    Raises:
        GateRefused: a check failed.
        UserError: there is no champion.
        Unavailable: the cluster of the settings does not answer.
    """
    logging.getLogger(PACKAGE).addHandler(logging.NullHandler())  # servers refuse what checks break
    with (
        TemporaryDirectory() as folder,
        open_cluster(project.settings),  # for fits that share it
        project.console.step("checklist") as progress,
    ):
        subject = Subject(project, open_events, Path(folder))
        version = str(subject.version.number)
        rows = []
        for number, name in enumerate(CHECKS, 1):
            rows.append(run(subject, name))
            progress(number / len(CHECKS))
    score = Score(version=version, rows=tuple(rows))
    write(project, score)
    failed = [row for row in rows if not row.passed]
    if failed:
        lines = "\n".join(f"  {row.id} {row.test}: {row.detail}" for row in failed)
        raise GateRefused(f"Checks of version {version} failed:\n{lines}")
    return score


def run(subject: Subject, name: str) -> Row:
    """Run a check; one that raises has failed."""
    start = time.perf_counter()
    try:
        passed, detail = CHECKS[name](subject)
    except Exception as error:  # noqa: BLE001  a check calls code of the use case, which may raise any
        passed, detail = False, str(error) if isinstance(error, UserError) else repr(error)
    seconds = time.perf_counter() - start
    return Row(id=name, **TEXTS[name], passed=passed, detail=detail, seconds=seconds)


def write(project: Project, score: Score) -> None:
    """Print the rows, and write them for programs and for people."""
    names = {True: "passed", False: "failed"}
    rows = [(row.id, row.test, names[row.passed], row.detail) for row in score.rows]
    project.console.table("ML Test Score", ("", "test", "outcome", "found"), rows)
    sums = ", ".join(f"{title} {points}" for title, points in score.sections.items())
    project.console.print(f"{sums}; the score is the lowest, {score.total} of 7.")
    reports = project.workspace.reports
    replace_text(reports / "checklist.json", score.model_dump_json(indent=2))
    context = {
        "about": project.training.about(project.params),
        "score": score,
        "sections": SECTIONS,
    }
    page = fill(resources.files(__package__) / "checklist.html", context)
    replace_text(reports / FILE, page)
    project.store.write_file(PAGE.format(name=FILE), page.encode())
    project.console.print(f"Page: {reports / FILE}")
