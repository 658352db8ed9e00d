"""Two first sign-ins at a provider at once: one account is opened by one of them."""

from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError

from hwbc.workforce.accounts import themself
from hwbc.workforce.actions import factors as actions
from hwbc.workforce.models import User
from tests.cast import Cast
from tests.races import at_once

ISSUER = "https://login.example.org"


def link(user: User, subject: str) -> Any:
    return lambda: actions.link(themself(user), user=user, issuer=ISSUER, subject=subject)


def linked() -> list[tuple[int, str]]:
    return list(SocialAccount.objects.values_list("user_id", "uid"))


def test_the_same_person_twice(live_cast: Cast) -> None:
    mo = live_cast.mo
    assert at_once(mo.actor, link(mo.user, "one"), mo.actor, link(mo.user, "one")) == (True, False)
    assert linked() == [(mo.user.pk, "one")]


def test_two_people_with_one_address(live_cast: Cast) -> None:
    mo = live_cast.mo
    first, second = at_once(mo.actor, link(mo.user, "one"), mo.actor, link(mo.user, "two"))
    assert first is True
    assert isinstance(second, ValidationError)
    assert linked() == [(mo.user.pk, "one")]


def test_one_person_with_two_addresses(live_cast: Cast) -> None:
    mo, lee = live_cast.mo, live_cast.lee
    first, second = at_once(mo.actor, link(mo.user, "one"), lee.actor, link(lee.user, "one"))
    assert first is True
    assert isinstance(second, ValidationError)
    assert linked() == [(mo.user.pk, "one")]


def test_without_the_lock_two_would_open_one_account(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control for the tests above."""
    mo = live_cast.mo
    monkeypatch.setattr(actions, "_wait_for", lambda user: None)
    assert at_once(mo.actor, link(mo.user, "one"), mo.actor, link(mo.user, "two")) == (True, True)
    assert len(linked()) == 2
