"""The job in .github/workflows that installs the newest releases and runs the tests, on a schedule.

GitHub sends a message about a scheduled workflow that failed, so a failing step must fail the job.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from .subject import PROGRAM

WORKFLOWS = Path(".github/workflows")
NEEDED = {"lock --upgrade": "installs the newest releases", "pytest": "runs the tests"}
"""What commands must have, in this order."""


def dependency_job(root: Path) -> tuple[bool, str]:
    """Find the job in the workflows of a project; return whether there is one, and what it does."""
    folder = next((base for base in (root, PROGRAM) if (base / WORKFLOWS).is_dir()), root)
    problems = []
    for path in sorted((folder / WORKFLOWS).glob("*.y*ml")):
        workflow = read_workflow(path)
        schedule = workflow["on"].get("schedule")
        if not schedule:
            problems.append(f"{path.name} has no schedule")
            continue
        for name, job in workflow["jobs"].items():
            if not (problem := find_problem(job, folder)):
                return True, f"job {name} of {path.name} runs at {schedule[0]['cron']}"
            problems.append(f"job {name} of {path.name} {problem}")
    return False, "; ".join(problems) or f"there is no workflow in {folder / WORKFLOWS}"


def read_workflow(path: Path) -> Mapping[str, Any]:
    """Read a workflow; under `on`, options by the name of what starts it."""
    content = yaml.safe_load(path.read_text("utf-8"))
    found = content.get("on", content.get(True))  # YAML 1.1 reads `on` as true
    if not isinstance(found, Mapping):
        found = dict.fromkeys([found] if isinstance(found, str) else found)
    return {**content, "on": found}


def find_problem(job: Mapping[str, Any], folder: Path) -> str:
    """Return why a job does not do what it must; empty if it does."""
    events = re.findall(r"event_name\s*(==|!=)\s*'(\w+)'", str(job.get("if", "")))
    wanted = [name for sign, name in events if sign == "=="]
    if ("!=", "schedule") in events or (wanted and "schedule" not in wanted):
        return "does not run at the schedule"
    if any(part.get("continue-on-error") for part in (job, *job.get("steps", ()))):
        return "goes on after an error, so nobody gets a message"
    text = "\n".join(commands(job, folder))
    start = 0
    for command, purpose in NEEDED.items():
        start = text.find(command, start)
        if start < 0:
            return f"has no command that {purpose}"
    return ""


def commands(job: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Yield the commands of a job, with the recipes of the Makefile in place of its targets."""
    makefile = (folder / "Makefile").read_text("utf-8") if (folder / "Makefile").exists() else ""
    for step in job.get("steps", ()):
        for line in str(step.get("run", "")).splitlines():
            target = re.fullmatch(r"make ([\w-]+)", line.strip())
            recipe = None
            if target:
                rule = rf"^{target[1]}:.*\n((?:\t.*\n)*)"
                recipe = re.search(rule, makefile, re.MULTILINE)
            yield recipe[1].replace("$(PYTEST)", "pytest") if recipe else line
