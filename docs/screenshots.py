"""
`make screenshots`: the pictures of the README, of a console that really runs, on the bundled sample prices.

Analysts read through it for a while first, so that there is something to see.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

from tests.servers import ROOT, ConsoleServer, RealServer

IMAGES = ROOT / "docs" / "images"
WARMED = "AAPL,AMD,AMZN,BAC,BBY,CVX,GE,GOOG,HD,JNJ,JPM,KO,LLY,META,MRK,MSFT,NFLX,NVDA,PEP,PFE,PG,WMT,XOM"
HELD = "AAPL 100\nMSFT 60\nNVDA 40\nKO 150\nJPM 50\nXOM 45\nPFE 120\nAMZN 40"
PATIENCE_MS = 15_000
TRAFFIC_SECONDS = 75
DRAWN_MS = 2_500


def main() -> None:
    """Take them all."""
    browser_path = os.environ.get("AVCACHE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        sys.exit("no Chromium found: set AVCACHE_CHROMIUM")
    with tempfile.TemporaryDirectory() as folder, RealServer() as server:
        env = {"REDIS_ENABLED": "true", "REDIS_URL": server.url}
        with ConsoleServer(Path(folder), env) as console, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
            warm(console.url)
            read_for_a_while(env)
            page = browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=1)
            take(page, console.url, "overview", "/?overview_window=15+min")
            take(page, console.url, "keys", "/keys?keys_prefix=momentum")
            take(page, console.url, "momentum", "/momentum?momentum_universe=Sample+25&momentum_ticker=MRK")
            take_portfolio(page, console.url)
            browser.close()


def warm(url: str) -> None:
    """Load most of the sample, so that a few tickers are missing."""
    link = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    link.request("POST", f"/api/v1/cache/warmup?tickers={WARMED}")
    link.getresponse().read()
    link.close()


def read_for_a_while(env: dict[str, str]) -> None:
    """Analysts at work in another process, as `python -m avcache demo` has them."""
    command = [sys.executable, "-m", "avcache", "demo", "--seconds", str(TRAFFIC_SECONDS), "--json"]
    wanted = {**os.environ, **env, "AVCACHE_PROVIDER": "sample"}
    subprocess.run(command, cwd=ROOT, env=wanted, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def take(page: Page, url: str, name: str, path: str) -> None:
    """Open *path* and keep what is drawn there as *name*."""
    page.goto(url + path)
    page.get_by_role("heading", level=1).wait_for(timeout=PATIENCE_MS)
    page.wait_for_timeout(DRAWN_MS)
    keep(page, name)


def take_portfolio(page: Page, url: str) -> None:
    """The portfolio of a few pasted lines."""
    page.goto(f"{url}/portfolio")
    page.get_by_role("tab", name="Paste").click(timeout=PATIENCE_MS)
    page.get_by_role("textbox").first.fill(HELD)
    page.keyboard.press("Control+Enter")
    page.get_by_text("Total value").first.wait_for(timeout=PATIENCE_MS)
    page.wait_for_timeout(DRAWN_MS)
    keep(page, "portfolio")


def keep(page: Page, name: str) -> None:
    """Write the picture, and say so."""
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
