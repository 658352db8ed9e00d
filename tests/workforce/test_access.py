"""The front door: what opens, what stays shut, and what is left behind."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path

from hwbc.workforce import access, walls
from hwbc.workforce.access import NOBODY, FrontDoor, needs, public
from hwbc.workforce.actions import end_grant
from hwbc.workforce.checks import every_page_declares
from hwbc.workforce.models import AuditEvent, Coach, Grant, Organisation
from hwbc.workforce.roles import Can, Role
from tests.cast import SETUP, Cast, signed_in

pytestmark = pytest.mark.django_db


def declares_nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse("secret")


@needs(Can.SEE_STANDING)
def writes_and_refuses(request: access.Request) -> HttpResponse:
    Organisation.objects.create(code="LOST", name="Work of a refused view", kind="pcn")
    raise access.Refused(Can.INVITE)


@needs(Can.SEE_STANDING)
def forgets_to_filter(request: access.Request) -> HttpResponse:
    return HttpResponse(", ".join(sorted(coach.name for coach in Coach.objects.all())))


@needs(Can.SEE_STANDING)
def breaks(request: access.Request) -> HttpResponse:
    raise ZeroDivisionError("Asha Rahman's secret")


@needs(Can.SEE_STANDING)
def loses_the_database(request: access.Request) -> HttpResponse:
    raise OperationalError("server closed the connection unexpectedly")


@public("a test")
def shows_scope(request: access.Request) -> HttpResponse:
    return HttpResponse(repr(walls._scope.get()))


urlpatterns = [
    path("undeclared", declares_nothing, name="undeclared"),
    path("refuses", writes_and_refuses, name="refuses"),
    path("forgets", forgets_to_filter, name="forgets"),
    path("breaks", breaks, name="breaks"),
    path("loses", loses_the_database, name="loses"),
    path("scope", shows_scope, name="scope"),
]


@pytest.fixture
def pages():
    """The real addresses and those above."""
    from hwbc import urls

    with override_settings(
        ROOT_URLCONF=type("Urls", (), {"urlpatterns": urlpatterns + urls.urlpatterns, "handler500": urls.handler500})
    ):
        yield


def test_a_page_that_declares_nothing_does_not_open(pages: None, cast: Cast) -> None:
    with pytest.raises(ImproperlyConfigured, match="/undeclared declares nothing"):
        cast.mo.client.get("/undeclared")
    client = Client(raise_request_exception=False)
    signed_in(client, cast.mo.user)
    response = client.get("/undeclared")
    assert response.status_code == 500
    assert b"secret" not in response.content


def test_a_page_that_declares_nothing_stops_the_start(pages: None) -> None:
    assert [(error.id, error.msg) for error in every_page_declares(None)] == [
        ("hwbc.E001", "The page /undeclared declares nothing.")
    ]


def test_a_view_that_forgets_to_filter_still_shows_no_foreign_row(pages: None, cast: Cast) -> None:
    assert cast.mo.client.get("/forgets").content == b"Asha Rahman, Bo Lindqvist"
    assert cast.zed.client.get("/forgets").content == b"Dot Ferreira"
    assert cast.sam.client.get("/forgets").content == b"Asha Rahman"


def test_a_refused_view_loses_its_work_and_keeps_its_audit_line(pages: None, cast: Cast) -> None:
    response = cast.mo.client.get("/refuses")
    assert response.status_code == 403
    assert not Organisation.objects.filter(code="LOST").exists()
    with walls.lifted("tests"):
        assert AuditEvent.objects.get(what="page.refuse").user_id == cast.mo.user.pk


def test_a_failure_shows_a_reference_and_nothing_else(pages: None, cast: Cast) -> None:
    client = Client(raise_request_exception=False)
    signed_in(client, cast.mo.user)
    response = client.get("/breaks")
    page = response.content.decode()
    assert response.status_code == 500
    assert "Asha" not in page
    assert "Traceback" not in page
    assert response.headers["X-Request-ID"][:8] in page if "X-Request-ID" in response.headers else True


def test_without_its_database_the_service_says_so(pages: None, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    response = cast.mo.client.get("/loses")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "30"

    def away(*args: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(access, "reach", away)
    assert cast.mo.client.get("/").status_code == 503
    assert cast.mo.client.get("/health/live").content == b"ok\n"


def test_the_scope_ends_with_the_request(pages: None, cast: Cast) -> None:
    assert b"coaches=" in cast.mo.client.get("/scope").content
    assert walls._scope.get() is None


def test_a_grant_that_ends_acts_on_the_next_request(cast: Cast) -> None:
    assert cast.mo.client.get("/service-status").status_code == 200
    with walls.lifted("tests"):
        end_grant(SETUP, grant=Grant.objects.get(user=cast.mo.user))
    assert cast.mo.client.get("/service-status").status_code == 403


def test_an_account_that_is_closed_acts_on_the_next_request(cast: Cast) -> None:
    assert cast.mo.client.get("/").status_code == 200
    cast.mo.user.is_active = False
    cast.mo.user.save()
    assert cast.mo.client.get("/").status_code == 302


def test_for_actor_shows_what_the_roles_reach(cast: Cast) -> None:
    def seen(person: str) -> set[str]:
        actor = getattr(cast, person).actor
        with walls.within(actor.scope):
            return {coach.name for coach in Coach.objects.for_actor(actor)}

    assert seen("asha") == seen("sam") == {"Asha Rahman"}
    assert seen("mo") == {"Asha Rahman", "Bo Lindqvist"}
    assert seen("lee") == seen("ann") == {"Asha Rahman", "Bo Lindqvist", "Cai Morgan"}
    assert seen("zed") == {"Dot Ferreira"}
    assert seen("nobody_yet") == set()


def test_for_actor_holds_without_the_database_wall(cast: Cast) -> None:
    """The first wall by itself: with every row shown by the database, the queryset still shows the actor's."""
    actor = cast.zed.actor
    with walls.lifted("tests"):
        assert {coach.name for coach in Coach.objects.for_actor(actor)} == {"Dot Ferreira"}
        assert {grant.user_id for grant in Grant.objects.for_actor(actor)} == {cast.zed.user.pk}
        assert not Coach.objects.for_actor(actor, Can.INVITE).exclude(name="Dot Ferreira").exists()


def test_one_person_may_have_roles_in_two_places(cast: Cast) -> None:
    cast.mo.given(Role.PCN_MANAGER, cast.lakeside)
    assert set(cast.mo.actor.scope.pcns) == {cast.riverside.pk, cast.lakeside.pk}


@pytest.mark.django_db(transaction=True)
def test_the_front_door_asks_at_most_eight_questions(live_cast: Cast) -> None:
    """Begin, lift, session, user, reach, scope, commit; around a page that asks nothing, but for its savepoint."""
    client = live_cast.mo.client
    client.get("/components")
    with CaptureQueriesContext(connection) as asked:
        client.get("/components")
    said = [query["sql"].split()[0].upper() for query in asked.captured_queries]
    assert said.count("SAVEPOINT") == said.count("RELEASE") == 1
    assert len(said) - 2 <= 8, said


def test_health_asks_nothing_of_the_session_or_the_scope() -> None:
    request = RequestFactory().get("/health/live")

    def page(request: HttpRequest) -> HttpResponse:
        assert request.actor is NOBODY  # type: ignore[attr-defined]
        return HttpResponse("ok")

    assert FrontDoor(page)(request).content == b"ok"  # type: ignore[arg-type]


def test_health_is_answered_by_address_and_pages_by_name_alone(client: Client) -> None:
    assert client.get("/health/live", headers={"host": "10.0.0.7"}).status_code == 200
    assert client.get("/health/ready", headers={"host": "10.0.0.7"}).json() == {"database": "ok", "broker": "ok"}
    refused = client.get("/account/sign-in", headers={"host": "evil.example"})
    assert refused.status_code == 400
    assert "evil.example" not in refused.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_not_migrated_is_not_ready(client: Client) -> None:
    [(_, newest)] = [leaf for leaf in MigrationLoader(connection).graph.leaf_nodes() if leaf[0] == "standards"]

    def rename(old: str, new: str) -> None:
        with walls.as_owner(), connection.cursor() as cursor:
            cursor.execute("update django_migrations set name = %s where app = 'standards' and name = %s", [new, old])

    assert client.get("/health/ready").status_code == 200
    rename(newest, "9999_other")
    try:
        response = client.get("/health/ready")
    finally:
        rename("9999_other", newest)
    assert response.status_code == 503
    assert response.json()["database"] == "not migrated"
