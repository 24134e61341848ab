"""What runs by itself, every two seconds or so, leaves alone what somebody is doing, and shows what has changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.servers import ConsoleServer

PATIENCE = 30_000
"""Milliseconds; the machines of CI are slow and shared."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with ConsoleServer(tmp_path_factory.mktemp("console"), {"REDIS_ENABLED": "false"}) as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture
def ask(page: Page, console: ConsoleServer) -> Callable[[str, str], None]:
    """What another person does meanwhile, over REST: a method and what follows `/api/v1/cache/`."""

    def done(method: str, what: str) -> None:
        assert page.request.fetch(f"{console.url}/api/v1/cache/{what}", method=method).ok

    done("POST", "warmup?tickers=AAPL,NVDA,MSFT")
    return done


def test_a_clear_is_confirmed_while_others_clear(
    page: Page, console: ConsoleServer, ask: Callable[[str, str], None]
) -> None:
    page.goto(f"{console.url}/clear?clear_pattern=momentum:*")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Clear 3 keys").click()
    page.get_by_role("textbox", name="Reason").fill("a wrong split")
    other = page.context.new_page()
    other.goto(f"{console.url}/clear?clear_pattern=price:MSFT")
    other.get_by_role("button", name="Preview").click()
    other.get_by_role("button", name="Clear 1 key").click()
    other.get_by_role("button", name="Clear now").click()
    expect(page.get_by_text("price:MSFT is cleared", exact=False)).to_be_attached(timeout=PATIENCE)

    page.get_by_role("button", name="Clear now").click()

    expect(page.get_by_text(re.compile(r"^momentum:\* is cleared"))).to_be_visible(timeout=PATIENCE)
    page.goto(f"{console.url}/audit?audit_find=a+wrong+split")
    expect(page.locator("td", has_text=re.compile(r"^momentum:\*$")).first).to_be_attached(timeout=PATIENCE)


def test_a_schedule_is_added_while_others_warm_up(
    page: Page, console: ConsoleServer, ask: Callable[[str, str], None]
) -> None:
    page.goto(f"{console.url}/warmup")
    page.get_by_role("button", name="Add a schedule").click()
    name = page.get_by_role("textbox", name="Name")
    name.fill("Before the open")
    name.press("Tab")
    ask("DELETE", "clear?pattern=price:*")
    ask("POST", "warmup?tickers=AAPL")
    expect(page.get_by_text("Done: 1 of 1 cached")).to_be_attached(timeout=PATIENCE)

    page.get_by_role("button", name="Add", exact=True).click()

    expect(page.get_by_role("button", name="Run now")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_counts_of_the_prefixes_follow(page: Page, console: ConsoleServer, ask: Callable[[str, str], None]) -> None:
    page.goto(f"{console.url}/keys")
    expect(page.get_by_role("radio", name="price 3")).to_be_visible(timeout=PATIENCE)

    ask("DELETE", "clear?pattern=price:A*")

    expect(page.get_by_role("radio", name="price 2")).to_be_visible(timeout=PATIENCE)


def test_a_namespace_that_is_new_can_be_chosen_on_expiry(
    page: Page, console: ConsoleServer, ask: Callable[[str, str], None]
) -> None:
    ask("DELETE", "clear?pattern=price:*")
    page.goto(f"{console.url}/expiry")
    expect(page.get_by_text("Next to expire")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("radio", name="price", exact=True)).to_have_count(0)

    ask("POST", "warmup?tickers=NVDA")

    expect(page.get_by_role("radio", name="price", exact=True)).to_be_visible(timeout=PATIENCE)


def test_what_was_deleted_is_said(page: Page, console: ConsoleServer, ask: Callable[[str, str], None]) -> None:
    page.goto(f"{console.url}/keys?keys_open=momentum:NVDA")

    page.get_by_role("button", name="Delete this key").click()

    expect(page.get_by_test_id("stToast")).to_have_text(re.compile("Deleted momentum:NVDA"), timeout=PATIENCE)
