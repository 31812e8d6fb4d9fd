"""Files of each format become clauses; what cannot be read is refused with a reason."""

import io
import zipfile

import pytest
from contracts.files import docx
from docx import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import OxmlElement
from pdf_files import pdf
from pypdf import PdfWriter
from pypdf.errors import DependencyError

from project_package.contracts.documents import read_document
from project_package.contracts.extract_text import UnreadableError, extract

BOMB = 60_000_000  # bytes


def encrypted() -> bytes:
    writer = PdfWriter(io.BytesIO(pdf("1. Notices. By mail.")))
    writer.encrypt("secret", algorithm="RC4-40")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def tracked() -> bytes:
    document = Document(io.BytesIO(docx(("Normal", "1. Notices. By mail."))))
    document.element.body.append(OxmlElement("w:ins"))
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def bomb() -> bytes:
    file = io.BytesIO(docx())
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/image.bin", bytes(BOMB))
    return file.getvalue()


def test_pdf_has_pages() -> None:
    found = read_document(pdf("1. Notices. By mail.", "2. Governing Law. Of France."))
    assert [(clause.heading, clause.text, clause.page) for clause in found] == [
        ("Notices", "By mail.", 1),
        ("Governing Law", "Of France.", 2),
    ]


def test_headings_of_docx_are_headings() -> None:
    found = read_document(
        docx(("Heading 1", "Notices"), ("Normal", "By mail."), ("Normal", "Or not."))
    )
    assert [(clause.heading, clause.text) for clause in found] == [("Notices", "By mail. Or not.")]


def test_table_of_contents_is_not_read() -> None:
    document = Document(io.BytesIO(docx(("Normal", "Notices 9"), ("Heading 1", "Notices"))))
    document.styles.add_style("toc 1", WD_STYLE_TYPE.PARAGRAPH)
    document.paragraphs[0].style = "toc 1"
    document.add_paragraph("By mail.")
    file = io.BytesIO()
    document.save(file)
    (clause,) = read_document(file.getvalue())
    assert (clause.heading, clause.text) == ("Notices", "By mail.")


def test_cells_of_tables_are_read() -> None:
    document = Document(io.BytesIO(docx(("Heading 1", "Prices"))))
    table = document.add_table(1, 2)
    table.cell(0, 0).text = "Licence"
    table.cell(0, 1).text = "100 euros"
    file = io.BytesIO()
    document.save(file)
    (clause,) = read_document(file.getvalue())
    assert (clause.heading, clause.text) == ("Prices", "Licence 100 euros")


def test_text_in_nested_parts_of_docx_is_read_once() -> None:
    document = Document(io.BytesIO(docx(("Heading 1", "Prices"))))
    table = document.add_table(1, 3)
    wide = table.cell(0, 0).merge(table.cell(0, 2))
    wide.text = "Licence"
    wide.add_table(1, 1).cell(0, 0).text = "100 euros"
    control, content = OxmlElement("w:sdt"), OxmlElement("w:sdtContent")
    document.add_paragraph("a year")
    content.append(document.element.body.p_lst[-1])
    control.append(content)
    document.element.body.append(control)
    file = io.BytesIO()
    document.save(file)
    (clause,) = read_document(file.getvalue())
    assert clause.text == "Licence 100 euros a year"


def test_text_in_utf_8_is_read() -> None:
    found = read_document("\ufeff1. Notices\r\nPar courrier \u00e9lectronique.".encode())
    assert [(clause.heading, clause.text) for clause in found] == [
        ("Notices", "Par courrier \u00e9lectronique.")
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00", "is no PDF, DOCX, Markdown or text in UTF-8"),
        (b" \n ", "has no text"),
        (b"%PDF-1.4 nothing else", "is damaged"),
        (pdf("", ""), "has no text: it may be a scan"),
        (encrypted(), "is encrypted"),
        (b"PK\3\4 nothing else", "is damaged"),
        (tracked(), "has tracked changes"),
        (bomb(), "has more than 50 MB when it is unpacked"),
        (b"1. Notices. By mail.\n" * 1_001, "has more than 1,000 clauses"),
    ],
    ids=["binary", "empty", "pdf", "scan", "encrypted", "docx", "tracked", "bomb", "clauses"],
)
def test_refuses_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        read_document(content)


def test_encryption_that_no_library_reads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise DependencyError("cryptography is required")

    monkeypatch.setattr("pypdf.PdfReader", fail)
    with pytest.raises(UnreadableError, match="is encrypted"):
        extract(b"%PDF-")


def test_refuses_what_takes_too_long() -> None:
    with pytest.raises(ValueError, match=r"takes more than 0\.001 seconds"):
        read_document(b"1. Notices. By mail.", 0.001)


@pytest.mark.parametrize("line", ["1" + ":" * 200_000, "1." + " " * 200_000 + "x", "# " * 90_000])
def test_long_lines_take_no_longer(line: str) -> None:
    assert len(read_document(f"{line}\n1. Notices. By mail.\n".encode())) >= 1
