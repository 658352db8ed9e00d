"""What somebody was told, in words: made when it is shown, from the codes and dates of the notification."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django.urls import reverse

from hwbc.compliance.catalogue import REQUIRED_PREFIX, RULES
from hwbc.compliance.sentences import written
from hwbc.standards.models import Notification
from hwbc.standards.rules import OVERDUE
from hwbc.workforce.roles import Role

Facts = dict[str, Any]


def said(notification: Notification) -> str:
    """The notification as one or two sentences; about a coach, with their name first, for whoever reaches them."""
    whom = f"{notification.coach.name}: " if notification.coach else ""
    return whom + _SAID[Notification.Kind(notification.kind)](notification.facts)


def leads_to(notification: Notification) -> str:
    """The address of what it is about; "" where there is none."""
    kind = Notification.Kind(notification.kind)
    if kind == Notification.Kind.FLAG_RAISED and notification.record:
        return reverse("flag", kwargs={"uuid": notification.record})
    if kind == Notification.Kind.CASE_OPENED and notification.facts["as"] == "manager":
        return reverse("openings")
    if kind == Notification.Kind.CASES_LEFT:
        return reverse("referrals")
    if kind in (Notification.Kind.REFERRAL_ALLOCATED, Notification.Kind.CASE_OPENED) and notification.record:
        return reverse("referral", kwargs={"uuid": notification.record})
    return ""


def _flag_raised(facts: Facts) -> str:
    rule: str = facts["rule"]
    what = RULES[rule].title if rule in RULES else f"Required course {rule.removeprefix(REQUIRED_PREFIX)}"
    state = "overdue against the standard" if facts["state"] == OVERDUE else "not met"
    since = f" since {written(since)}" if (since := _day(facts["since"])) else ""
    due = f" It was due on {written(due)}." if (due := _day(facts["due_on"])) else ""
    return f"{what}, {state}{since}.{due}"


def _referral_allocated(facts: Facts) -> str:
    return "A referral was allocated to you."


def _case_opened(facts: Facts) -> str:
    if facts["as"] == "manager":
        return "A case at your PCN was opened by somebody whose case it is not, with a reason."
    return "A case of yours was opened by somebody else, with a reason. Your PCN manager sees who it was, and why."


def _cases_left(facts: Facts) -> str:
    cases = facts["cases"]
    waits = "1 case of theirs waits" if cases == 1 else f"{cases} cases of theirs wait"
    return f"the post at your PCN ended on {written(date.fromisoformat(facts['ended_on']))}. {waits} for another coach."


def _deputy_named(facts: Facts) -> str:
    role = Role(facts["role"]).label
    first, last = date.fromisoformat(facts["from"]), date.fromisoformat(facts["until"])
    return f"You stand in for somebody ({role}), from {written(first)} to {written(last)}. Home says for whom."


def _checks_missed(facts: Facts) -> str:
    day, last = date.fromisoformat(facts["day"]), _day(facts["last"])
    if last is None:
        return f"The nightly checks did not run on {written(day)}, and none ran before it."
    first = last + timedelta(days=1)
    days = f"from {written(first)} to {written(day)}" if first < day else f"on {written(day)}"
    before = f"The last before were on {written(last)}: what changed since is flagged late."
    return f"The nightly checks did not run {days}. {before}"


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


_SAID: dict[Notification.Kind, Callable[[Facts], str]] = {
    Notification.Kind.FLAG_RAISED: _flag_raised,
    Notification.Kind.REFERRAL_ALLOCATED: _referral_allocated,
    Notification.Kind.CHECKS_MISSED: _checks_missed,
    Notification.Kind.DEPUTY_NAMED: _deputy_named,
    Notification.Kind.CASE_OPENED: _case_opened,
    Notification.Kind.CASES_LEFT: _cases_left,
}
