"""The page for people: which model answers, how good it is, and a form to ask it.

GET / and the files in the folder `static` need no key, and say nothing about the model. Their
script reads GET /v1/overview and the documents, which need a key with the scope `predict`.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from fastapi import FastAPI, HTTPException, Response, Security
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field, ValidationError

from ..errors import Unavailable
from ..model_store import Store
from ..prediction_log import PredictionLog
from ..reference import REFERENCE, Reference
from ..summaries import NEWS, PAGE, PAGES, SUMMARY, News, Summary
from .auth import require
from .model_loader import CARD, ModelLoader
from .recent_answers import RecentAnswers, read_recent
from .routes import Ready, protected

T = TypeVar("T", bound=BaseModel)
REPORT = "report.html"
FOLDER = Path(str(resources.files(__package__) / "static"))
REFRESH_SECONDS = 5.0
"""How old recent answers and news of the page may be."""
STRICT = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE_POLICY = f"default-src 'self'; img-src 'self' data:; object-src 'none'; {STRICT}"
DOCUMENT_POLICY = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; {STRICT}"
"""The content security policies of the page, and of reports, whose styles are in the text."""


class Overview(BaseModel):
    """What the page shows."""

    name: str
    model_version: str
    trained: str
    since: datetime | None = Field(description="when this version was promoted")
    degraded: list[str] = Field(description="the parts that cannot be used")
    summary: Summary | None = Field(description="None for a version without an evaluation")
    news: News | None = Field(description="what `ml monitor` found last")
    recent: RecentAnswers | None = Field(description="null without a log that can be read")
    documents: list[str]
    example: dict[str, Any] | None = Field(description="a request")


@dataclass
class Page:
    """Reads what the page shows, the log and the store at most every few seconds."""

    champion: ModelLoader
    store: Store
    log: PredictionLog | None
    ready: Callable[[], Ready]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _read_at: float = -REFRESH_SECONDS
    _recent: RecentAnswers | None = None
    _news: News | None = None
    _pages: list[str] = field(default_factory=list)

    def overview(self) -> Overview:
        """Return what the page shows now."""
        served = self.champion.current()
        evidence = served.evidence
        manifest = served.bundle.manifest
        with self._lock:
            if time.monotonic() - self._read_at >= REFRESH_SECONDS:
                reference = read(Reference, served.bundle.files.get(REFERENCE))
                self._recent = read_recent(self.log, reference) if self.log else None
                self._read_store()
                self._read_at = time.monotonic()
        documents = [name for name in (REPORT, CARD) if name in evidence]
        documents += self._pages
        return Overview(
            name=manifest.name,
            model_version=served.version,
            trained=manifest.created,
            since=served.since,
            degraded=self.ready().degraded,
            summary=read(Summary, evidence.get(SUMMARY)),
            news=self._news,
            recent=self._recent,
            documents=documents,
            example=served.examples[0]["request"] if served.examples else None,
        )

    def document(self, name: str) -> bytes:
        """Return a document; raise HTTPException with 404 when there is none."""
        if name in PAGES:
            content = self.store.read_file(PAGE.format(name=name))
        else:
            content = self.champion.current().evidence.get(name)
        if content is None:
            raise HTTPException(404, f"There is no {name} yet.")
        return content

    def _read_store(self) -> None:
        """Read the news, and which pages there are; of a store that cannot be reached, nothing."""
        self._news = None
        self._pages = []
        with suppress(Unavailable):
            self._news = read(News, self.store.read_file(NEWS))
            self._pages = [name for name in PAGES if self.store.has_file(PAGE.format(name=name))]


def read(kind: type[T], content: bytes | None) -> T | None:
    """Read JSON; None if there is none, or if other code wrote it."""
    try:
        return kind.model_validate_json(content) if content else None
    except ValidationError:
        return None


def add_page(app: FastAPI, page: Page) -> None:
    """Add the page, and the routes that its script reads."""
    home = (FOLDER / "index.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(home, headers={"Content-Security-Policy": PAGE_POLICY})

    app.mount("/static", StaticFiles(directory=FOLDER), "static")

    @app.get("/v1/overview", summary="Describe the model for people", **protected("predict"))
    def overview() -> Overview:
        """Return what the page shows: the model, its test, recent answers, and a request."""
        return page.overview()

    # /docs leaves out what is for browsers.
    admitted = [Security(require("predict"))]

    @app.get("/v1/documents/{name}", include_in_schema=False, dependencies=admitted)
    def document(
        name: Literal["report.html", "card.md", "monitor.html", "checklist.html"],
    ) -> Response:
        """Return the report or model card of the champion, or what monitor and checklist found."""
        media_type = "text/html" if name.endswith(".html") else "text/plain"
        headers = {"Content-Security-Policy": DOCUMENT_POLICY}
        return Response(page.document(name), media_type=media_type, headers=headers)
