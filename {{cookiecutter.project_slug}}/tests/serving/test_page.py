"""The page for people: what it reads, and who may read it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from multiplying import Published

from project_package.api_keys import add_key
from project_package.bundle import Files, digest
from project_package.model_store import CHAMPION, EVIDENCE
from project_package.summaries import NEWS, PAGE, SUMMARY, News, Summary

SUMMARY_OF_TEST = Summary(
    title="Products",
    question="What is the product?",
    use="Whoever multiplies.",
    headline="The model is clearly better.",
    findings=("It is right.",),
    measure="Accuracy: the share of right answers. Higher is better.",
    scores={"Model": 1.0, "Simple baseline": 0.5, "No model": 0.1},
)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def documented(times: Published) -> Published:
    """Publish version 1 with evidence, and what monitoring found."""
    summary = SUMMARY_OF_TEST.model_dump_json().encode()
    evidence: Files = {"card.md": b"# Card", "report.html": b"<p>Report", SUMMARY: summary}
    times.store.publish(1, EVIDENCE, evidence)
    pointer = times.store.pointer(CHAMPION)
    assert pointer
    changes = {"evidence": digest(evidence), "since": NOW}
    times.store.set_alias(CHAMPION, pointer.model_copy(update=changes))
    news = News(version="1", until=NOW, sentences=("All is well.",), alarms=())
    times.store.write_file(NEWS, news.model_dump_json().encode())
    times.store.write_file(PAGE.format(name="monitor.html"), b"<p>Monitor")
    return times


def overview(client: TestClient) -> Any:
    answer = client.get("/v1/overview")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_overview_describes_the_model_for_people(documented: Published) -> None:
    with TestClient(documented.app()) as client:
        found = overview(client)
    assert found["summary"] == SUMMARY_OF_TEST.model_dump(mode="json")
    assert found["news"]["sentences"] == ["All is well."]
    assert (found["model_version"], found["since"]) == ("1", "2026-01-02T00:00:00Z")
    assert found["documents"] == ["report.html", "card.md", "monitor.html"]
    assert found["example"] == {"x": 2.0}
    assert found["recent"] is None  # the prediction log is off


def test_model_without_evidence_has_an_overview_too(client: TestClient) -> None:
    found = overview(client)
    assert (found["summary"], found["news"], found["documents"]) == (None, None, ["card.md"])


@pytest.mark.parametrize("name", ["report.html", "monitor.html"])
def test_documents_are_pages_that_load_nothing(documented: Published, name: str) -> None:
    with TestClient(documented.app()) as client:
        answer = client.get(f"/v1/documents/{name}")
    assert answer.text.casefold() == f"<p>{name.partition('.')[0]}"
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_missing_and_unknown_documents_are_refused(client: TestClient) -> None:
    assert client.get("/v1/documents/monitor.html").status_code == 404
    assert client.get("/v1/documents/evaluation.json").status_code == 422


def test_page_needs_no_key_but_what_it_reads_does(documented: Published, tmp_path: Path) -> None:
    token = add_key(tmp_path / "keys.json", "reader", ["predict"])
    with TestClient(documented.app(serve_keys="keys.json")) as client:
        home = client.get("/")
        assert home.status_code == 200
        assert "Products" not in home.text
        for path in ("/v1/overview", "/v1/documents/report.html"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers={"x-api-key": token}).status_code == 200


def test_page_runs_only_scripts_of_its_own_files(client: TestClient) -> None:
    home = client.get("/")
    policy = home.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    for name in ("page.js", "form.js", "answer.js", "dom.js", "style.css"):
        assert client.get(f"/static/{name}").status_code == 200
    assert "onclick" not in home.text
    assert "style=" not in home.text


def test_news_are_left_out_while_the_store_is_gone(documented: Published) -> None:
    with TestClient(documented.app()) as client:
        (documented.root / "store/pages").rename(documented.root / "store/other")
        (documented.root / "store/pages").write_text("no folder")
        assert overview(client)["news"] is None


def test_evidence_that_other_code_wrote_is_left_out(documented: Published) -> None:
    documented.store.write_file(NEWS, b'{"version": "1", "other": 1}')
    with TestClient(documented.app()) as client:
        found = overview(client)
    assert found["news"] is None
    assert found["summary"]
