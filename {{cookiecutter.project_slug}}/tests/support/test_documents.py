"""Documents of a folder are read; what cannot be read is left out, with the reason."""

import logging
from pathlib import Path

import pytest
from pdf_files import pdf

from project_package.errors import UserError
from project_package.support import documents
from project_package.support.dataset import load_data
from project_package.support.params import Data, SupportParams

HTML = """<html><head><title>x</title><script>alert(1)</script></head><body><nav>Menu</nav>
<h1>Hours</h1><p>We open <b>at nine</b>.</p>Or <div>ring:
<ul><li>Monday</li><li><p>Friday</p></li></ul></div>
<h2>Sunday</h2><p>Closed.</p></body></html>"""


def write(folder: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_reads_sections_of_each_format(tmp_path: Path) -> None:
    markdown = "Before.\n\n# Fees\n\nFree.\n\n```\n# no heading\n```\n\n## More\n\nAsk.\n"
    write(
        tmp_path,
        a__fees_md=markdown,
        hours_html=HTML,
        plain_txt="Only text.",
        old_pdf=pdf("Ask us.", "", "Or come."),
    )
    found = documents.read_folder(tmp_path)
    assert [(s.document, s.title, s.page, s.topic, s.text) for s in found] == [
        ("a/fees.md", "fees", 0, "a", "Before."),
        ("a/fees.md", "Fees", 0, "a", "Free.\n\n```\n# no heading\n```"),
        ("a/fees.md", "Fees: More", 0, "a", "Ask."),
        ("hours.html", "Hours", 0, "", "We open at nine.\n\nOr\n\nring:\n\nMonday\n\nFriday"),
        ("hours.html", "Hours: Sunday", 0, "", "Closed."),
        ("old.pdf", "old", 1, "", "Ask us."),
        ("old.pdf", "old", 3, "", "Or come."),
        ("plain.txt", "plain", 0, "", "Only text."),
    ]


def test_says_what_is_left_out_and_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, good_md="Text.", empty_md=" \n", bad_txt=b"\xff\xfe\xff", bad_pdf=b"no PDF")
    write(tmp_path, photo_jpg=b"1", _hidden_md="Secret.", questions_csv="question,documents\n")
    with caplog.at_level(logging.WARNING):
        assert [section.document for section in documents.read_folder(tmp_path)] == ["good.md"]
    ours = [message for message in caplog.messages if "is left out" in message]  # not of pypdf
    left_out = {message.split(" is left out: ")[0] for message in ours}
    assert left_out == {"empty.md", "bad.txt", "bad.pdf", "photo.jpg"}
    assert "empty.md is left out: it has no text" in ours
    assert "bad.txt is left out: it is no text in UTF-8" in ours


def test_folder_without_documents_is_an_error(tmp_path: Path) -> None:
    params = SupportParams.model_validate({"name": "x", "data": {"sources": [str(tmp_path)]}})
    with pytest.raises(UserError, match=r"has no questions\.csv, and no document"):
        load_data(params, tmp_path, lambda _: None)
    (tmp_path / "questions.csv").write_text("question,documents\nWhat is it?,\n")
    with pytest.raises(UserError, match=r"data\.sources: none of them has a document"):
        load_data(params, tmp_path, lambda _: None)
    with pytest.raises(UserError, match="there is no folder"):
        documents.read_folder(tmp_path / "other")


def test_page_becomes_headings_and_blocks() -> None:
    assert documents.html_to_markdown("<h2>A</h2><table><tr><td>b</td><td>c</td></tr></table>") == (
        "## A\n\nb\n\nc"
    )


@pytest.mark.parametrize(("languages", "count"), [(("en",), 503), (("en", "sv"), 1006)])
def test_faq_has_an_entry_for_each_language(languages: tuple[str, ...], count: int) -> None:
    data = Data.model_validate({"languages": languages})
    sections = documents.read_documents(data, "faq")
    assert len({section.document for section in sections}) == len(sections) == count
    assert {section.language for section in sections} == {*languages}
    assert all(section.title and section.text and section.topic for section in sections)
