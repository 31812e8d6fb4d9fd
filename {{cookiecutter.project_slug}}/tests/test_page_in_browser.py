"""The page in a browser: the form, the answer and errors, for every use case."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect
from servers import Server

pytestmark = pytest.mark.system
ASK = "#request > button"


@pytest.fixture
def server(started: Callable[..., Server]) -> Server:
    return started()


def open_form(page: Page, server: Server) -> None:
    """Open the page, and give it the key that it asks for."""
    page.goto(server.url)
    page.get_by_label("Key", exact=True).fill(server.token)
    page.get_by_role("button", name="Use it").click()
    page.locator(ASK).wait_for()


def test_example_is_answered_with_its_reasons(page: Page, server: Server) -> None:
    with httpx2.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
        overview = client.get("/v1/overview").json()
        instance: dict[str, Any] = overview["example"]
        instance |= {"explain": True} if "explain" in instance else {}
        answers = client.post("/v1/predict", json={"instances": [instance]}).json()
    open_form(page, server)
    assert page.title() == overview["summary"]["title"]
    page.locator(ASK).click()
    page.locator("#answer .facts").wait_for()
    (answer,) = answers["predictions"]
    shown = page.locator("#answer").inner_text().casefold()
    for name, value in answer.items():
        if value not in (None, [], {}):
            assert name.replace("_", " ") in shown
        if isinstance(value, str):
            assert value.casefold() in shown
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#curl summary").click()
    command = page.locator("#curl code").inner_text()
    assert command.endswith("/v1/predict")
    assert ("@image.png" in command) == page.locator("#request .drop").is_visible()
    assert server.token not in command


def test_refused_field_is_marked_and_focused(page: Page, server: Server, tmp_path: Path) -> None:
    open_form(page, server)
    field = page.locator("#request [required]").first
    if field.get_attribute("type") == "file":
        (tmp_path / "image.png").write_text("no image")
        field.set_input_files(tmp_path / "image.png")
        page.wait_for_function("document.querySelector('.drop img').src.startsWith('data:image')")
    else:
        field.fill("")
    page.locator(ASK).click()
    expect(page.locator("[aria-invalid=true]")).to_have_count(1)
    expect(field).to_be_focused()
    assert page.locator(".error:not(:empty)").count() == 1


def test_form_is_used_by_keyboard_on_a_small_dark_screen(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    page.emulate_media(color_scheme="dark")
    page.goto(server.url)
    page.locator("#token").wait_for()
    expect(page.locator("#token")).to_be_focused()
    page.keyboard.type(server.token)
    page.keyboard.press("Enter")
    page.locator(ASK).wait_for()
    page.locator(ASK).focus()
    page.keyboard.press("Enter")
    page.locator("#answer .facts").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(json.loads(paper.replace("rgb(", "[").replace(")", "]"))) < 150
