"""Documents for the tests."""

import io

from docx import Document


def docx(*paragraphs: tuple[str, str]) -> bytes:
    """Return a DOCX file with paragraphs, each with its style."""
    document = Document()
    for style, text in paragraphs:
        document.add_paragraph(text, style)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()
