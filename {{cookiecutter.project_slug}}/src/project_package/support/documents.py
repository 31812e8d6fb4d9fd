"""Read documents: the FAQ, or the Markdown, HTML, PDF and text files of a folder.

A section is a part of a document under one heading, or a page of a PDF.
"""

import logging
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from unicodedata import normalize

from ..errors import UserError
from .index import Passage
from .params import FAQ, Data

SUFFIXES = (".md", ".html", ".htm", ".pdf", ".txt")
BLOCKS = "address article aside blockquote dd div dl dt li main ol p pre section table td th ul"
HIDDEN = ("script", "style", "nav", "footer", "template")
HEADING = re.compile(r"(#{1,6})\s+(.*)")
log = logging.getLogger(__name__)


def read_documents(data: Data, source: str) -> list[Passage]:
    """Return the sections of a source; raise UserError if there is none of this name."""
    if source == FAQ:
        return [section for language in data.languages for section in read_faq(language)]
    return read_folder(Path(source))


def read_faq(language: str) -> Iterator[Passage]:
    """Yield the entries of the FAQ of the package zaragoza-construction-faq (CC BY 4.0)."""
    for entry in import_module("zaragoza_construction_faq").load(lang=language):
        yield Passage(
            document=f"{language}/{entry['id']}",
            title=entry["q"],
            page=0,
            link=", ".join(entry["sources"]),
            language=language,
            topic=entry["category"],
            text=entry["a"],
        )


def read_folder(folder: Path) -> list[Passage]:
    """Return the sections of a folder's files; log what is left out, and why.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"data.sources: there is no folder {folder}.")
    sections: list[Passage] = []
    for path in sorted(filter(Path.is_file, folder.rglob("*"))):
        name = path.relative_to(folder)
        if name.suffix == ".csv" or any(part.startswith((".", "~$")) for part in name.parts):
            continue  # tables of questions, hidden files, Word's locks
        document = normalize("NFC", name.as_posix())  # macOS may store decomposed letters
        topic = document.split("/")[0] if "/" in document else ""
        try:
            found = read_file(path)
        except Exception as error:  # noqa: BLE001  parsers raise any on a damaged file
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            log.warning("%s is left out: %s", name, reason)
            continue
        for title, page, text in found:
            sections.append(Passage(document, title, page, "", "", topic, text))
    return sections


def read_file(path: Path) -> list[tuple[str, int, str]]:
    """Return title, page and text of each section of a file.

    Raises:
        ValueError: it is of another kind, or has no text.
        Exception: it is damaged.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"it is none of {', '.join(SUFFIXES)}")
    if suffix == ".pdf":
        sections = [(path.stem, page, text) for page, text in enumerate(pdf_pages(path), 1)]
    else:
        text = read_text(path)
        markdown = html_to_markdown(text) if suffix in {".html", ".htm"} else text
        sections = [(title or path.stem, 0, part) for title, part in split_at_headings(markdown)]
    clean = [(normalize("NFC", t), page, normalize("NFC", text)) for t, page, text in sections]
    if not (found := [section for section in clean if section[2].strip()]):
        raise ValueError("it has no text")
    return found


def read_text(path: Path) -> str:
    """Return the text of a file; raise ValueError if it is none."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in UTF-8") from error


def pdf_pages(path: Path) -> list[str]:
    """Return the text of each page of a PDF."""
    from pypdf import PdfReader  # noqa: PLC0415  other formats need none of it

    pages = [page.extract_text() for page in PdfReader(path).pages]
    return [page.encode("utf-8", "replace").decode() for page in pages]  # no lone surrogates


def html_to_markdown(text: str) -> str:
    """Return the text of a page, with an empty line between blocks and # before headings."""
    from bs4 import BeautifulSoup  # noqa: PLC0415  other formats need none of it

    page = BeautifulSoup(text, "html.parser")
    for tag in page(HIDDEN):
        tag.decompose()
    for block in page(BLOCKS.split()):
        block.insert_before("\n\n")
        block.insert_after("\n\n")
    for level in range(1, 7):
        for heading in page(f"h{level}"):
            title = " ".join(heading.get_text().split())
            heading.replace_with(f"\n\n{'#' * level} {title}\n\n")
    body = page.body or page
    blocks = (" ".join(block.split()) for block in re.split(r"\n\s*\n", body.get_text()))
    return "\n\n".join(filter(None, blocks))


def split_at_headings(text: str) -> list[tuple[str, str]]:
    """Return title and text of each section of Markdown; a title has those above it before it.

    LlamaIndex finds headings, which it tells from comments in code.
    """
    from llama_index.core.node_parser import MarkdownNodeParser  # noqa: PLC0415  it takes 3 seconds
    from llama_index.core.schema import Document  # noqa: PLC0415

    parser = MarkdownNodeParser(header_path_separator="\n")
    sections = []
    for node in parser.get_nodes_from_documents([Document(text=text)]):
        first, _, rest = node.get_content().partition("\n")
        heading = HEADING.match(first)
        above = [part for part in node.metadata["header_path"].split("\n") if part]
        titles = [*above, heading[2].strip("# ")] if heading else above
        sections.append((": ".join(titles), (rest if heading else node.get_content()).strip()))
    return sections
