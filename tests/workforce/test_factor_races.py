"""One code, two browsers at once: it holds for one of them."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core.exceptions import ValidationError

from hwbc.workforce import factors
from hwbc.workforce.actions import factors as actions
from hwbc.workforce.actions.factors import remove, use_code
from tests.cast import SECRET, Cast, with_app
from tests.races import at_once


@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_a_code_at_once_is_used_once(live_cast: Cast, kind: str) -> None:
    user, actor = live_cast.mo.user, live_cast.mo.actor
    with_app(user)
    RecoveryCodes.activate(user)
    code = factors.code_at(SECRET) if kind == "app" else factors.codes_of(user)[0]
    got = at_once(
        actor, lambda: use_code(actor, user=user, code=code), actor, lambda: use_code(actor, user=user, code=code)
    )
    assert [isinstance(each, Authenticator) for each in got] == [True, False]


def test_without_the_lock_both_would_get_in(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control for the test above."""
    user, actor = live_cast.mo.user, live_cast.mo.actor
    with_app(user)
    monkeypatch.setattr(actions, "_wait_for", lambda user: None)
    code = factors.code_at(SECRET)
    got = at_once(
        actor, lambda: use_code(actor, user=user, code=code), actor, lambda: use_code(actor, user=user, code=code)
    )
    assert [isinstance(each, Authenticator) for each in got] == [True, True]


def test_two_removals_at_once_leave_one_factor(live_cast: Cast) -> None:
    user, actor = live_cast.mo.user, live_cast.mo.actor
    both = [with_app(user), Authenticator.objects.create(user=user, type=factors.PASSKEY, data={"name": "Laptop"})]

    def taken(factor: Authenticator) -> Any:
        return lambda: remove(actor, user=user, factor=factor, passkey_asked=False)

    first, second = at_once(actor, taken(both[0]), actor, taken(both[1]))
    assert first is None
    assert isinstance(second, ValidationError)
    assert factors.has(user)
