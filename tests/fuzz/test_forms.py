"""Every form and every address with values that nobody should send: no page breaks, nothing of others is written.

Each request is undone when it was looked at. What a form shows may be written; nothing else that is sent with it may
make a difference.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from hwbc.compliance.forms.recording import Entered
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.actions import add_post, record_absence
from hwbc.workforce.models import Absence, Coach
from tests import facts
from tests.cast import PASSWORD, Cast, Person
from tests.compliance import bringing
from tests.fuzz import shown, values
from tests.fuzz.conftest import FULL, SCALE
from tests.fuzz.sending import FORM, Came, Sent, Tally, encoded, multipart, quoted, send, undone
from tests.fuzz.values import EXECUTES, Pairs
from tests.fuzz.written import Reach, reach, told
from tests.pages import BY_NAME, PAGES, PUBLIC, Page, a_waiting_one, more_overrides
from tests.pages import told as told_mo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("triggers", "quiet")]

SAMPLE = ("meeting_new", "exemption_new", "referral", "coaches", "import_new")  # what `make test` tries of it
PER_FORM = tuple(
    max(3, round(share * SCALE)) for share in (130, 45, 45)
)  # requests: of whoever it is for, of a hub's administrator, of Zed
PER_ADDRESS = tuple(max(2, round(share * SCALE)) for share in (60, 25, 25))
CANARY = "canary-in-a-field-that-no-form-shows"

# Forms that stand on no page of their own address: what a page would send.
BY_HAND: dict[str, dict[str, str]] = {
    "export_ask": {"list": "coaches", "format": "csv", "query": "sort=name"},
    "notification_read": {},
    "import_confirm": {},
    "account_reset_password_from_key": {"password1": "four-other-random-words", "password2": "four-other-random-words"},
}
# Answers that cannot be guessed from the form.
ANSWERS: dict[str, dict[str, str]] = {
    "account_login": {"login": "zed.kowalski@example.org", "password": PASSWORD},
    "account_reauthenticate": {"password": PASSWORD},
    "account_change_password": {
        "oldpassword": PASSWORD, "password1": "four-other-random-words", "password2": "four-other-random-words",
    },
    "account_reset_password": {"email": "mo.haddad@example.org"},
    "components": {},
    "post_new": {
        "starts_on_day": "6", "starts_on_month": "1", "starts_on_year": "2025", "ends_on_day": "31",
        "ends_on_month": "3", "ends_on_year": "2025",
    },
    **dict.fromkeys(
        ("training_new", "training_correct"),
        {f"{name}_{part}": "" for name in ("certificate_on", "withdrawn_on") for part in ("day", "month", "year")}
        | {"attended_on": "", "certificate_number": ""},
    ),
}  # fmt: skip


def unmapped(cast: Cast) -> dict[str, str]:
    """A check of Mo's that found headings which are no columns."""
    rows = [{"Coach": "ASHA", "Sort of absence": "sickness", "from": facts.ago(3)}]
    return {"uuid": str(bringing.checked(cast.mo, {"absences": rows}).pk)}


def one_of_two_posts(cast: Cast) -> dict[str, str]:
    """A post of Asha's beside which she has another: the last one of a coach is not withdrawn."""
    days: dict[str, Any] = {"starts_on": date(2025, 1, 6), "ends_on": date(2025, 3, 31), "hours_per_week": 10}
    with walls.lifted("tests"):
        post = add_post(
            cast.mo.actor, coach=cast.coach_asha, pcn=cast.riverside, employer=cast.riverside, funding="other", **days
        )
    return {"uuid": str(cast.coach_asha.uuid), "pk": str(post.pk)}


def of_bo(cast: Cast) -> dict[str, str]:
    """Bo, whom nobody supervises yet."""
    return {"uuid": str(cast.coach_bo.uuid)}


def waits_for_somebody(cast: Cast) -> dict[str, str]:
    """A referral, with a coach who may take it."""
    more_overrides(cast, 1)
    return a_waiting_one(cast)


def unread(cast: Cast) -> dict[str, str]:
    """The page of what Mo was told, with something unread."""
    told_mo(cast, 1)
    return {}


def with_courses(cast: Cast) -> dict[str, str]:
    """Asha, and courses that she can be enrolled on."""
    facts.bring_in(cast, facts.courses())
    return {"uuid": str(cast.coach_asha.uuid)}


# Where the catalogue's record is one for which every answer is refused, or nothing is asked.
KWARGS: dict[str, Callable[[Cast], dict[str, str]]] = {
    "import_columns": unmapped, "post_withdraw": one_of_two_posts, "agreement_new": of_bo, "notifications": unread,
    "referral_allocate": waits_for_somebody, "training_new": with_courses,
}  # fmt: skip
# A form that one page shows and another takes.
SHOWN_ON = {"import_columns": "job"}
_ENDS = ("_new", "_end", "_withdraw", "_correct", "_change", "_certificate", "_receive", "_allocate", "_close", "_back")
_OTHERS = {"flag", "session_log", "override", "access_invite", "notifications", "components", "account_logout",
           "status", "case_find", "case_open", "access_deputy", "access_suspend", "access_sign_in_rules"}  # fmt: skip
_BY_NAME = {*BY_HAND, *SHOWN_ON, *ANSWERS, *_OTHERS}
# Pages that a form is sent to; of every other page the test of addresses finds that it takes none.
POSTS = [
    page
    for page in PAGES
    if (page.name in _BY_NAME or page.name.endswith(_ENDS)) and page.name != "account_provider_back"
]
# Forms that are not filled in here: a code of an app, a passkey's ceremony, or nothing but a button.
NOT_TRIED = {"session", "account_app_add", "account_passkey_add", "account_factor_remove"}
GETS = [page for page in PAGES if page.status == 200]


def some(pages: list[Page]) -> pytest.MarkDecorator:
    """All of them, or the sample."""
    chosen = pages if FULL else [page for page in pages if page.name in SAMPLE]
    return pytest.mark.parametrize("page", chosen, ids=lambda page: page.name)


@dataclass(frozen=True)
class Visitor:
    """Somebody with a browser."""

    label: str
    client: Client
    reach: Reach


def visitors(page: Page, cast: Cast) -> list[Visitor]:
    """Whoever the page is for, the administrator of the hub, and Zed of another PCN."""
    made: list[tuple[str, Person]] = [("visitor", cast.person(page.visitor)), ("hub", cast.lee), ("zed", cast.zed)]
    people = [Visitor(label, person.client, reach(cast, person)) for label, person in made]
    if page.opens_for == PUBLIC and page.name != "account_logout":
        # Of nobody's password but one: whoever signs in on the way is Zed.
        people[0] = Visitor("nobody", Client(), reach(cast, cast.zed if page.name == "account_login" else None))
    return people


def others(cast: Cast) -> list[str]:
    """Identifiers of everything in the database, of every PCN and kind: most are not the visitor's."""
    found: list[str] = [cast.lakeside.code, cast.riverside.code, cast.hilltop.code, cast.northfield.code]
    with walls.lifted("tests"), connection.cursor() as cursor:
        for table, wall in walls.declared().items():
            if wall.rights and table not in ("django_session", "hwbc_cache", "django_migrations"):
                cursor.execute(f"select to_jsonb(t)->>'uuid', to_jsonb(t)->>'id' from \"{table}\" t limit 12")
                found += [value for row in cursor.fetchall() for value in row if value]
    return sorted(set(found))


def known_uuids(given: list[str], pairs: Pairs) -> set[str]:
    return {value for value in (*given, *(str(value) for _, value in pairs)) if re.fullmatch(r"[0-9a-f-]{36}", value)}


def form_of(page: Page, url: str, client: Client) -> shown.Shown | None:
    """What the page shows to be filled in and sent to itself; None where it shows this visitor nothing."""
    if page.name in BY_HAND:
        fields = {name: shown.Asked(name, "hidden", [value]) for name, value in BY_HAND[page.name].items()}
        return shown.Shown(url, "post", fields=fields)
    source = url
    if page.name in SHOWN_ON:
        source = reverse(SHOWN_ON[page.name], kwargs=dict(resolve(url).kwargs))
    response = client.get(source, follow=False)
    if response.status_code != 200:
        return None
    without = () if page.name == "account_logout" else (reverse("account_logout"),)
    found = [form for form in shown.forms(response.content.decode(), source, without=without) if form.action == url]
    return max(found, key=lambda form: len(form.fields), default=None)


def attached(page: Page, form: shown.Shown) -> list[tuple[str, str, bytes]]:
    """A file for every field that asks for one: a workbook, as a rule."""
    row = {"coach_ref": "ASHA", "kind": "sickness", "from": facts.ago(3)}
    good = bringing.packed({"absences": [row]})
    return [(each.name, "workbook.xlsx", good) for each in form.fields.values() if each.kind == "file"]


def valid(page: Page, form: shown.Shown, visitor: Visitor, rng: Random, tally: Tally) -> tuple[Pairs, Came] | None:
    """The form filled in so that it is taken, found by trying; and what came of it."""
    for _ in range(60):
        pairs = form.filled(rng, ANSWERS.get(page.name, {}))
        sent = posted(form, pairs, attached(page, form), rng)
        came = send(visitor.client, sent, page.name, visitor.reach)
        tally.add(sent, came)
        if came.status == 302 or page.name == "components":
            return pairs, came
    return None


def posted(form: shown.Shown, pairs: Pairs, files: list[tuple[str, str, bytes]], rng: Random) -> Sent:
    """The form as a browser sends it."""
    if form.multipart or files:
        body, kind = multipart(rng if rng.random() < 0.2 else Random(0), pairs, files)
        return Sent("POST", form.action, body, kind)
    return Sent("POST", form.action, encoded(pairs).encode())


def disturbed(form: shown.Shown, pairs: Pairs, given: list[str], rng: Random, page: Page) -> Sent:
    """The form with something wrong: with its values, its files, its encoding or its address."""
    files = attached(page, form)
    after = values.changed(rng, pairs, given)
    chance = rng.random()
    if files and chance < 0.5:
        content = rng.choice(
            (b"", b"PK\x03\x04", files[0][2][: rng.randrange(2_000)], rng.randbytes(500), b"\xd0\xcf\x11\xe0")
        )
        called = rng.choice(
            ("", "a\x00.xlsx", "../../x.xlsx", "x" * 300 + ".xlsx", "😀.xlsx", "con.xlsx", '"', "a.exe")
        )
        files = [(files[0][0], called, rng.choice((content, files[0][2])))]
    elif files and chance < 0.7:  # text where a file is asked for
        after, files = [*after, (files[0][0], values.nasty(rng, given))], []
    elif chance < 0.06 and pairs:  # a file where text is asked for
        name, _ = rng.choice(pairs)
        files = [(name if isinstance(name, str) else "x", "notes.txt", b"text")]
    elif chance < 0.08:
        after = [*after, *((f"field{number}", "x") for number in range(1_100))]
    sent = posted(form, after, files, rng)
    chance = rng.random()
    if chance < 0.02:
        kind = rng.choice(("application/json", "text/plain", "multipart/form-data", f"{FORM}; charset=utf-16",
                           f"{FORM}; charset=nonsense", "", "\u00e4"))  # fmt: skip
        return replace(sent, content_type=kind)
    if chance < 0.05:
        return replace(sent, address=f"{sent.address}?{encoded(asked(rng, sorted(values.PARAMETERS), given))}")
    if chance < 0.07:
        return replace(sent, body=sent.body[: rng.randrange(len(sent.body) + 1)])
    if chance < 0.08:
        return replace(sent, method=rng.choice(("PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE")))
    return sent


def extras(form: shown.Shown, given: list[str], rng: Random) -> Pairs:
    """Fields that the form does not show, with what somebody would like to stand there."""
    names = [name for name in values.EXTRAS if name not in form.fields and f"{name}_day" not in form.fields]
    liked = [CANARY, CANARY, "1", "on", "2020-01-01", "true", *rng.sample(given, min(6, len(given)))]
    return [(name, rng.choice(liked)) for name in rng.sample(names, rng.choice((3, 10, len(names))))]


def compare(
    page: Page, form: shown.Shown, base: Pairs, more: Pairs, visitor: Visitor, known: set[str], tally: Tally
) -> None:
    """The form with more fields than it shows does what it does without them, and no row holds the canary."""
    rng = Random(0)
    same = posted(form, base, attached(page, form), rng)
    other = posted(form, [*more, *base, *more], attached(page, form), rng)
    one, two = (send(visitor.client, sent, page.name, visitor.reach) for sent in (same, other))
    differ = set(told(one.written, known)) ^ set(told(two.written, known))
    faults = [f"fields that are not shown make a difference: {line}" for line in sorted(differ)]
    if one.status != two.status:
        faults.append(f"fields that are not shown change the answer from {one.status}")
    tally.add(same, one)
    tally.add(other, two, [*faults, *holds(two)])


def holds(came: Came) -> list[str]:
    """Rows that hold the canary."""
    return [f"{CANARY} is written: {row}" for row in came.written if row.new and CANARY in str(row.new)]


# --- Forms ------------------------------------------------------------------------------------------------------------


@some(POSTS)
def test_no_form_breaks_and_none_writes_what_it_does_not_show(
    page: Page, cast: Cast, rng: Random, record_property: Callable[[str, object], None]
) -> None:
    tally, compared = Tally(), 0
    url = reverse(page.name, kwargs=KWARGS.get(page.name, page.kwargs)(cast))
    facts.bring_in(cast, {"referrals": [{"referral_ref": "FAR", "pcn_code": "U99993", "source": "self",
                                         "priority": "urgent", "received_on": facts.ago(8)}]}, "HUB2")  # fmt: skip
    base: Pairs = []
    form: shown.Shown | None = None
    taken = False
    for visitor, count in zip(visitors(page, cast), PER_FORM, strict=True):
        if page.name == "account_reset_password_from_key":
            with undone():  # its first step puts the key into the session
                visitor.client.get(url)
        given = others(cast)
        theirs = form_of(page, url, visitor.client)
        form = theirs or form
        assert form is not None, f"{page.name} shows no form to {visitor.label}"
        found = valid(page, form, visitor, rng, tally) if theirs else None
        if found is not None:
            base = found[0]
            taken = taken or bool(found[1].written)
            for _ in range(max(1, count // 10)):
                more = extras(form, given, rng)
                compare(page, form, base, more, visitor, known_uuids(given, base), tally)
                compared += 1
        elif not base:
            base = form.filled(rng, ANSWERS.get(page.name, {}))
        for _ in range(count):
            sent = disturbed(form, base, given, rng, page)
            tally.add(sent, send(visitor.client, sent, page.name, visitor.reach))
    record(record_property, tally, compared)
    assert not tally.faults, f"{len(tally.faults)} faults:\n" + "\n\n".join(tally.faults[:6])
    assert taken or page.name in NOTHING_WRITTEN, "no form was taken: the fuzz did not get past the questions"


# What these do is not in a table: or in that of sessions alone.
NOTHING_WRITTEN = {"case_find", "components"}


def record(record_property: Callable[[str, object], None], tally: Tally, compared: int = 0) -> None:
    counts = {str(status): count for status, count in tally.statuses.items()}
    record_property("fuzz", {**counts, "wrote": tally.wrote, "compared": compared})


# --- Addresses --------------------------------------------------------------------------------------------------------


def asked(rng: Random, names: list[str], given: list[str]) -> Pairs:
    """Some parameters, with anything in them."""
    return [(rng.choice(names), values.nasty(rng, given)) for _ in range(rng.choice((1, 1, 2, 3, 6)))]


def elsewhere(url: str, kwargs: dict[str, str], given: list[str], rng: Random) -> str:
    """The address with another record in it, or with what is none."""
    name = rng.choice(sorted(kwargs))
    other = rng.choice(given) if rng.random() < 0.6 else values.nasty(rng, given)
    return url.replace(str(kwargs[name]), quoted(other)[:4_000], 1)


@some(GETS)
def test_no_address_breaks_a_page(
    page: Page, cast: Cast, rng: Random, record_property: Callable[[str, object], None]
) -> None:
    tally = Tally()
    kwargs = page.kwargs(cast)
    url = reverse(page.name, kwargs=kwargs)
    allowed = {"workforce_auditevent", "django_session", *page.writes}
    for visitor, count in zip(visitors(page, cast), PER_ADDRESS, strict=True):
        given = others(cast)
        response = visitor.client.get(url)
        names = set(values.PARAMETERS)
        if response.status_code == 200 and not response.streaming and page.html:
            names |= shown.parameters(response.content.decode())
        for _ in range(count):
            address = url
            if kwargs and rng.random() < 0.3:
                address = elsewhere(url, kwargs, given, rng)
            sent = Sent(
                "GET", f"{address}?{encoded(asked(rng, sorted(names), given))}"[:8_000]
            )  # a web server takes no more
            came = send(visitor.client, sent, page.name, visitor.reach)
            wrote = {row.table for row in came.written} - allowed
            tally.add(sent, came, [f"reading wrote to {sorted(wrote)}"] if wrote else [])
    if (
        page not in POSTS and page.name not in NOT_TRIED and not page.name.startswith("health_")
    ):  # these answer whatever is sent
        sent = Sent("POST", url, b"name=value")
        person = visitors(page, cast)[0]
        came = send(person.client, sent, page.name, person.reach)
        tally.add(sent, came, [] if came.status in (404, 405) else ["a form is taken that nobody tries: see POSTS"])
    record(record_property, tally)
    assert not tally.faults, f"{len(tally.faults)} faults:\n" + "\n\n".join(tally.faults[:6])


# --- Controls ---------------------------------------------------------------------------------------------------------


def tried(name: str, cast: Cast, more: Pairs = []) -> str:  # noqa: B006
    """A form of Mo's, filled in well and sent with and without more fields: what is found wrong with that."""
    page, tally, rng = BY_NAME[name], Tally(), Random(1)
    url = reverse(name, kwargs=page.kwargs(cast))
    visitor = Visitor("mo", cast.mo.client, reach(cast, cast.mo))
    form = form_of(page, url, visitor.client)
    assert form is not None
    found = valid(page, form, visitor, rng, tally)
    base = found[0] if found else form.filled(rng, {})
    compare(page, form, base, more, visitor, known_uuids([], base), tally)
    return "\n".join(tally.faults)


ABSENCES = "hwbc.compliance.views.recording.employment"


def test_control_what_is_right_is_not_complained_of(cast: Cast) -> None:
    assert tried("absence_new", cast, [("recorded_at", "2020-01-01"), ("coach", str(cast.coach_dot.pk))]) == ""


def test_control_a_page_that_breaks_is_seen(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(f"{ABSENCES}.record_absence", breaks)
    assert "ZeroDivisionError: on purpose" in tried("absence_new", cast)


def test_control_what_cannot_be_committed_is_seen(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def dangles(*_: Any, **__: Any) -> HttpResponse:
        days: dict[str, Any] = {"starts_on": today(), "recorded_at": timezone.now()}
        Absence.objects.create(coach=cast.coach_asha, kind="sickness", voided_by_id=2**40, **days)
        return HttpResponse()

    visitor = Visitor("mo", cast.mo.client, reach(cast, cast.mo))
    monkeypatch.setattr("hwbc.compliance.views.recording.entry.render", dangles)
    url = reverse("absence_new", kwargs={"uuid": cast.coach_asha.uuid})
    assert "cannot be committed" in str(send(visitor.client, Sent("GET", url), "absence_new", visitor.reach).faults)


def test_control_a_row_about_anothers_coach_is_seen(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(actor: Any, *, coach: Coach, **values: Any) -> Absence:
        with walls.lifted("tests"):
            return record_absence(cast.zed.actor, coach=cast.coach_dot, **values)

    monkeypatch.setattr(f"{ABSENCES}.record_absence", elsewhere)
    assert "another's coach_id: INSERT workforce_absence" in tried("absence_new", cast)


@pytest.mark.parametrize(
    ("sent", "into", "says"),
    [(("recorded_at", "2020-01-01"), "starts_on", "make a difference: INSERT workforce_absence"),
     (("voided_because", CANARY), "because", f"{CANARY} is written: UPDATE workforce_absence")],
)  # fmt: skip
def test_control_a_form_that_takes_what_it_does_not_show_is_seen(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, sent: tuple[str, str], into: str, says: str
) -> None:
    right = Entered.answers

    def takes_more(form: Entered, *without: str) -> dict[str, Any]:
        said = right(form, *without)
        value = form.data.get(sent[0])
        if value is None:
            return said
        return {**said, into: date.fromisoformat(value) if into == "starts_on" else value}

    monkeypatch.setattr(Entered, "answers", takes_more)
    name = "absence_new" if into == "starts_on" else "absence_withdraw"
    assert says in tried(name, cast, [sent])


@pytest.mark.parametrize(
    ("answer", "says"),
    [(HttpResponse("<p>" + EXECUTES[0].decode() + "</p>"), "a browser would run it"),
     (HttpResponseRedirect("https://evil.example/"), "leads elsewhere"),
     (StreamingHttpResponse(str(1 // number) for number in (1, 0)), "the answer breaks off"),
     (HttpResponse(status=507), "status 507")],
    ids=("script", "redirect", "stream", "status"),
)  # fmt: skip
def test_control_an_answer_that_should_not_be_is_seen(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, answer: HttpResponse, says: str
) -> None:
    visitor = Visitor("mo", cast.mo.client, reach(cast, cast.mo))
    monkeypatch.setattr("hwbc.compliance.views.recording.entry.render", lambda *_, **__: answer)
    url = reverse("absence_new", kwargs={"uuid": cast.coach_asha.uuid})
    assert says in str(send(visitor.client, Sent("GET", url), "absence_new", visitor.reach).faults)


def test_the_same_seed_draws_the_same() -> None:
    form = shown.forms("<form method=post><input name=a><select name=b><option>1<option>2</select></form>", "/x")[0]
    one, other = (Random("7:x") for _ in range(2))
    for _ in range(50):
        draws = [values.changed(rng, form.filled(rng, {}), ("U1",)) for rng in (one, other)]
        assert draws[0] == draws[1]
