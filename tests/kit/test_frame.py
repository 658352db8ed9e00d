"""What stands around every page, and the pages for what goes wrong. Nothing here may touch the database."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.http import Http404
from django.template.loader import render_to_string
from django.test import RequestFactory

from hwbc.kit.context import Frame, frame
from hwbc.kit.example import ExampleForm
from hwbc.kit.views import components
from tests.kit.html import by_id, parse_page, text, with_class

ERROR_PAGES = ["400", "403", "403_csrf", "404", "409", "429", "500", "503"]


@pytest.fixture(autouse=True)
def without_manifest(settings):
    """Static files by their plain names: these tests need no build."""
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


class Untouchable:
    """A user, or their messages, that must not be looked at."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"an error page asked the user for {name}")


def request_of(user: Any, **attributes: Any) -> Any:
    request = RequestFactory().get("/components")
    vars(request).update(user=user, **attributes)
    return request


ASHA = SimpleNamespace(is_authenticated=True, name="Asha <Patel>", get_username=lambda: "asha@example.org")
NOBODY = SimpleNamespace(is_authenticated=False)


def page(request: Any, template: str = "base.html", **context: Any) -> Any:
    return parse_page(render_to_string(template, context, request))


def test_signed_out_there_is_no_account_and_no_navigation():
    html = page(request_of(NOBODY, navigation=[{"text": "Coaches", "href": "/coaches"}]))
    assert not with_class(html, "nhsuk-header__account")
    assert not with_class(html, "nhsuk-header__navigation")
    assert not list(html.iter("form"))


def test_signed_in_the_header_says_who_and_signs_out_by_post():
    navigation = [{"text": "Home", "href": "/", "current": True}, {"text": "Coaches", "href": "/coaches"}]
    html = page(request_of(ASHA, navigation=navigation, role_label="Coach"))
    (account,) = with_class(html, "nhsuk-header__account")
    assert text(account) == "Asha <Patel> (Coach) Sign out"
    (form,) = html.iter("form")
    assert form.get("method") == "post"
    assert (form.find("input").attrib.items()) >= {"name": "csrfmiddlewaretoken", "type": "hidden"}.items()
    links = [(text(link), link.get("aria-current")) for link in with_class(html, "nhsuk-header__navigation-link")]
    assert links[:2] == [("Home", "page"), ("Coaches", None)]


def test_the_footer_has_the_links_it_is_given_and_no_other():
    links = [{"text": "Help", "href": "/help"}]
    html = page(request_of(NOBODY, footer_links=links))
    assert [text(link) for link in next(html.iter("footer")).iter("a")] == ["Help"]
    assert "NHS" not in text(next(page(request_of(NOBODY)).iter("footer")))


@pytest.mark.parametrize(("brand", "sheet"), [("neutral", "/static/css/hwbc.css"), ("nhs", "/static/css/hwbc-nhs.css")])
def test_the_nhs_mark_is_shown_to_those_who_may_use_it(settings, brand, sheet):
    settings.BRAND = brand
    html = page(request_of(NOBODY))
    assert bool(with_class(html, "nhsuk-header__logo")) is (brand == "nhs")
    assert ("NHS" in (with_class(html, "nhsuk-header__service-logo")[0].get("aria-label") or "")) is (brand == "nhs")
    assert [link.get("href") for link in html.iter("link") if link.get("rel") == "stylesheet"] == [sheet]


def test_the_page_can_be_skipped_into():
    html = page(request_of(NOBODY))
    assert with_class(html, "nhsuk-skip-link")[0].get("href") == "#maincontent"
    assert by_id(html, "maincontent").tag == "main"


def test_a_form_in_error_is_said_in_the_title_and_above_the_heading_once():
    request = request_of(ASHA)
    html = parse_page(components(request).content.decode())
    assert text(html.find(".//title")).startswith("Components –")
    request.method = "POST"
    html = parse_page(components(request).content.decode())
    assert text(html.find(".//title")).startswith("Error: Components –")
    (summary,) = with_class(html, "nhsuk-error-summary")
    assert next(iter(by_id(html, "maincontent"))) is summary


def test_a_complete_example_says_that_nothing_was_saved():
    data = {
        "full_name": "Asha", "held_on_day": "1", "held_on_month": "2", "held_on_year": "2026", "minutes": "60",
        "how_often": "week", "contact": "none", "notes": "Went well", "password": "x",
        "confirmed": "on", "version": "1",
    }  # fmt: skip
    form = ExampleForm(data)
    assert form.is_valid(), form.errors
    html = render_to_string("components/everything.html", {"form": form}, request_of(ASHA))
    assert "Nothing was saved." in text(with_class(parse_page(html), "nhsuk-notification-banner--success")[0])


def test_messages_are_banners():
    said = [Message(constants.SUCCESS, "Saved <it>"), Message(constants.WARNING, "Look")]
    html = page(request_of(NOBODY), messages=said)
    banners = with_class(html, "nhsuk-notification-banner")
    assert [text(banner) for banner in banners] == ["Success Saved <it>", "Important Look"]
    assert [bool(with_class(banner, "nhsuk-notification-banner--success")) for banner in banners] == [True, False]


def test_the_way_back():
    html = page(request_of(NOBODY), breadcrumbs=[{"text": "Home", "href": "/"}])
    assert with_class(html, "nhsuk-breadcrumb")
    html = page(request_of(NOBODY), back={"text": "Back to coaches", "href": "/coaches"})
    assert text(with_class(html, "nhsuk-back-link")[0]) == "Back to coaches"


@pytest.mark.parametrize("name", ERROR_PAGES)
@pytest.mark.parametrize(
    "request_",
    [None, request_of(Untouchable(), _messages=Untouchable())],
    ids=["without a request", "with one"],
)
def test_an_error_page_asks_nothing_of_anyone(name, request_):
    html = page(request_, f"{name}.html")
    assert len(list(html.iter("h1"))) == 1
    assert text(html.find(".//title")).startswith(text(next(html.iter("h1"))))


def test_a_refusal_says_why_and_whom_to_ask():
    main = text(by_id(page(None, "403.html", reason="You are <no> manager.", ask="Ask Mo."), "maincontent"))
    assert "You are <no> manager. Ask Mo." in main


def test_a_failure_has_its_reference_number():
    assert "a1b2c3" in text(by_id(page(None, "500.html", reference="a1b2c3"), "maincontent"))
    assert "reference" not in text(by_id(page(None, "500.html"), "maincontent"))


def test_a_stale_change_shows_both_versions():
    html = page(None, "409.html", differences=[("Notes", "Their <text>", "My text"), ("Date", "", "1 March")])
    rows = [[text(cell) for cell in row] for row in next(html.iter("tbody"))]
    assert rows == [["Notes", "Their <text>", "My text"], ["Date", "Nothing entered", "1 March"]]


def test_the_context_processor_looks_nothing_up_by_itself():
    assert isinstance(frame(request_of(Untouchable()))["frame"], Frame)


def test_the_components_are_for_a_local_copy_alone(settings):
    settings.LOCAL = False
    with pytest.raises(Http404):
        components(request_of(ASHA))
