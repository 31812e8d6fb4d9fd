"""What the page shows in a browser when something is wrong, and of the last hour."""

import re

import httpx2
import pytest
from multiplying import Published, answers
from playwright.sync_api import Page, Route, expect
from servers import program, wait_until

from project_package.api_keys import add_key
from project_package.summaries import PAGE

pytestmark = pytest.mark.system
REFRESH_MS = 15_000
"""How often the page reads the overview."""


def test_wrong_key_is_refused_and_asked_for_again(page: Page, times: Published) -> None:
    with program(times, SERVE_KEYS="keys.json") as (_, url):
        page.goto(url)
        page.get_by_label("Key", exact=True).fill("wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#problems")).to_contain_text("an unknown one")
        expect(page.locator("#key")).to_be_visible()
        expect(page.locator("#ask")).to_be_hidden()


def test_form_is_made_once_the_server_is_ready(page: Page, times: Published) -> None:
    refusal = {"detail": "There is no model yet."}
    page.clock.install()
    page.route("**/v1/overview", lambda route: route.fulfill(status=503, json=refusal), times=1)
    with program(times) as (_, url):
        page.goto(url)
        expect(page.locator("#problems")).to_have_text(refusal["detail"])
        page.clock.fast_forward(REFRESH_MS)
        expect(page.locator("#request > button")).to_be_visible()
        expect(page.locator("#problems")).to_be_empty()


def test_document_that_is_gone_is_not_saved(page: Page, times: Published) -> None:
    token = add_key(times.root / "keys.json", "reader", ["predict"])
    times.store.write_file(PAGE.format(name="monitor.html"), b"<p>Monitor")
    with program(times, SERVE_KEYS="keys.json") as (_, url):
        page.goto(url)
        page.get_by_label("Key", exact=True).fill(token)
        page.get_by_role("button", name="Use it").click()
        link = page.get_by_role("link", name="Monitoring")
        link.wait_for()
        (times.root / "store" / PAGE.format(name="monitor.html")).unlink()
        link.click()
        expect(page.locator("#problems")).to_have_text("There is no monitor.html yet.")


def test_version_that_cannot_be_loaded_is_shown(page: Page, times: Published) -> None:
    with program(times, SERVE_POLL_SECONDS="0.05") as (_, url):
        page.goto(url)
        page.locator("#request > button").wait_for()
        expect(page.locator("#problems")).to_be_empty()
        times.publish(2, answer=-1)  # its example gets another answer
        page.wait_for_timeout(1_000)
        page.reload()
        expect(page.locator("#problems")).to_contain_text("the one before answers")


def test_refresh_keeps_the_focus_and_an_equal_alert(page: Page, times: Published) -> None:
    def degrade(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"degraded": ["log"]})

    page.clock.install()
    page.route("**/v1/overview", degrade)
    with program(times) as (_, url):
        page.goto(url)
        link = page.get_by_role("link", name="Model card")
        link.focus()
        alert = page.locator("#problems p").element_handle()
        page.evaluate("document.title = 'before'")
        page.clock.fast_forward(REFRESH_MS)
        expect(page).to_have_title("t")
        expect(link).to_be_focused()
        assert alert.evaluate("alert => alert.isConnected")


def test_answers_of_the_last_hour_are_drawn(page: Page, times: Published) -> None:
    with program(times, LOG_URL="sqlite:///log.db") as (_, url):
        with httpx2.Client(base_url=url) as client:
            answers(client, {"x": 1}, {"x": 2}, {"x": 3})
            wait_until(lambda: client.get("/v1/overview").json()["recent"]["answers"] == 3)
        page.goto(url)
        expect(page.locator("#recent .headline")).to_have_text("3 answers in the last hour.")
        chart = page.get_by_role("img", name=re.compile("3 answers.* min ago: 3"))
        expect(chart.locator("rect")).to_have_count(60)


def test_long_text_and_wrong_number_are_sent(page: Page, times: Published) -> None:
    with program(times) as (_, url):
        page.goto(url)
        page.get_by_label("Who").fill("a" * 501)
        page.get_by_label("X", exact=True).fill("")
        page.get_by_label("X", exact=True).press_sequentially("1e")
        page.locator("#request > button").click()
        expect(page.locator(".error").first).to_contain_text("should be a valid number")
        expect(page.locator("#curl code")).to_contain_text("--json")


def test_text_of_an_answer_is_not_run_as_html(page: Page, times: Published) -> None:
    with program(times) as (_, url):
        page.goto(url)
        page.get_by_label("Who").fill("<img src=x onerror=document.title='run'>")
        page.locator("#request > button").click()
        page.locator("#answer .facts, #answer .alert").first.wait_for()
        assert page.title() != "run"
