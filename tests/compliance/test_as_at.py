"""As at any day, and as known at any moment: the address, the form, and that nothing else than today is changed."""

import re
from datetime import date, datetime, time, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import RequestFactory
from django.utils import timezone

from hwbc.compliance import as_at
from hwbc.compliance.as_at import AsAt
from hwbc.compliance.checks import run_checks
from hwbc.kit.periods import today
from hwbc.standards.models import Flag, FlagEvent
from hwbc.workforce import walls
from tests.cast import SETUP, Cast, Person

DAY = date(2026, 3, 31)
PARTS = {"day_day": "31", "day_month": "3", "day_year": "2026"}


def read(**given: str) -> AsAt:
    return as_at.read(RequestFactory().get("/coaches", given).GET)


def errors(asked: AsAt) -> str:
    return " ".join(str(text) for texts in asked.form.errors.values() for text in texts)


def test_today_and_now_unless_asked() -> None:
    asked = read()
    assert (asked.day, asked.known, asked.is_now, asked.query) == (today(), None, True, "")
    assert timezone.now() - asked.moment < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["2026-03-31", "31/03/2026", " 2026-03-31 "])
def test_a_day_as_people_write_it(text: str) -> None:
    asked = read(**{"as-at": text})
    assert (asked.day, asked.is_now, asked.query) == (DAY, False, "?as-at=2026-03-31")


def test_todays_own_address_is_the_plain_one() -> None:
    assert read(**{"as-at": today().isoformat()}).query == ""


def test_a_moment_of_knowing_is_london_time_and_stays_in_the_address() -> None:
    asked = read(**{"as-at": "2026-03-31", "known-at": "2026-04-02T09:00"})
    assert asked.moment == timezone.make_aware(datetime.combine(date(2026, 4, 2), time(9)))
    assert parse_qs(asked.query[1:]) == {"as-at": ["2026-03-31"], "known-at": ["2026-04-02T09:00:00"]}
    again = read(**{name: values[0] for name, values in parse_qs(asked.query[1:]).items()})
    assert (again.day, again.moment) == (asked.day, asked.moment)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"as-at": "yesterday"}, "“yesterday” is not a day. Write it as 2026-03-31 or 31/03/2026."),
        ({"as-at": "2026-02-30"}, "is not a day"),
        ({"as-at": "0001-01-01"}, "between 1900 and 2199"),
        ({"as-at": "9999-12-31"}, "between 1900 and 2199"),
        ({"known-at": "noon"}, "is not a moment"),
        ({"known-at": "9999-12-31T23:59:59+00:00"}, "is not a moment"),
    ],
)
def test_what_cannot_be_read_is_said_and_today_is_shown(given: dict[str, str], said: str) -> None:
    asked = read(**given)
    assert said in errors(asked)
    assert asked.day == today()
    assert asked.known is None


KNOWN = {"known_day": "2", "known_month": "4", "known_year": "2026", "clock": "9.30"}


def asked_for(person: Person, back: str, **given: str) -> str:
    """Where the form leads."""
    response = person.client.get("/another-day", {"next": back, **given})
    assert response.status_code == 302, response.content.decode()
    return str(response.headers["Location"])


@pytest.mark.django_db
def test_the_form_leads_back_to_the_page_and_keeps_its_filters(cast: Cast) -> None:
    found = urlsplit(asked_for(cast.mo, "/flags?group=Supervision&page=3&as-at=2020-01-01", **PARTS, **KNOWN))
    assert found.path == "/flags"
    asked = {"as-at": ["2026-03-31"], "known-at": ["2026-04-02T09:30:00"], "group": ["Supervision"]}
    assert parse_qs(found.query) == asked


@pytest.mark.django_db
def test_without_a_time_the_whole_day_of_knowing_is_meant(cast: Cast) -> None:
    found = asked_for(cast.mo, "/flags", **PARTS, **{**KNOWN, "clock": ""})
    assert parse_qs(urlsplit(found).query)["known-at"] == ["2026-04-02T23:59:59"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "back", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", "", "\\\\x"]
)
def test_the_form_leads_nowhere_else(back: str, cast: Cast) -> None:
    assert asked_for(cast.mo, back, **PARTS) == "/?as-at=2026-03-31"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**PARTS, "day_month": "13"}, "must be a real date"),
        ({**PARTS, "day_year": "1066"}, "between 1900 and 2199"),
        ({**PARTS, "clock": "late"}, "Write the time as 09:30"),
        ({"day_day": ""}, "Enter what was so on"),
    ],
)
def test_the_form_says_what_is_wrong(given: dict[str, str], said: str, cast: Cast) -> None:
    response = cast.mo.client.get("/another-day", {"next": "/flags", **given})
    assert response.status_code == 200
    assert said in response.content.decode()


@pytest.mark.django_db
def test_the_form_opens_with_the_day_that_was_shown(cast: Cast) -> None:
    back = "/flags?as-at=2026-03-31&known-at=2026-04-02T09:30"
    text = cast.mo.client.get("/another-day", {"next": back}).content.decode()
    assert re.findall(r'value="([^"]+)"', text[text.index("day_day") :])[:7] == [
        "31",
        "3",
        "2026",
        "2",
        "4",
        "2026",
        "09:30",
    ]


@pytest.mark.django_db
def test_a_page_with_a_wrong_day_says_so_and_works(cast: Cast) -> None:
    response = cast.mo.client.get("/", {"as-at": "31 march"})
    text = response.content.decode()
    assert response.status_code == 200
    assert "There is a problem" in text
    assert "<title>Error: Home" in text.replace("\n", "")
    assert "What needs you today" in text


@pytest.mark.parametrize("query", ["?as-at=2026-03-31", "?known-at=2026-11-01T09:00"])
def test_nothing_is_changed_but_as_at_today(query: str, cast: Cast) -> None:
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        flag = Flag.objects.filter(coach=cast.coach_asha).earliest("pk")
    address = f"/flags/{flag.uuid}"
    response = cast.mo.client.post(f"{address}{query}", {"note": "Seen"}, follow=True)
    assert "Nothing was changed: you were looking at another day." in response.content.decode()
    with walls.lifted("tests"):
        assert not FlagEvent.objects.filter(what="acknowledged").exists()
    cast.mo.client.post(address, {"note": "Seen"})  # the control
    with walls.lifted("tests"):
        assert FlagEvent.objects.filter(what="acknowledged").count() == 1
