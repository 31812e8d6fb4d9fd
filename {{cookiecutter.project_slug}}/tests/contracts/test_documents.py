"""Files of each format become clauses; what cannot be read is refused with a reason."""

import io
import zipfile

import pytest
from docx import Document
from pypdf import PdfWriter

from project_package.contracts import documents
from project_package.contracts.documents import read_document

BOMB = 60_000_000  # bytes


def docx(*paragraphs: tuple[str, str]) -> bytes:
    document = Document()
    for style, text in paragraphs:
        document.add_paragraph(text, style)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def pdf(*pages: str) -> bytes:
    """Return a PDF with a line of text on each page."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", ""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET" if text else ""
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}\nendstream")
        font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {len(objects)} 0 R"
            f"/Resources<</Font<</F1 {font}>>>>>>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    body = "%PDF-1.4\n"
    starts = []
    for number, content in enumerate(objects, 1):
        starts.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{start:010} 00000 n \n" for start in starts)
    end = f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF"
    return f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode()


def encrypted() -> bytes:
    writer = PdfWriter(io.BytesIO(pdf("1. Notices. By mail.")))
    writer.encrypt("secret", algorithm="RC4-40")
    file = io.BytesIO()
    writer.write(file)
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
        (bomb(), "has more than 50 MB when it is unpacked"),
        (b"1. Notices. By mail.\n" * 1_001, "has more than 1,000 clauses"),
    ],
    ids=["binary", "empty", "pdf", "scan", "encrypted", "docx", "bomb", "clauses"],
)
def test_refuses_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        read_document(content)


def test_refuses_what_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "SECONDS", 0.001)
    with pytest.raises(ValueError, match=r"takes more than 0\.001 seconds"):
        read_document(b"1. Notices. By mail.")
