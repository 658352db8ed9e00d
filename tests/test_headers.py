"""What is said to a browser with every answer: pages, files, redirects, refusals, and what goes wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path, reverse

from hwbc import urls
from hwbc.workforce import access, walls
from hwbc.workforce.access import public
from hwbc.workforce.models import Grant
from tests.cast import PASSWORD, Cast, just_now
from tests.pages import PAGES, Page

pytestmark = pytest.mark.django_db

CACHED = "max-age=315360000, public, immutable"


@public("tests")
def breaks(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("broken on purpose")


urlpatterns = [*urls.urlpatterns, path("breaks", breaks, name="breaks")]
handler500 = urls.handler500


def wrong(response: Any, *, cache: str = "no-store") -> list[str]:
    """What is missing or too lenient."""
    said = response.headers
    policy = said.get("Content-Security-Policy", "")
    found = [
        f"{name}: {said.get(name)}"
        for name, value in {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }.items()
        if said.get(name) != value
    ]
    needed = ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'")
    found += [f"the policy lacks {directive}: {policy}" for directive in needed if directive not in policy]
    found += [f"the policy allows {loose}" for loose in ("unsafe", "data:", "nonce", "*", "http") if loose in policy]
    features = said.get("Permissions-Policy", "")
    found += [f"{each} is allowed" for each in ("camera", "microphone", "geolocation") if f"{each}=()" not in features]
    if cache not in said.get("Cache-Control", ""):
        found.append(f"Cache-Control: {said.get('Cache-Control')}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_says_it_to_everybody(page: Page, cast: Cast, client: Client) -> None:
    url = page.url(cast)
    for who in (cast.person(page.visitor).client, client):
        for answer in (who.get(url), who.options(url)):
            assert wrong(answer) == [], answer.status_code


def bad_request(cast: Cast, client: Client) -> Any:
    return client.get("/", headers={"host": "evil.example"})


def not_allowed(cast: Cast, client: Client) -> Any:
    return cast.asha.client.get(reverse("status"))


def without_token(cast: Cast, client: Client) -> Any:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.mo.user)
    return strict.post(reverse("access_invite"), {"email": "kim@example.org"})


def not_found(cast: Cast, client: Client) -> Any:
    return cast.mo.client.get("/nowhere")


def wrong_method(cast: Cast, client: Client) -> Any:
    return cast.mo.client.post(reverse("coaches"))


def conflict(cast: Cast, client: Client) -> Any:
    with walls.lifted("tests"):
        grant = Grant.objects.filter(user=cast.sam.user).earliest("pk")
    return cast.mo.client.post(reverse("access_end", kwargs={"uuid": grant.uuid}))


def too_many(cast: Cast, client: Client) -> Any:
    for _ in range(40):
        answer = client.post(reverse("account_reset_password"), {"email": "stranger@example.org"})
        if answer.status_code == 429:
            break
    return answer


def failure(cast: Cast, client: Client) -> Any:
    lenient = just_now(Client(raise_request_exception=False))
    lenient.force_login(cast.mo.user)
    return lenient.get("/breaks")


def away(cast: Cast, client: Client) -> Any:
    def reach(*args: object) -> None:
        raise OperationalError("connection refused")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access, "reach", reach)
        return cast.mo.client.get("/")


@pytest.mark.parametrize(
    ("happens", "status"),
    [
        (bad_request, 400), (not_allowed, 403), (without_token, 403), (not_found, 404), (wrong_method, 405),
        (conflict, 409), (too_many, 429), (failure, 500), (away, 503),
    ],
)  # fmt: skip
def test_what_goes_wrong_says_it_too(
    happens: Callable[[Cast, Client], Any], status: int, cast: Cast, client: Client, settings: Any
) -> None:
    settings.ROOT_URLCONF = "tests.test_headers"
    answer = happens(cast, client)
    assert answer.status_code == status
    assert wrong(answer) == []


def test_trace_is_answered_by_nobody(cast: Cast) -> None:
    """No page takes it or sends back what came with it; health is well, whatever is asked of it."""
    for page in PAGES:
        visitor = cast.person(page.visitor).client
        answer = visitor.generic("TRACE", page.url(cast), headers={"x-canary": "canary-trace"})
        assert answer.status_code in ((200,) if page.name.startswith("health_") else (302, 405)), page.name
        assert b"canary-trace" not in answer.content + str(answer.headers).encode(), page.name


def test_static_files_say_it_and_may_be_kept(client: Client) -> None:
    manifest = json.loads((Path(settings.STATIC_ROOT) / "staticfiles.json").read_text())["paths"]
    for name in ("css/hwbc.css", "js/hwbc.js", "js/session.js", "js/drafts.js", "favicon.svg"):
        answer = client.get(f"/static/{manifest[name]}")
        assert answer.status_code == 200
        assert wrong(answer, cache=CACHED) == []
        b"".join(answer)
        answer.close()


def test_the_check_bites() -> None:
    bare = HttpResponse("x", headers={"Content-Security-Policy": "default-src *; script-src 'unsafe-inline'"})
    assert len(wrong(bare)) >= 12


def test_signing_out_makes_the_browser_forget(cast: Cast) -> None:
    client = Client()
    signed_in = client.post(reverse("account_login"), {"login": cast.mo.user.email, "password": PASSWORD})
    assert "Clear-Site-Data" not in signed_in.headers
    assert "Clear-Site-Data" not in client.get("/").headers
    out = client.post(reverse("account_logout"))
    assert out.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert out.headers["Location"] == "/account/sign-in?signed-out"
    assert "You have signed out." in client.get(out.headers["Location"]).content.decode()
    assert "Clear-Site-Data" not in client.post(reverse("account_logout")).headers


PRODUCTION = """
import json, re, sys
import django
django.setup()
from django.core.management import call_command
from django.test import Client, override_settings
call_command("check", "--deploy", "--fail-level", "WARNING")
client = Client(SERVER_NAME="coaches.example.org")
found = {}
for name, secure, address in [("page", True, "/account/sign-in"), ("redirect", False, "/account/sign-in"),
                              ("home", True, "/"), ("missing", True, "/nowhere"), ("health", False, "/health/live")]:
    answer = client.get(address, secure=secure)
    found[name] = [answer.status_code, dict(answer.headers), [c.OutputString() for c in answer.cookies.values()]]
answer = client.get("/account/sign-in", secure=True)
token = re.search(r'csrfmiddlewaretoken" value="(\\w+)"', answer.content.decode())[1]
answer = client.post("/account/sign-in", {"login": sys.argv[1], "password": sys.argv[2], "csrfmiddlewaretoken": token},
                     secure=True, headers={"referer": "https://coaches.example.org/account/sign-in"})
found["sign_in"] = [answer.status_code, dict(answer.headers), [c.OutputString() for c in answer.cookies.values()]]
print(json.dumps(found))
"""


def test_in_production_cookies_are_bound_to_the_host_and_https_is_all_there_is(
    live_cast: Cast, child_env: dict[str, str]
) -> None:
    hasher = "django.contrib.auth.hashers.Argon2PasswordHasher"
    with override_settings(PASSWORD_HASHERS=[hasher]):
        live_cast.mo.user.set_password(PASSWORD)
        live_cast.mo.user.save()
    env = child_env | {
        "HWBC_LOCAL": "false",
        "SECRET_KEY": "for-one-test-" + "x7Kq" * 12,
        "ALLOWED_HOSTS": "coaches.example.org",
        "BASE_URL": "https://coaches.example.org",
        "EMAIL_URL": "smtp+tls://user:password@127.0.0.1:587",
        "DJANGO_SETTINGS_MODULE": "hwbc.settings",
    }
    env.pop("DJANGO_ALLOW_ASYNC_UNSAFE")  # the tests' own
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRODUCTION, live_cast.mo.user.email, PASSWORD],
        env=env, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {name: answer[0] for name, answer in found.items()} == {
        "page": 200, "redirect": 301, "home": 302, "missing": 404, "health": 200, "sign_in": 302,
    }  # fmt: skip
    for name, (_, headers, cookies) in found.items():
        assert wrong(HttpResponse(headers=headers)) == [], name
        if name not in ("redirect", "health"):
            hsts = headers["Strict-Transport-Security"]
            assert hsts == "max-age=31536000; includeSubDomains; preload"
        for cookie in cookies:
            assert cookie.startswith("__Host-"), cookie
            for part in ("Path=/", "Secure", "HttpOnly", "SameSite=Lax"):
                assert part in cookie, cookie
            assert "Domain" not in cookie
    assert any(cookie.startswith("__Host-session=") for cookie in found["sign_in"][2])
    assert any(cookie.startswith("__Host-csrf=") for cookie in found["page"][2])
