"""Read the clauses of licence texts, with the types that their headings name.

The method is that of LEDGAR (Tuggener et al. 2020): the heading is the label, and the model reads
the clause without it. The texts are those of ScanCode LicenseDB, in the package licensedcode-data.
"""

import re
from collections.abc import Iterator
from importlib.resources import files

import polars as pl

from .clause_types import type_of
from .clauses import split_clauses

FRONT_MATTER = re.compile(r"^---\s*$", re.MULTILINE)


def read_licences() -> pl.DataFrame:
    """Return document, owner, clause (from 1), page, heading, text and type.

    Texts in other languages than English are left out.
    """
    return pl.DataFrame(list(rows()))


def rows() -> Iterator[dict[str, object]]:
    """Yield the clauses whose headings name a type."""
    folder = files("licensedcode") / "data" / "licenses"
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if not path.name.endswith(".LICENSE"):
            continue
        _, head, *body = FRONT_MATTER.split(path.read_text(encoding="utf-8"), maxsplit=2)
        about = dict(line.partition(": ")[::2] for line in head.splitlines())
        if about.get("language", "en") != "en":
            continue
        document = path.name.removesuffix(".LICENSE")
        for number, clause in enumerate(split_clauses(["".join(body)]), 1):
            if kind := type_of(clause.heading):
                yield {
                    "document": document,
                    "owner": about.get("owner", document),
                    "clause": number,
                    "page": clause.page,
                    "heading": clause.heading,
                    "text": clause.text,
                    "type": kind,
                }
