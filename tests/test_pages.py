"""What holds for every page, from one list."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from hwbc.workforce import walls
from hwbc.workforce.access import SIGNED_IN, declaration
from hwbc.workforce.checks import pages
from hwbc.workforce.models import AuditEvent
from hwbc.workforce.roles import ALLOWS, Can, Role
from tests import markup
from tests.cast import Cast
from tests.pages import BY_NAME, PAGES, PUBLIC, Page

pytestmark = pytest.mark.django_db

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
FRONT_DOOR = 12  # session, user, savepoint, lift, reach, lower, release, scope, savepoint and their ends: counted once
OWN = 10
# Of these reading is kept, and the catalogue's visitor finds something confidential on them; …
SHOWN_READS = {
    "referral", "session_correct", "session_withdraw", "absence_end", "absence_withdraw", "exemption_end",
    "exemption_withdraw",
}  # fmt: skip
# … on these, whoever has something of the kind (tests/compliance/test_audit.py).
OTHER_READS = {
    "home", "caseload", "coach_caseload", "coach_employment", "coach_training", "coach_history", "overrides",
}  # fmt: skip


def test_every_page_of_the_url_configuration_is_in_the_catalogue() -> None:
    assert {pattern.name for _, pattern in pages()} == set(BY_NAME)


@each_page
def test_signed_out_leads_to_sign_in_and_back(page: Page, cast: Cast, client: Client) -> None:
    response = client.get(page.url(cast))
    if page.opens_for == PUBLIC:
        assert response.status_code == page.signed_out
    else:
        assert response.status_code == 302
        assert response.headers["Location"] == f"{reverse('account_login')}?next={page.url(cast)}"


@each_page
def test_a_role_opens_what_it_is_allowed_and_nothing_else(page: Page, cast: Cast) -> None:
    url = page.url(cast)
    needed = [can for can in (page.opens_for, page.also) if isinstance(can, Can)]
    for role in Role:
        seen = set(_refusals())
        response = cast.person(role).client.get(url)
        refused = [event for pk, event in _refusals().items() if pk not in seen]
        if missing := [can for can in needed if can not in ALLOWS[role]]:
            assert response.status_code == 403, role
            assert escape(missing[0].value) in response.content.decode(), role
            assert "PCN manager" in response.content.decode(), role
            assert [event.outcome for event in refused] == ["refused"], role
            assert refused[0].facts == {"page": page.name, "needs": missing[0].name}, role
        elif page.name == "account_login":
            assert response.headers["Location"] == reverse("home"), role
        elif page.own and role != page.visitor:
            assert response.status_code == 404, role
        else:
            assert response.status_code == page.status, role


def _refusals() -> dict[object, AuditEvent]:
    with walls.lifted("tests"):
        return {event.pk: event for event in AuditEvent.objects.filter(what="page.refuse")}


@each_page
def test_without_any_role_nothing_that_needs_one_opens(page: Page, cast: Cast) -> None:
    response = cast.nobody_yet.client.get(page.url(cast))
    assert (response.status_code == 403) == isinstance(page.opens_for, Can)


@pytest.mark.parametrize("page", [page for page in PAGES if page.of_riverside], ids=lambda page: page.name)
def test_another_pcns_record_is_no_page(page: Page, cast: Cast) -> None:
    response = cast.zed.client.get(page.url(cast))
    assert response.status_code == 404
    text = response.content.decode()
    assert not any(name in text for name in ("Asha", "Rahman", "Riverside"))


@pytest.mark.parametrize("page", [page for page in PAGES if page.fill], ids=lambda page: page.name)
def test_a_page_costs_as_many_queries_for_20_rows_as_for_2(page: Page, cast: Cast) -> None:
    counts = []
    for more in (2, 18):
        assert page.fill
        page.fill(cast, more)
        url = page.url(cast)
        visitor = cast.person(page.visitor).client  # the clock of their session is written once a minute: not now
        with CaptureQueriesContext(connection) as asked:
            assert visitor.get(url).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1], asked.captured_queries
    print(f"{page.name}: {counts[1]} queries, the front door's {FRONT_DOOR} with them")
    assert counts[1] <= FRONT_DOOR + OWN


@each_page
def test_markup_is_valid(page: Page, cast: Cast, client: Client) -> None:
    for who in (client, cast.mo.client, cast.person(page.visitor).client):
        response = who.get(page.url(cast), follow=True)
        if page.html:
            assert markup.faults(response.content.decode()) == []


@each_page
def test_reading_changes_nothing_but_the_audit_and_the_browsers_session(page: Page, cast: Cast) -> None:
    url = page.url(cast)
    visitor = cast.person(page.visitor).client
    visitor.get(url)
    with CaptureQueriesContext(connection) as asked:
        visitor.get(url)
    written = [
        match[1]
        for query in asked.captured_queries
        if (match := re.match(r'\s*(?:insert into|update|delete from)\s+"?(\w+)', query["sql"], re.IGNORECASE))
    ]
    assert set(written) <= {"workforce_auditevent", "django_session", *page.writes}
    kept = written.count("workforce_auditevent")
    assert kept <= 1
    if page.name in SHOWN_READS:
        assert kept == 1
    elif kept:
        assert page.name.endswith("_export")


def test_a_page_of_which_reading_is_kept_declares_it() -> None:
    assert {pattern.name for _, pattern in pages() if hasattr(pattern.callback, "reads")} == SHOWN_READS | OTHER_READS


def test_the_catalogue_says_what_the_pages_declare() -> None:
    for _, pattern in pages():
        said = declaration(pattern.callback, pattern.name)
        opens_for = BY_NAME[pattern.name or ""].opens_for
        if opens_for == PUBLIC:
            assert isinstance(said, str)
            assert said != SIGNED_IN
        else:
            assert said == opens_for
