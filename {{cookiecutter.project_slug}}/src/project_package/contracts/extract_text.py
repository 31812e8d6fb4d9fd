"""Extract the clauses of a file in a process of its own: `python -m ...extract_text`.

It reads the file from standard input, and writes a JSON list with heading, text and page of each.
"""

import io
import json
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple
from typing import Any

from .clauses import split_clauses

MAX_PAGES = 500
MAX_CLAUSES = 1_000
MAX_UNPACKED = 50_000_000  # bytes of a DOCX file, which is a ZIP archive
OUTSIDE = "[not(ancestor::w:txbxContent)]"  # of text boxes, which may repeat the text
MAX_MEMORY = 350_000_000  # bytes, where the system can limit it; a pod of the server has 512 MB


class UnreadableError(Exception):
    """A file cannot be read, with the reason."""


def extract(content: bytes) -> list[str]:
    """Return the text of each page; one page for DOCX, Markdown and text.

    Raises:
        UnreadableError: the file is none of these, or too large.
    """
    if content.startswith(b"%PDF-"):
        return pdf(content)
    if content.startswith(b"PK\3\4"):
        return ["\n".join(docx(content))]
    try:
        return [content.decode("utf-8-sig").replace("\r\n", "\n")]
    except UnicodeDecodeError:
        raise UnreadableError("is no PDF, DOCX, Markdown or text in UTF-8") from None


def pdf(content: bytes) -> list[str]:
    """Return the text of each page of a PDF."""
    from pypdf import PdfReader  # noqa: PLC0415  text needs none of it
    from pypdf.errors import DependencyError  # noqa: PLC0415

    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("is encrypted")
    except DependencyError:  # of AES, which the server does not decrypt
        raise UnreadableError("is encrypted") from None
    if len(reader.pages) > MAX_PAGES:
        raise UnreadableError(f"has more than {MAX_PAGES} pages")
    texts = [page.extract_text() for page in reader.pages]
    if not any(text.strip() for text in texts):
        raise UnreadableError("has no text: it may be a scan")
    # UTF-8 has no lone surrogates.
    return [text.encode("utf-8", "replace").decode() for text in texts]


def docx(content: bytes) -> Iterator[str]:
    """Yield the paragraphs of a DOCX file, each after an empty line, with # for headings."""
    from docx import Document  # noqa: PLC0415  text needs none of it
    from docx.text.paragraph import Paragraph  # noqa: PLC0415

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(item.file_size for item in archive.infolist()) > MAX_UNPACKED:
            raise UnreadableError(
                f"has more than {MAX_UNPACKED // 1_000_000} MB when it is unpacked"
            )
    document = Document(io.BytesIO(content))
    body: Any = document.element.body
    if body.xpath("//w:ins | //w:del | //w:moveTo"):
        raise UnreadableError("has tracked changes: accept or reject them first")
    for element in body.xpath(f".//w:p{OUTSIDE}"):  # also of tables and content controls
        style = getattr(Paragraph(element, document).style, "name", None) or ""
        if style.lower().startswith("toc "):  # of a table of contents
            continue
        text = "".join(run.text for run in element.xpath(f".//w:r{OUTSIDE}"))
        yield f"\n{'# ' if style.startswith('Heading') else ''}{text}"


def limit_memory() -> None:
    """Limit the memory of this process, where the system can."""
    with suppress(ImportError, OSError, ValueError):  # Windows has no such module, macOS refuses
        import resource  # noqa: PLC0415

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, hard))


def main() -> None:
    """Extract standard input; a file that cannot be read is an error of exit code 1."""
    limit_memory()
    try:
        clauses = split_clauses(extract(sys.stdin.buffer.read()))
        if len(clauses) > MAX_CLAUSES:
            raise UnreadableError(f"has more than {MAX_CLAUSES:,} clauses")
        json.dump([astuple(clause) for clause in clauses], sys.stdout)
    except UnreadableError as error:
        sys.exit(str(error))
    except Exception:  # noqa: BLE001  parsers raise anything on a damaged file
        sys.exit("is damaged, or needs too much memory")


if __name__ == "__main__":
    main()
