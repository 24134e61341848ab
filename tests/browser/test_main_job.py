"""The main job as people do it: warm up, look at scores, watch the counters, look at keys, clear, value a portfolio."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from playwright.sync_api import Browser, Dialog, Page, expect

from avcache.runtime import from_environment
from tests.pages.shown import NAMES
from tests.servers import ConsoleServer, RealServer, free_port

Start = Callable[..., ConsoleServer]

PAGES = ("", "keys", "expiry", "clear", "warmup", "server", "audit", "momentum", "portfolio")
PATIENCE = 20_000
"""Milliseconds; the machines of CI are slow and shared."""


@pytest.fixture
def page(browser: Browser) -> Any:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def rest(console: ConsoleServer, method: str, path: str) -> dict[str, Any]:
    link = http.client.HTTPConnection("127.0.0.1", console.port, timeout=20)
    try:
        link.request(method, f"/api/v1/cache/{path}")
        answer: dict[str, Any] = json.loads(link.getresponse().read())
        return answer
    finally:
        link.close()


def visit(page: Page, name: str) -> None:
    """Go there by the navigation, as people do."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible(timeout=PATIENCE)


def cells(page: Page, *, holding: str) -> list[str]:
    """The texts of the table that holds *holding* (the grid keeps them for assistive technology)."""
    table = page.get_by_test_id("stDataFrame").filter(has=page.locator("td", has_text=holding)).first
    return [text.strip() for text in table.locator("td").all_text_contents()]


def metric(page: Page, label: str) -> str:
    found = page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue").first
    expect(found).to_be_visible(timeout=PATIENCE)
    return found.inner_text().strip()


def warm_three(page: Page, console: ConsoleServer) -> None:
    page.goto(f"{console.url}/warmup")
    page.get_by_role("textbox", name="Tickers").fill("AAPL, NVDA, MSFT")
    page.get_by_role("textbox", name="Tickers").press("Control+Enter")
    page.get_by_role("button", name="Warm 3 tickers").click()
    expect(page.get_by_text("Done: 3 of 3 cached")).to_be_visible(timeout=PATIENCE)


def test_an_analyst_and_an_operator_do_their_main_job(page: Page, console_server: Start) -> None:
    _do_the_main_job(page, console_server({"REDIS_ENABLED": "false"}))


def test_the_main_job_works_the_same_on_a_server(page: Page, console_server: Start, real_server: RealServer) -> None:
    env = {"REDIS_ENABLED": "true", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(real_server.port)}

    _do_the_main_job(page, console_server(env))

    with redis.Redis.from_url(real_server.url) as plain:
        lives = plain.pttl("alphavelocity:price:AAPL")
    runtime = from_environment({**env, "AVCACHE_PROVIDER": "sample"})
    fresh_for = runtime.cache.ttl("price:AAPL")
    stale_time = runtime.settings.cache_stale_ttl
    runtime.close()
    assert 0 < lives <= (300 + stale_time) * 1000
    assert fresh_for is not None
    assert 0 < fresh_for <= 300


def _do_the_main_job(page: Page, console: ConsoleServer) -> None:
    warm_three(page, console)
    assert rest(console, "GET", "keys?pattern=price:*")["keys"] == ["price:AAPL", "price:MSFT", "price:NVDA"]

    visit(page, "Momentum")
    expect(page.locator("td", has_text="AAPL").first).to_be_attached(timeout=PATIENCE)
    assert {"AAPL", "NVDA", "MSFT"} <= set(cells(page, holding="NVDA"))
    expect(page.get_by_text("coverage 75 %").first).to_be_visible(timeout=PATIENCE)

    visit(page, "Overview")
    hits = int(metric(page, "Hits"))
    second = page.context.new_page()
    second.goto(f"{console.url}/momentum")
    expect(second.get_by_text("coverage 75 %").first).to_be_visible(timeout=PATIENCE)
    second.close()
    _wait_until(lambda: int(metric(page, "Hits")) >= hits + 3, page)

    visit(page, "Keys")
    expect(page.locator("td", has_text="momentum:NVDA").first).to_be_attached(timeout=PATIENCE)
    before = _seconds_left(page, "momentum:NVDA")
    _wait_until(lambda: _seconds_left(page, "momentum:NVDA") <= before - 2, page)

    visit(page, "Clear")
    page.get_by_role("textbox", name="Pattern").fill("momentum:*")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("3 keys (exact)")).to_be_visible(timeout=PATIENCE)
    assert rest(console, "GET", "stats")["momentum"]["count"] == 3
    page.get_by_role("button", name="Clear 3 keys").click()
    page.get_by_role("button", name="Clear now").click()
    expect(page.get_by_text(re.compile(r"is cleared: 3 keys will not be read any more"))).to_be_visible(
        timeout=PATIENCE
    )
    assert rest(console, "GET", "stats")["momentum"]["count"] == 0

    visit(page, "Portfolio")
    page.get_by_role("tab", name="Paste").click()
    page.get_by_role("textbox", name="Holdings").fill("AAPL 100\nNVDA 50")
    page.get_by_role("button", name="Read and analyse").click()
    # 100 × 126.04 and 50 × 140.36 on 2022-12-28, before the split of 2024.
    assert metric(page, "Total value").replace(",", "").startswith(("19622", "$19622"))
    assert metric(page, "Average score").startswith("0.8")
    assert len(rest(console, "GET", "keys?pattern=portfolio:*")["keys"]) == 1

    assert "Traceback" not in console.output()


def test_every_page_says_that_redis_is_away_and_the_first_comes_at_once(page: Page, console_server: Start) -> None:
    console = console_server({"REDIS_ENABLED": "true", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(free_port())})

    began = time.monotonic()
    page.goto(console.url)
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible(timeout=PATIENCE)
    first_page = time.monotonic() - began

    for path in PAGES:
        page.goto(f"{console.url}/{path}")
        expect(page.get_by_text(re.compile(r"Degraded since .*connection refused"))).to_be_visible(timeout=PATIENCE)
    assert rest(console, "GET", "info")["state"] == "degraded"
    assert first_page < 3
    warm_three(page, console)


def test_what_is_typed_or_cached_is_never_markup(page: Page, console_server: Start, real_server: RealServer) -> None:
    env = {"REDIS_ENABLED": "true", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(real_server.port)}
    console = console_server(env)
    nasty = " ".join([*NAMES, "www.evil.example", "$x$ :streamlit: <="])
    _store(env, nasty)
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)

    page.goto(f"{console.url}/clear")
    page.get_by_role("textbox", name="Pattern").fill(f"{nasty} *a*b*c*d*e*f*g*h*")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_test_id("stAlert")).to_contain_text("at most 8 stars", timeout=PATIENCE)
    expect(page.get_by_test_id("stAlert")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("td", has_text=NAMES[0]).first).to_be_attached(timeout=PATIENCE)
    page.get_by_role("textbox", name="Pattern").fill("default:*")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_test_id("stCode")).to_contain_text(nasty, timeout=PATIENCE)
    _shows_no_markup(page)

    visit(page, "Keys")
    page.get_by_role("combobox", name="Look inside").click()
    page.get_by_role("option", name="default:").click()
    expect(page.get_by_test_id("stJson")).to_contain_text(nasty, timeout=PATIENCE)
    shown = page.get_by_test_id("stMarkdown").filter(has_text="default:<img").first
    assert shown.inner_text().replace("\u2060", "") == f"default:{nasty}"
    _shows_no_markup(page)

    visit(page, "Audit")
    expect(page.locator("td", has_text=NAMES[0]).first).to_be_attached(timeout=PATIENCE)
    page.get_by_test_id("stDataFrame").click(position={"x": 16, "y": 52})
    expect(page.get_by_text("Reason:")).to_contain_text("<img src=x onerror=alert(1)>", timeout=PATIENCE)
    _shows_no_markup(page)
    assert dialogs == []


def _store(env: dict[str, str], nasty: str) -> None:
    """Somebody's key, value, reason and act, in the worst words there are."""
    runtime = from_environment(env)
    runtime.cache.set(f"default:{nasty}", {"said": nasty})
    runtime.ops.clearing.clear("nothing:*", actor=nasty, reason=nasty)
    runtime.ops.audit.record(nasty, nasty, nasty, reason=nasty, result=nasty)
    runtime.close()


def _shows_no_markup(page: Page) -> None:
    read_as_markup = "img, .katex, a[href^='javascript'], a[href*='evil'], [aria-label='dangerous icon']"
    assert page.get_by_test_id("stMain").locator(read_as_markup).count() == 0


def _seconds_left(page: Page, key: str) -> int:
    texts = cells(page, holding=key)
    minutes, seconds = texts[texts.index(key) + 2].split(":")
    return int(minutes) * 60 + int(seconds)


def _wait_until(condition: Callable[[], bool], page: Page) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < deadline, "what should have changed by itself did not"
        page.wait_for_timeout(250)
