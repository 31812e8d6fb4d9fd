"""Extract the text of a file in a process of its own: `python -m ...extract_text`.

It reads the file from standard input, and writes a JSON list with the text of each page.
"""

import io
import json
import sys
import zipfile
from collections.abc import Iterator

MAX_PAGES = 500
MAX_UNPACKED = 50_000_000  # bytes of a DOCX file, which is a ZIP archive
MAX_MEMORY = 1_000_000_000  # bytes, where the system can limit it


def extract(content: bytes) -> list[str]:
    """Return the text of each page; one page for DOCX, Markdown and text.

    Raises:
        ValueError: the file is none of these, or too large.
    """
    if content.startswith(b"%PDF-"):
        return pdf(content)
    if content.startswith(b"PK\3\4"):
        return ["\n".join(docx(content))]
    try:
        return [content.decode("utf-8-sig").replace("\r\n", "\n")]
    except UnicodeDecodeError:
        raise ValueError("is no PDF, DOCX, Markdown or text in UTF-8") from None


def pdf(content: bytes) -> list[str]:
    """Return the text of each page of a PDF."""
    from pypdf import PdfReader  # noqa: PLC0415  text needs none of it

    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted:
        raise ValueError("is encrypted")
    if len(reader.pages) > MAX_PAGES:
        raise ValueError(f"has more than {MAX_PAGES} pages")
    pages = [page.extract_text() for page in reader.pages]
    if not any(page.strip() for page in pages):
        raise ValueError("has no text: it may be a scan")
    return pages


def docx(content: bytes) -> Iterator[str]:
    """Yield the paragraphs of a DOCX file, each after an empty line, and # before headings."""
    from docx import Document  # noqa: PLC0415  text needs none of it

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(item.file_size for item in archive.infolist()) > MAX_UNPACKED:
            raise ValueError(f"has more than {MAX_UNPACKED // 1_000_000} MB when it is unpacked")
    for paragraph in Document(io.BytesIO(content)).paragraphs:
        is_heading = (
            (paragraph.style.name or "").startswith("Heading") if paragraph.style else False
        )
        yield f"\n{'# ' if is_heading else ''}{paragraph.text}"


def limit_memory() -> None:
    """Limit the memory of this process, where the system can."""
    try:
        import resource  # noqa: PLC0415  Windows has none
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def main() -> None:
    """Extract standard input; a file that cannot be read is an error of exit code 1."""
    limit_memory()
    try:
        pages = extract(sys.stdin.buffer.read())
    except ValueError as error:
        sys.exit(str(error))
    except Exception:  # noqa: BLE001  parsers raise anything on a damaged file
        sys.exit("is damaged, or needs too much memory")
    json.dump(pages, sys.stdout)


if __name__ == "__main__":
    main()
