"""Refuse a folder with files in it and answers that would make a broken project.

It runs in the project's folder before anything is written there. Each error is one sentence: what
is wrong, with which value, and what to do.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ANSWERS: dict[str, Any] = json.loads(r"""{{ cookiecutter | tojson }}""")
LONGEST_SLUG = 32  # with longer ones, names in a cluster or a cloud would exceed their limits
LONGEST_PACKAGE = 32  # with longer names, lines of the code would exceed 100 columns
RESERVED = set(ANSWERS["_reserved"].split())
IN_USE = "is a name that Python, a library, Windows or the project itself uses; choose another."
EMPTY_REPOSITORY = re.compile(r"\.git|\.gitignore|(README|LICENSE)(\.(md|rst|txt))?")


def wrong_folder(folder: Path) -> Iterator[str]:
    """Yield an error if the folder holds more than a hosting site puts into a new repository.

    Hooks are not informed of `cookiecutter -f`, which would overwrite the files of a project.
    """
    names = sorted(path.name for path in folder.iterdir())
    if others := [name for name in names if not EMPTY_REPOSITORY.fullmatch(name)]:
        yield (
            f"The folder {folder.resolve().name!r} already has files, such as {others[-1]!r}; "
            "generate into a new folder, or update a project with `cruft update`."
        )


def wrong_texts(answers: dict[str, str]) -> Iterator[str]:
    """Yield an error for each text that is missing or would break pyproject.toml."""
    for name in ("project_name", "description", "author"):
        text = answers[name]
        if not text.strip():
            yield f"{name} is empty; write at least one word."
        elif '"' in text or "\\" in text or not text.isprintable():
            yield (
                f"{name} {text!r} has a quote, a backslash, a line break or an invisible "
                "character; leave it out."
            )


def wrong_slug(slug: str, is_deployed: bool) -> Iterator[str]:
    """Yield an error if the folder and the distribution cannot have this name."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
        yield (
            f"project_slug {slug!r} is not made of a-z, 0-9 and single hyphens; "
            "write it like 'card-fraud'."
        )
    elif slug.replace("-", "_") in RESERVED:
        yield f"project_slug {slug!r} {IN_USE}"
    elif is_deployed and (len(slug) > LONGEST_SLUG or slug[0].isdigit()):
        yield (
            f"project_slug {slug!r} cannot be a name in a cluster or a cloud; "
            f"begin with a letter, and use {LONGEST_SLUG} characters or fewer."
        )


def wrong_package(package: str, use_cases_left_out: set[str]) -> Iterator[str]:
    """Yield an error if the package cannot have this name."""
    if not re.fullmatch(r"[a-z][a-z0-9_]+", package):
        yield (
            f"package_name {package!r} is not two or more of a-z, 0-9 and underscores after "
            "a letter; write it like 'card_fraud'."
        )
    elif len(package) > LONGEST_PACKAGE:
        yield (
            f"package_name {package!r} has {len(package)} characters; "
            f"shorten it to {LONGEST_PACKAGE} or fewer."
        )
    elif package in RESERVED | use_cases_left_out:
        yield f"package_name {package!r} {IN_USE}"


if __name__ == "__main__":
    is_deployed = ANSWERS["kubernetes"] == "yes" or ANSWERS["cloud"] != "none"
    errors = [
        *wrong_folder(Path()),
        *wrong_texts(ANSWERS),
        *wrong_slug(ANSWERS["project_slug"], is_deployed),
        *wrong_package(ANSWERS["package_name"], {*ANSWERS["_use_cases"]} - {ANSWERS["use_case"]}),
    ]
    if errors:
        sys.exit("\n".join(errors))
