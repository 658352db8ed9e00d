"""Signing in at an OpenID provider with a real browser, which holds the way there against the page's policy."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from hwbc.workforce.factors import code_at
from tests.browser.conftest import Watched, web_server
from tests.cast import SECRET, Cast, with_app
from tests.oidc_provider import CLIENT, Provider, provider
from tests.oidc_provider import SECRET as CLIENT_SECRET

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def there() -> Iterator[Provider]:
    """The provider; it asks whoever comes before it sends them back."""
    with provider("", asks=True) as running:
        yield running


@pytest.fixture(scope="module")
def server(child_env: dict[str, str], there: Provider) -> Iterator[str]:
    """The web server, with settings that name the provider."""
    named = {
        "OIDC_NAME": "Somewhere",
        "OIDC_SERVER_URL": there.issuer,
        "OIDC_CLIENT_ID": CLIENT,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
    }
    for address in web_server({**child_env, **named}):
        there.redirect_uri = f"{address}/account/sign-in/provider/back"
        yield address


def go_there(watched: Watched, there: Provider) -> None:
    page = watched.page
    page.get_by_role("button", name="Sign in with Somewhere").click()
    expect(page).to_have_url(re.compile(re.escape(there.issuer)))
    page.get_by_role("button", name="Continue").click()


@pytest.mark.parametrize(("width", "javascript"), [(1280, True), (320, False)], ids=["desk", "phone-no-javascript"])
def test_there_and_back(window, live_cast: Cast, there: Provider, width: int, javascript: bool) -> None:
    mo = live_cast.mo.user
    with_app(mo)
    there.says = {"sub": "mo", "email": mo.email, "email_verified": True}
    watched = window(width, javascript=javascript)
    page = watched.page
    page.goto("/service-status")
    assert watched.overflow() <= 0
    if javascript:
        assert watched.axe() == []
    go_there(watched, there)
    # The provider has not said that it asks for two factors: ours is asked.
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.get_by_label("Code", exact=True).fill(code_at(SECRET))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile("/service-status$"))
    expect(page.get_by_text("Mo Haddad (PCN manager)")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    there.says["amr"] = ["pwd", "mfa"]
    go_there(watched, there)
    page.get_by_role("heading", name="Hello, Mo Haddad").wait_for()


def test_a_stranger_is_told_whom_to_ask(window, live_cast: Cast, there: Provider) -> None:
    there.says = {"sub": "stranger", "email": "stranger@example.org", "email_verified": True}
    watched = window(320, allow=("403 (Forbidden)",))
    page = watched.page
    page.goto("/account/sign-in")
    go_there(watched, there)
    expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
    expect(page.get_by_text("Ask whoever invited you")).to_be_visible()
    assert watched.axe() == []
    assert watched.overflow() <= 0
    page.get_by_role("link", name="Back to signing in").click()
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


def test_the_browser_goes_nowhere_else(window, live_cast: Cast, there: Provider) -> None:
    """What the first test rests on: without the provider in the policy, the browser would not follow the way there."""
    there.lies = {"another origin"}
    watched = window(allow=("502 (Bad Gateway)",))
    watched.page.goto("/account/sign-in")
    try:
        watched.page.get_by_role("button", name="Sign in with Somewhere").click()
        expect(watched.page.get_by_text("cannot be reached at the moment")).to_be_visible()
    finally:
        there.lies = set()
    policy = watched.page.request.get("/account/sign-in").headers["content-security-policy"]
    assert f"form-action 'self' {there.issuer}" in policy
