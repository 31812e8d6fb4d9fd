"""What the page shows in a browser when something is wrong, and of the last hour."""

import re

import httpx2
import pytest
from multiplying import Published, answers
from playwright.sync_api import Page, expect
from servers import program, wait_until

pytestmark = pytest.mark.system


def test_wrong_key_is_refused_and_asked_for_again(page: Page, times: Published) -> None:
    with program(times, SERVE_KEYS="keys.json") as (_, url):
        page.goto(url)
        page.get_by_label("Key", exact=True).fill("wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#problems")).to_contain_text("an unknown one")
        expect(page.locator("#key")).to_be_visible()
        expect(page.locator("#ask")).to_be_hidden()


def test_version_that_cannot_be_loaded_is_shown(page: Page, times: Published) -> None:
    with program(times, SERVE_POLL_SECONDS="0.05") as (_, url):
        page.goto(url)
        page.locator("#request > button").wait_for()
        expect(page.locator("#problems")).to_be_empty()
        times.publish(2, answer=-1)  # its example gets another answer
        page.wait_for_timeout(1_000)
        page.reload()
        expect(page.locator("#problems")).to_contain_text("the one before answers")


def test_answers_of_the_last_hour_are_drawn(page: Page, times: Published) -> None:
    with program(times, LOG_URL="sqlite:///log.db") as (_, url):
        with httpx2.Client(base_url=url) as client:
            answers(client, {"x": 1}, {"x": 2}, {"x": 3})
            wait_until(lambda: client.get("/v1/overview").json()["recent"]["answers"] == 3)
        page.goto(url)
        expect(page.locator("#recent .headline")).to_have_text("3 answers in the last hour.")
        chart = page.get_by_role("img", name=re.compile("3 answers"))
        expect(chart.locator("rect")).to_have_count(60)


def test_text_of_an_answer_is_not_run_as_html(page: Page, times: Published) -> None:
    with program(times) as (_, url):
        page.goto(url)
        page.get_by_label("Who").fill("<img src=x onerror=document.title='run'>")
        page.locator("#request > button").click()
        page.locator("#answer .facts, #answer .alert").first.wait_for()
        assert page.title() != "run"
