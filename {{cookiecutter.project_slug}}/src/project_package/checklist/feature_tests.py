"""The checks D6 and D7, which share a run of the project's own tests of its features."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from ..errors import UserError
from .checks import Outcome
from .subject import PACKAGE, PROGRAM, Subject

RESULTS = "tests.xml"
COVERAGE = "coverage.json"
COVERED = 0.95
"""Share of the lines of feature code that its tests have to run."""
SECONDS = 300


def new_feature(subject: Subject) -> Outcome:
    """Require that the test passes which adds a feature by its declaration."""
    return results_of(subject, subject.facts.new_feature_test)


def tested_features(subject: Subject) -> Outcome:
    """Require that the tests of features pass, and run nearly all lines of their code."""
    passed, detail = results_of(subject, subject.facts.feature_tests)
    files = json.loads((subject.folder / COVERAGE).read_text("utf-8"))["files"]
    shares = []
    for module in subject.facts.feature_modules:
        end = f"{PACKAGE}/{module.replace('.', '/')}.py"
        counts = [files[name]["summary"] for name in files if Path(name).as_posix().endswith(end)]
        lines = sum(count["num_statements"] for count in counts)
        shares.append(sum(count["covered_lines"] for count in counts) / lines if lines else 0.0)
    runs = zip(subject.facts.feature_modules, shares, strict=True)
    covered = ", ".join(f"{share:.0%} of {module}" for module, share in runs)
    detail += f"; they run {covered}, and have to run {COVERED:.0%}"
    return Outcome(passed and min(shares) >= COVERED, detail)


def results_of(subject: Subject, path: str) -> Outcome:
    """Return whether the tests of a file pass, and how many there are."""
    if not (subject.folder / RESULTS).exists():
        run_tests(subject)
    name = path.removesuffix(".py").replace("/", ".")
    cases = ET.parse(subject.folder / RESULTS).iter("testcase")  # noqa: S314  pytest wrote it
    own = [case for case in cases if case.get("classname", "").endswith(name)]
    bad = [case.get("name") for case in own if len(case) and case[0].tag != "properties"]
    detail = f"tests of tests/{path}: {len(own) - len(bad)} passed, {len(bad)} failed"
    return Outcome(bool(own) and not bad, detail + "".join(f": {test}" for test in bad[:1]))


def run_tests(subject: Subject) -> None:
    """Run both files of tests, and write results and coverage into the folder of the subject.

    Raises:
        UserError: pytest could not run.
    """
    facts = subject.facts
    own = subject.project.workspace.root
    root = own if (own / "tests").exists() else PROGRAM
    results = subject.folder / RESULTS
    command = [sys.executable, "-m", "pytest", "-q", "-o", f"cache_dir={subject.folder}/pytest"]
    command += [f"tests/{path}" for path in (facts.new_feature_test, facts.feature_tests)]
    command += [f"--junitxml={results}", f"--cov-report=json:{subject.folder / COVERAGE}"]
    command += [f"--cov={PACKAGE}.{module}" for module in facts.feature_modules]
    # This process can be a test itself, whose coverage is measured.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST"))}
    apart = {
        "COVERAGE_FILE": str(subject.folder / ".coverage"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(subject.folder / "hypothesis"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [*command, "--cov-fail-under=0"],
        cwd=root,
        env=kept | apart,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if not results.exists():
        reason = (done.stdout + done.stderr).strip().rpartition("\n")[2]
        raise UserError(f"pytest could not run: {reason}. Install the project with `make install`.")
