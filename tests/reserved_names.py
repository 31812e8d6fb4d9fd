"""List the names that a project cannot have, and write them into cookiecutter.json.

A package hides a module of the same name, uv cannot install a project that has the name of one of
its requirements, and a folder on Windows cannot have the name of a device. `make install`, then
`.venv/bin/python -B tests/reserved_names.py` after the requirements have changed; a test reports
what is missing. Names are added and never removed, because other systems and other versions of
Python have other modules.
"""

import builtins
import json
import keyword
import re
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
PROGRAM = TEMPLATE / "{{cookiecutter.project_slug}}"
QUESTIONS = TEMPLATE / "cookiecutter.json"
LOCK = TEMPLATE / "uv.lock"


def names_of_python() -> set[str]:
    """Return the modules that Python has or looks for, the keywords and the builtins."""
    unlisted = {"sitecustomize", "test", "usercustomize"}
    words = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}
    return words | unlisted | sys.stdlib_module_names


def names_of_libraries() -> set[str]:
    """Return the modules and distributions of this environment, and what other systems install."""
    locked = tomllib.loads(LOCK.read_text(encoding="utf-8"))["package"] if LOCK.exists() else []
    names = {
        *packages_distributions(),
        *(distribution.name for distribution in distributions()),
        *(package["name"] for package in locked),
    }
    return {re.sub(r"[-.]", "_", name).lower() for name in names} - {"template"}  # this one


def names_of_the_project() -> set[str]:
    """Return the folders of a project, and the modules that its tests import."""
    use_cases = json.loads(QUESTIONS.read_text(encoding="utf-8"))["_use_cases"]
    folders = {path.name for path in PROGRAM.iterdir() if path.is_dir()}
    tests = {path.stem for path in (PROGRAM / "tests").iterdir() if "test_" not in path.name}
    return {"project_package", *folders, *tests} - {*use_cases}


def names_of_windows() -> set[str]:
    """Return the names that no folder on Windows can have."""
    numbered = {f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10)}
    return {"aux", "con", "nul", "prn", *numbered}


def reserved_names() -> set[str]:
    """Return every name that could be the name of a package and is in use."""
    names = names_of_python() | names_of_libraries() | names_of_the_project() | names_of_windows()
    return {name for name in names if re.fullmatch(r"[a-z][a-z0-9_]+", name)}


def main() -> None:
    """Add the names of this environment to `_reserved` in cookiecutter.json."""
    text = QUESTIONS.read_text(encoding="utf-8")
    names = sorted({*json.loads(text)["_reserved"].split(), *reserved_names()})
    line = re.compile(r'"_reserved": "[^"]*"')
    QUESTIONS.write_text(line.sub(f'"_reserved": "{" ".join(names)}"', text), encoding="utf-8")


if __name__ == "__main__":
    main()
