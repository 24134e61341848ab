"""A morning of an operator and one of an analyst, from the first page on, without an error in the browser's console."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.servers import ConsoleServer, RealServer

Start = Callable[..., ConsoleServer]

PATIENCE = 30_000
"""Milliseconds; the machines of CI are slow and shared."""

SERVED = re.compile(r"(Redis|Valkey)( · \d+ workers?)?$")
"""What the strip says while all is well."""


@pytest.fixture
def errors() -> list[str]:
    """What a browser has complained of: messages of its console, and what no script has caught."""
    return []


@pytest.fixture
def page(browser: Browser, errors: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location.get('url')})")

    def watch(opened: Page) -> None:
        opened.on("console", note)
        opened.on("pageerror", lambda error: errors.append(str(error)))

    context.on("page", watch)
    yield context.new_page()
    context.close()


def visit(page: Page, name: str) -> None:
    """Go there by the navigation, as people do: an address below the first makes Streamlit look for itself there."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible(timeout=PATIENCE)


def see(found: Locator) -> None:
    expect(found.first).to_be_visible(timeout=PATIENCE)


def cell(page: Page, text: str) -> Locator:
    """A cell of a table, which keeps its texts for assistive technology."""
    return page.locator("td", has_text=re.compile(f"^{re.escape(text)}$"))


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def metrics(page: Page) -> list[str]:
    return [" ".join(text.split()) for text in page.get_by_test_id("stMetric").all_inner_texts()]


def test_an_operators_morning(page: Page, errors: list[str], console_server: Start, real_server: RealServer) -> None:
    console = console_server({"REDIS_ENABLED": "true", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(real_server.port)})
    page.goto(console.url)
    see(page.get_by_text(SERVED))

    _sees_an_outage_and_its_end(page, real_server)
    _warms_the_gaps(page)
    _watches_the_hit_rate(page, console)
    _clears_and_takes_it_back(page)
    _finds_the_act_and_the_findings(page)

    assert errors == []
    assert "Traceback" not in console.output()


def _sees_an_outage_and_its_end(page: Page, server: RealServer) -> None:
    server.pause()
    trouble = page.get_by_text(re.compile("Degraded since .* serving from memory"))
    see(trouble)

    server.resume()

    expect(trouble).to_have_count(0, timeout=PATIENCE)
    see(page.get_by_text(SERVED))


def _warms_the_gaps(page: Page) -> None:
    visit(page, "Warm-up")
    choose(page, "Universe", "Sample 25")
    see(page.get_by_text(re.compile("25 to load")))
    budget = page.get_by_text("Budget", exact=True)
    expect(budget).to_have_count(1, timeout=PATIENCE)  # until the page before is gone, there are two
    budget.click()
    rate = page.get_by_role("spinbutton", name="Tickers a second, at most")
    rate.fill("10")
    rate.press("Enter")
    see(page.get_by_text(re.compile("25 to load .* at 10 tickers/s")))
    page.get_by_role("button", name="Warm 25 tickers").click()
    see(page.get_by_text(re.compile(r"^\d+ of 25$")))
    see(page.get_by_text("Done: 25 of 25 cached"))
    see(page.get_by_text("25 of 25 tickers fresh"))


def _watches_the_hit_rate(page: Page, console: ConsoleServer) -> None:
    visit(page, "Overview")
    rate = page.get_by_test_id("stMetric").filter(has_text="Hit rate").get_by_test_id("stMetricValue").first
    expect(rate).to_contain_text("%", timeout=PATIENCE)
    before = rate.inner_text()
    analyst = page.context.new_page()
    analyst.goto(console.url)
    visit(analyst, "Momentum")
    see(analyst.get_by_text("25 of 25 scores cached"))
    analyst.close()
    expect(rate).not_to_have_text(before, timeout=PATIENCE)


def _clears_and_takes_it_back(page: Page) -> None:
    visit(page, "Clear")
    page.get_by_role("radio", name="Namespace").click()
    choose(page, "Namespace", "momentum")
    page.get_by_role("button", name="Preview").click()
    see(page.get_by_text(re.compile(r"25 keys \(exact\)")))
    page.get_by_role("button", name="Clear 25 keys").click()
    page.get_by_role("textbox", name="Reason").fill("a wrong split")
    page.get_by_role("button", name="Clear now").click()
    see(page.get_by_text(re.compile("is cleared: 25 keys will not be read any more")))

    visit(page, "Keys")
    _looks_for_scores(page)
    see(page.get_by_text("No key matches"))

    visit(page, "Clear")
    page.get_by_role("button", name="Undo").click()
    see(cell(page, "taken back").or_(page.get_by_text("taken back")))

    visit(page, "Keys")
    _looks_for_scores(page)
    expect(cell(page, "momentum:NVDA").first).to_be_attached(timeout=PATIENCE)


def _looks_for_scores(page: Page) -> None:
    find = page.get_by_role("textbox", name="Find")
    find.fill("momentum:NV*")
    find.press("Enter")


def _finds_the_act_and_the_findings(page: Page) -> None:
    visit(page, "Audit")
    find = page.get_by_role("textbox", name="Find")
    find.fill("a wrong split")
    find.press("Enter")
    expect(cell(page, "momentum:*").first).to_be_attached(timeout=PATIENCE)
    expect(page.get_by_text(re.compile("^1–[12] of [12]"))).to_be_visible(timeout=PATIENCE)

    visit(page, "Server")
    see(page.get_by_text("The server has no memory limit"))
    see(page.get_by_text(re.compile("What to do:")))


def test_an_analysts_morning(page: Page, errors: list[str], console_server: Start, tmp_path: Path) -> None:
    console = console_server({"REDIS_ENABLED": "false"})
    page.goto(console.url)
    see(page.get_by_role("heading", name="Overview", level=1))

    _ranks_and_filters(page)
    _opens_one_and_compares_two(page)
    _exports_a_portfolio_that_is_the_same_again(page, console, tmp_path)

    assert errors == []
    assert "Traceback" not in console.output()


def _ranks_and_filters(page: Page) -> None:
    visit(page, "Momentum")
    page.get_by_role("button", name="Load the missing scores").click()
    see(page.get_by_text("25 of 25 scores cached"))
    least = page.get_by_role("spinbutton", name="Min score")
    least.fill("8.5")
    least.press("Enter")
    see(page.get_by_text(re.compile(r"25 of 25 scores cached · \d shown")))
    expect(cell(page, "MRK").first).to_be_attached(timeout=PATIENCE)


def _opens_one_and_compares_two(page: Page) -> None:
    choose(page, "Details of", "XOM")
    see(page.get_by_role("heading", name=re.compile("^XOM .*coverage 75 %")))
    compare = page.get_by_role("combobox", name="Compare")
    for ticker in ("AAPL", "NVDA"):
        compare.fill(ticker)
        page.get_by_role("option", name=ticker, exact=True).click()
    page.keyboard.press("Escape")
    see(page.get_by_role("heading", name="AAPL · NVDA"))
    expect(page).to_have_url(re.compile("compare=AAPL(,|%2C)NVDA"), timeout=PATIENCE)


def _exports_a_portfolio_that_is_the_same_again(page: Page, console: ConsoleServer, folder: Path) -> None:
    given = folder / "mine.csv"
    given.write_text("Symbol,Quantity,Cost basis\nAAPL,100,10000\nNVDA,50,\nXOM,20.5,1500\n")
    _uploads(page, given)
    first = metrics(page)
    with page.expect_download(timeout=PATIENCE) as started:
        page.get_by_role("button", name="Positions as CSV").click()
    exported = folder / "portfolio.csv"
    started.value.save_as(exported)

    again = page.context.new_page()
    again.goto(console.url)
    _uploads(again, exported)

    assert exported.read_text().splitlines()[1].startswith(("AAPL", "NVDA", "XOM"))
    assert [text for text in first if text.startswith("Profit")]
    assert metrics(again) == first


def _uploads(page: Page, file: Path) -> None:
    visit(page, "Portfolio")
    page.get_by_role("tab", name="File").click()
    page.locator("input[type=file]").set_input_files(file)
    see(page.get_by_text("Correlation of daily returns"))
    see(page.get_by_text("3 of 3"))
