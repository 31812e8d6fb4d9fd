"""The conversation on the page, in a browser: streams, citations, approvals, a label."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from servers import Server

pytestmark = pytest.mark.system
support = pytest.mark.parametrize("use_case", ["support"], indirect=True, scope="session")
QUESTION = "Is a building permit required for a fence or a plank?"


def open_chat(page: Page, server: Server) -> None:
    """Open the page, and give it the key that it asks for."""
    page.goto(server.url)
    page.get_by_label("Key", exact=True).fill(server.token)
    page.get_by_role("button", name="Use it").click()
    page.locator("#chat").wait_for()


def say(page: Page, text: str) -> None:
    """Send a message, and wait for the answer."""
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    page.locator(".said").last.wait_for()


@support
def test_answer_has_passages_that_open(page: Page, started: Callable[..., Server]) -> None:
    server = started()
    open_chat(page, server)
    say(page, QUESTION)
    answer = page.locator(".said").last
    passage = answer.locator("details").first
    expect(passage).to_be_visible()
    assert not passage.locator("p").first.is_visible()
    passage.locator("summary").click()
    quoted = answer.locator(".text").inner_text()
    assert quoted[:40] in passage.inner_text()
    answer.get_by_role("button", name="This did not help").click()
    expect(answer).to_contain_text("stored as a label")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@support
def test_ticket_is_approved_on_a_small_dark_screen(
    page: Page, started: Callable[..., Server]
) -> None:
    server = started()
    page.set_viewport_size({"width": 360, "height": 640})
    page.emulate_media(color_scheme="dark")
    open_chat(page, server)
    page.locator("#chat-user").fill("C-1")
    say(page, "I want a ticket: the stove smokes.")
    page.get_by_role("button", name="Yes, do it").click()
    expect(page.locator(".said").last).to_contain_text("Ticket 1 is open")
    say(page, "Where is A-1002?")
    expect(page.locator(".said").last).to_contain_text("wood stove")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@support
def test_refused_message_says_why(page: Page, started: Callable[..., Server]) -> None:
    open_chat(page, started())
    say(page, "?!")
    expect(page.locator(".said .alert")).to_contain_text("a message has words")
    expect(page.locator(".said")).not_to_contain_text("…")
