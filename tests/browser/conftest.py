"""A real browser against a real web server on the test's database."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from hwbc.workforce.factors import code_at
from tests.cast import Person
from tests.conftest import free_port, wait_for

WIDTHS = {"phone": 320, "desk": 1280}
CHROMIUM = next(
    (p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome") if Path(p).exists()), ""
)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="session")
def server(child_env: dict[str, str]) -> Iterator[str]:
    """The web server as `make start` runs it; gives its address."""
    yield from web_server(child_env)


def web_server(child_env: dict[str, str]) -> Iterator[str]:
    """A web server of one's own, for tests of what it learns once: whether its database is a demo."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "hwbc.wsgi"],
        env={
            **child_env,
            "WEB_WORKERS": "1",
            "WEB_THREADS": "4",
            "DATABASE_POOL": "4",
            "BASE_URL": f"http://127.0.0.1:{port}",
        },
        cwd=settings.BASE_DIR,
    )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return bool(urlopen(f"{address}/health/live").status == 200)
        except OSError:
            return False

    try:
        wait_for(answers, what="the web server")
        yield address
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    if not CHROMIUM:
        if os.environ.get("HWBC_BROWSER") == "required":
            pytest.fail("HWBC_BROWSER=required, and there is no Chromium. Install it: apt-get install chromium")
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """Pages whose every complaint is kept: console, scripts, what the content policy stopped."""

    def __init__(self, context: BrowserContext, server: str, allowed: tuple[str, ...]) -> None:
        self.context = context
        self.server = server
        self.allowed = allowed  # complaints that are what the test is about, such as "404 (Not Found)"
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def sign_in(self, person: Person) -> None:
        """Without the form: the session of a browser in which they have signed in."""
        cookie = person.client.cookies[settings.SESSION_COOKIE_NAME]
        self.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": self.server}])

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        self.page.wait_for_load_state()
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def axe(self) -> list[str]:
        """What axe finds; the one rule that NHS.UK's conditional radios break on purpose is left out for them alone."""
        found = Axe().run(self.page).response["violations"]
        kept = [violation for violation in found if violation["id"] != "aria-allowed-attr"]
        if kept != found:
            context = {
                "exclude": [[".nhsuk-radios__input[aria-expanded]"], [".nhsuk-checkboxes__input[aria-expanded]"]]
            }
            conditional = Axe().run(self.page, context=context).response["violations"]
            kept += [violation for violation in conditional if violation["id"] == "aria-allowed-attr"]
        return [f"{v['id']}: {node['target']}" for v in kept for node in v["nodes"]]


def set_up_app(watched: Watched) -> tuple[str, str]:
    """As whoever signs in for the first time: an authenticator app, the recovery codes. Its key, and the code used."""
    page = watched.page
    page.get_by_role("button", name="Set up an authenticator app").click()
    page.get_by_text("I cannot scan the code").click()
    secret = page.locator("code").inner_text().replace(" ", "")
    code = code_at(secret)
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="I have kept them").click()
    return secret, code


@pytest.fixture
def window(browser: Browser, server: str) -> Iterator[Callable[..., Watched]]:
    """Opens browser windows: `window(width=320, javascript=False)`. At the end nothing may have complained."""
    opened: list[Watched] = []

    def open_window(width: int = 1280, *, javascript: bool = True, allow: tuple[str, ...] = ()) -> Watched:
        context = browser.new_context(
            base_url=server, viewport={"width": width, "height": 900}, java_script_enabled=javascript, bypass_csp=False
        )
        opened.append(Watched(context, server, allow))
        return opened[-1]

    yield open_window
    for watched in opened:
        watched.context.close()
        assert [text for text in watched.complaints if not any(part in text for part in watched.allowed)] == []
