"""Checks of how the model was specified: reviewed code (M1) and tuned settings (M3)."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..bundle import PARAMS
from ..contract.training import Candidate, Choice
from ..lifecycle.choose import candidates_to_try, open_search
from ..lifecycle.scores import number
from .checks import Outcome
from .dependency_job import read_workflow
from .subject import Subject

PACKAGES = ("checklist", "monitoring", "serving")
"""Code that does not decide what a model is."""
SPECIFICATION = (
    *("src", "params.toml", "schema.toml"),
    *(f":(exclude)src/*/{name}" for name in PACKAGES),
)
"""What does; with the data, which the manifest names by a digest."""
DIRTY = "-dirty"
ROUNDING = 1e-9


@dataclass(frozen=True)
class Trials:
    """What a search knows about a candidate."""

    candidate: Candidate
    wanted: int
    count: int
    """Finished ones."""
    best: Choice | None


def reviewed(subject: Subject) -> Outcome:
    """Require that the model was trained from a commit, and that changes of it are reviewed."""
    root = subject.project.workspace.root
    commit = subject.bundle.manifest.commit
    if not commit or commit.endswith(DIRTY):
        again = "commit the project (first `git init` if it has no repository), and train again"
        return Outcome(False, f"The model was trained from files without a commit: {again}.")
    faults = [*changes_since(root, commit), *missing_review(root)]
    params = type(subject.project.params).model_validate_json(subject.bundle.files[PARAMS])
    if params != subject.project.params:
        faults.append("it was trained with other parameters than those of params.toml")
    detail = "; ".join(faults) or "code and parameters have not changed since, and are reviewed"
    return Outcome(not faults, f"The model is of commit {commit[:12]}: {detail}.")


def changes_since(root: Path, commit: str) -> list[str]:
    """Return why the files are not those of a commit; nothing if they are."""
    if git(root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        return ["the repository does not have it"]
    changed = git(root, "diff", "--name-only", commit, "--", *SPECIFICATION)
    added = git(root, "ls-files", "--others", "--exclude-standard", "--", *SPECIFICATION)
    files = [*(changed or "").splitlines(), *(added or "").splitlines()]
    return [f"{', '.join(files)} changed since: commit, and train again"] if files else []


def missing_review(root: Path) -> list[str]:
    """Return what is missing for a review of every change; nothing if all is there."""
    missing = []
    if git(root, "ls-files", "--error-unmatch", ".github/pull_request_template.md") is None:
        missing.append("no pull request template is in the repository")
    workflows = (git(root, "ls-files", ".github/workflows") or "").splitlines()
    if not any("pull_request" in read_workflow(root / path)["on"] for path in workflows):
        missing.append("no workflow in the repository runs on pull requests")
    return missing


def git(root: Path, *command: str) -> str | None:
    """Return what a git command prints about a folder; None if it fails."""
    line = ["git", "-C", str(root), *command]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # there is no git
        return None
    return done.stdout if done.returncode == 0 else None


def tuned(subject: Subject) -> Outcome:
    """Require enough trials of each candidate, and that the best of all of them is the champion."""
    project = subject.project
    metric = project.training.metric
    manifest = subject.bundle.manifest
    # 1. All candidates were tried, as often as the parameters say.
    tried = stored_trials(subject)
    counts = [f"{one.candidate.name} {one.count} of {one.wanted}" for one in tried]
    detail = f"trials: {', '.join(counts)}"
    best = [one.best for one in tried if one.best and one.count >= one.wanted]
    if len(best) < len(tried):
        return Outcome(False, f"{detail}; run `ml train` to go on with the search")
    # 2. The champion has the best score, and the settings of the best trial of its candidate.
    logged = project.registry.client.get_run(subject.version.run).data.metrics
    score = logged[f"valid.{metric.name}"]
    rival = max(best, key=lambda choice: metric.gain(choice.score, 0))
    own = [choice for choice in best if choice.candidate.name == manifest.candidate]
    detail += f"; the champion, {manifest.candidate}, has {metric.label} {number(score)} on the "
    detail += f"folds, and {rival.candidate.name} {number(rival.score)}, the best of one candidate"
    if own and dict(own[0].settings) != manifest.settings:
        return Outcome(False, f"{detail}; its settings are not those of its best trial")
    if not own:
        detail += "; it combines several"
    return Outcome(metric.gain(score, rival.score) >= -ROUNDING, detail)


def stored_trials(subject: Subject) -> list[Trials]:
    """Return the trials of each candidate on the champion's data set, with the code as it is."""
    project = subject.project
    search = open_search(project, project.workspace.dataset(subject.bundle.manifest.data))
    candidates = candidates_to_try(project)
    return [Trials(one, search.wanted(one), *search.stored(one)) for one in candidates]
