"""A session that has lasted as long as one may: the warning says that it cannot be extended, and nothing is lost."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from hwbc.workforce.models import User
from tests.browser.conftest import WIDTHS, web_server
from tests.browser.test_session_end import NOTE, asha, ends, form, look, sign_in
from tests.conftest import wait_for

pytestmark = pytest.mark.browser
__all__ = ["asha", "form"]  # fixtures


@pytest.fixture(scope="module")
def server(child_env: dict[str, str]) -> Iterator[str]:
    """A web server whose sessions end soon, whatever one does."""
    yield from web_server({**child_env, "SESSION_LONGEST": "24", "SESSION_WARNING": "12"})


@pytest.mark.long
def test_it_cannot_be_extended(window, asha: User, form: str) -> None:
    watched = window(WIDTHS["phone"])
    page = watched.page
    page.goto(form)
    sign_in(page, asha)
    page.get_by_label("Note").fill(NOTE)
    warning = page.get_by_role("alertdialog")
    expect(warning).to_contain_text("this cannot be extended", timeout=24_000)
    look(watched, "longest")
    page.get_by_role("button", name="Close").click()
    expect(warning).to_be_hidden()
    page.get_by_label("Note").fill(f"{NOTE} And again.")
    expect(page.get_by_role("heading", level=1, name="You were signed out")).to_be_visible(timeout=24_000)
    wait_for(lambda: ends(asha) == ["longest"], what="the server to have ended it too")
    page.get_by_role("link", name="Sign in and come back to this page").click()
    sign_in(page, asha)
    expect(page.get_by_label("Note")).to_have_value(f"{NOTE} And again.")
