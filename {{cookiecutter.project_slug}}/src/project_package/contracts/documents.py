"""Read documents into clauses: PDF, DOCX, Markdown and text."""

import json
import subprocess
import sys

from .clauses import Clause

SECONDS = 20  # to read a file
SUFFIXES = (".pdf", ".docx", ".md", ".txt")
MEDIA_TYPES = (
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "text/plain",
)


def read_document(content: bytes, seconds: float = SECONDS) -> list[Clause]:
    """Return the clauses of a file, which is read within some seconds.

    Another process reads it, with limits of time and memory: a file may be made to exhaust them.

    Raises:
        ValueError: it cannot be read, has no text, or is too large.
    """
    command = (sys.executable, "-P", "-m", f"{__package__}.extract_text")
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"takes more than {seconds} seconds to read") from None
    if done.returncode != 0:
        reasons = done.stderr.decode(errors="replace").splitlines()
        raise ValueError(reasons[-1] if done.returncode == 1 and reasons else "cannot be read")
    clauses = [Clause(*values) for values in json.loads(done.stdout)]
    if not clauses:
        raise ValueError("has no text")
    return clauses
