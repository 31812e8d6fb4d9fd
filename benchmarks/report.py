"""What the reports share: on what they were measured, tables, and the Markdown file itself."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def measured_on(libraries: Sequence[str], again: str) -> str:
    """Describe on what machine, with which versions and when, and the command to run it again."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = platform.python_version().rpartition(".")[0]
    versions = ", ".join(f"{name} {version(name)}" for name in libraries)
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Python {python}, {versions}. To run it again: `{again}`."
    )


def spread(values: Sequence[float] | NDArray[Any]) -> str:
    """Return mean and standard deviation."""
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the columns after the first stand to the right."""
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(path: Path, parts: Iterable[str]) -> None:
    """Write paragraphs and tables with a blank line between them."""
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
