"""monitor: compare what the server answered with what the champion was trained for."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, partial

from pydantic import ValidationError

from ..columns import length
from ..errors import RetrainNeeded, UserError
from ..lifecycle.project import Project, find_log
from ..lifecycle.workspace import replace_text
from ..reference import REFERENCE, Reference
from .alarms import find_alarms, server_alarms
from .drift import Drift, compare
from .findings import WRONG_VALUES, Alarm, Findings, WindowResult
from .notify import FILE as PAGE
from .notify import publish
from .page import render, sentences
from .quality import estimated, labelled, realised
from .service import Service, read_service
from .skew import find_skew
from .slices import SliceScore, worst_slices
from .windows import Times, Window, periods, read_windows

FILE = "monitor.json"


def monitor(project: Project) -> None:
    """Judge the newest windows of the prediction log, and report what was found.

    Raises:
        RetrainNeeded: there is a reason to train a new model.
        UserError: there is no champion or no log, or something has to be repaired.
    """
    found = watch(project, periods(datetime.now(UTC), project.params.monitor))
    show(project, found)
    publish(project, found)
    require_sound_values(found)
    reasons = [alarm for alarm in found.alarms if alarm.retrain]
    others = [alarm for alarm in found.alarms if not alarm.retrain]
    text = f"The server needs attention:\n{describe(others)}" if others else ""
    if reasons:
        again = f"Version {found.version} should be trained again:\n{describe(reasons)}"
        raise RetrainNeeded(f"{again}\n{text}".rstrip())
    if text:
        raise UserError(text)


def require_sound_values(found: Findings) -> None:
    """Raise UserError if values are broken or skewed: a model must not be trained on them."""
    if wrong := [alarm for alarm in found.alarms if alarm.reason in WRONG_VALUES]:
        limits = " and ".join(f"monitor.{alarm.reason}" for alarm in wrong)
        raise UserError(
            f"Correct these values where they come from:\n{describe(found.alarms)}\n"
            f"If they are right, raise {limits}."
        )


def describe(alarms: Sequence[Alarm]) -> str:
    """Return alarms, one a line."""
    return "\n".join(f"  {alarm.reason}: {alarm.detail}" for alarm in alarms)


def watch(project: Project, times: Sequence[Times]) -> Findings:
    """Judge windows of the prediction log; write reports/monitor.json and monitor.html.

    Raises:
        UserError: there is no champion, it has no reference, or there is no log.
    """
    # 1. Read what the server logged.
    champion = project.registry.champion()
    if champion is None:
        raise UserError("There is no champion: run `ml pipeline` first.")
    params = project.params.monitor
    find = cache(partial(find_reference, project))
    if find(str(champion.number)) is None:
        raise UserError(f"Version {champion.number} has no {REFERENCE}: train another one.")
    with project.console.step("monitor") as progress:
        log = find_log(project)
        windows = read_windows(log, times, find, params.max_rows)
        skew = find_skew(project, log, windows)
        service = read_service(project)
        recent = service.since(read_before(project)) if service else None
        progress(0.3)
        # 2. Compare each window with the reference, and score it.
        test = project.registry.evaluation(champion).score(project.training.goal.name)
        results = []
        for number, window in enumerate(windows, 1):
            results.append(judge(project, window))
            progress(0.3 + 0.7 * number / len(windows))
        # 3. Decide, and write what was found.
        goal = project.training.goal
        alarms = server_alarms(skew, recent, params)
        alarms += find_alarms(results, champion, goal, test, params)
        found = Findings(
            version=str(champion.number),
            goal=goal.name,
            windows=tuple(results),
            alarms=tuple(alarms),
            skew=skew,
            service=service,
            recent=recent,
        )
        found = found.model_copy(update={"sentences": tuple(sentences(found, goal, test))})
        reports = project.workspace.reports
        replace_text(reports / FILE, found.model_dump_json(indent=2))
        page = render(found, project.training.about(project.params), goal, test)
        replace_text(reports / PAGE, page)
    return found


def read_before(project: Project) -> Service | None:
    """Return what the last `ml monitor` knew about the server; None if it knew nothing."""
    try:
        text = (project.workspace.reports / FILE).read_text("utf-8")
        return Findings.model_validate_json(text).service
    except (FileNotFoundError, ValidationError):
        return None


def find_reference(project: Project, version: str) -> Reference | None:
    """Return the reference of a version; None if it has none, is not known or predicts another."""
    known = project.registry.find_version(int(version))
    bundle = project.registry.bundle(known) if known else None
    if bundle is None or project.training.incompatible(bundle) or REFERENCE not in bundle.files:
        return None
    return Reference.model_validate_json(bundle.files[REFERENCE])


def judge(project: Project, window: Window) -> WindowResult:
    """Compare a window with the reference, and score it by each metric that the log allows."""
    params = project.params.monitor
    monitoring = project.training.monitoring
    goal = project.training.goal
    now = expected = None
    scores = {}
    slices: tuple[SliceScore, ...] = ()
    drifts: list[Drift] = []
    if window.reference and window.total >= params.min_rows:
        drifts = compare(window.reference, window.rows, params)
    if drifts and window.reference and monitoring and monitoring.metrics:
        expected = estimated(monitoring, goal, window, params.confidence)
        known = labelled(monitoring, window)
        if known and length(known[1]) >= params.min_rows:
            outcome, logged = known
            now = realised(goal, outcome, logged["entity"], params.confidence)
            slices = worst_slices(window.reference, logged, outcome, goal)
            for metric in project.training.metrics:
                if metric.name in monitoring.metrics:
                    scores[metric.name] = metric.score(outcome.rows, outcome.predictions)
    return WindowResult(
        start=window.start,
        end=window.end,
        rows=window.total,
        labelled=sum(label is not None for label in window.labels),
        version=window.version,
        drifts=tuple(drifts),
        realised=now,
        estimated=expected,
        scores=scores,
        slices=slices,
    )


def show(project: Project, found: Findings) -> None:
    """Print the windows."""
    rows = []
    for window in found.windows:
        drifted = ", ".join(d.name for d in window.drifts if d.is_drifted) or "-"
        counts = (f"{window.rows:,}", f"{window.labelled:,}")
        start = f"{window.start:%Y-%m-%d %H:%M}"
        rows.append((start, window.version, *counts, *window.texts, drifted))
    goal = project.training.goal.label
    header = ("since", "version", "answers", "labels", goal, "estimate", "PSI", "drifted")
    project.console.table("Windows", header, rows)
    if not any(window.drifts for window in found.windows):
        project.console.print("No window has enough answers to be judged: see monitor.min_rows.")
    project.console.print(f"Page: {project.workspace.reports / PAGE}")
