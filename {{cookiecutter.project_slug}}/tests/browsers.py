"""A browser for tests of the page."""

from collections.abc import Iterator

import pytest
from machine import require
from playwright.sync_api import Page, sync_playwright

SECONDS = 60


@pytest.fixture
def page() -> Iterator[Page]:
    """Open a page in Chromium; an error of a script fails the test."""
    chromium = require("chromium", "chromium")
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.set_default_timeout(SECONDS * 1000)
        opened.on("pageerror", lambda error: errors.append(str(error)))
        yield opened
        browser.close()
    assert not errors
