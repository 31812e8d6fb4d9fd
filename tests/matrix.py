"""The answers that projects are tested with: every pair of choices, and a full run per use case.

`.venv/bin/python -B tests/matrix.py` writes docs/matrix.md, which lists them.
"""

from allpairspy import AllPairs
from conftest import ANSWERS, TEMPLATE

PAGE = TEMPLATE / "docs" / "matrix.md"
CHOICES: dict[str, list[str]] = {
    name: choices
    for name, choices in ANSWERS.items()
    if isinstance(choices, list) and not name.startswith("_")
}
"""The choices of each question that has some."""
PAIRS: list[dict[str, str]] = [
    dict(zip(CHOICES, row, strict=True)) for row in AllPairs([*CHOICES.values()])
]
"""Answers among which each two choices of different questions are together at least once."""
RUNS: dict[str, dict[str, str]] = {
    "tabular": {},
    "fraud": {"kubernetes": "yes", "cloud": "aws", "license": "Apache-2.0"},
    "demand": {"airflow": "yes", "cloud": "azure", "license": "BSD-3-Clause"},
    "segments": {
        "kubernetes": "yes",
        "airflow": "yes",
        "cloud": "gcp",
        "license": "Proprietary",
    },
    "inspection": {"kubernetes": "yes", "cloud": "azure"},
    "sessions": {"airflow": "yes", "cloud": "aws"},
    "contracts": {"kubernetes": "yes", "cloud": "gcp"},
    "support": {"airflow": "yes", "license": "Apache-2.0"},
}
"""Answers of the projects that are installed, trained and served; the others are the defaults."""


def table(rows: list[dict[str, str]]) -> str:
    """Return answers as a table in Markdown."""
    names = [name for name in CHOICES if any(name in row for row in rows)]
    lines = [names, ["---"] * len(names)]
    lines += [[row.get(name, CHOICES[name][0]) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page() -> str:
    """Return the page that lists the answers."""
    runs = table([{"use_case": name, **answers} for name, answers in RUNS.items()])
    return f"""# Tested answers

Each push tests these projects. The first eight are chosen, one for each use case; the others are
computed from `cookiecutter.json`, by `tests/matrix.py`.

## Installed, trained and served

On the Python that runs the tests, with the commands of their documents:

{runs}

## Every pair of choices

In these {len(PAIRS)} projects, each two choices of different questions are together at least once.
Each project is generated and searched for what does not belong there, its YAML, TOML and JSON is
read, it passes `make check`, and its requirements are resolved for its Python:

{table(PAIRS)}
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
