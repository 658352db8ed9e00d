"""The only code that writes second factors, sessions, and what a place asks of whoever signs in."""

from datetime import date, timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.utils import decrypt
from allauth.mfa.webauthn.internal.auth import WebAuthn
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils import timezone

from hwbc.workforce import factors, walls
from hwbc.workforce.access import Actor, Refused, actor_of, place_of
from hwbc.workforce.audit import ActionRefused, Line, action, upkeep
from hwbc.workforce.models import Organisation, SignIn, User
from hwbc.workforce.roles import Can

KEPT = timedelta(days=180)  # for how long a device is known


# --- Who may ----------------------------------------------------------------------------------------------------------


def _is_theirs(actor: Actor, user: User) -> None:
    if actor.user_id != user.pk and not actor.job:
        raise ValidationError("Only the person themself can do this.")


def _manages(actor: Actor, user: User) -> int | None:
    """Raises Refused unless the actor gives access at every place where the person has any; returns one of them."""
    if actor.job:
        return None
    places = {grant.organisation_id for grant in actor_of(user).grants}
    if not places or not places <= actor.nodes(Can.INVITE):
        raise Refused(Can.INVITE)
    return min(places)


def _another(actor: Actor, user: User) -> int | None:
    if actor.user_id == user.pk:
        raise ValidationError("Your own sign-in is changed under “Sign-in and security”.")
    return _manages(actor, user)


# --- Second factors ---------------------------------------------------------------------------------------------------


@action("factor.add_app")
def add_app(actor: Actor, line: Line, *, user: User, secret: str, code: str, but: str = "") -> Authenticator:
    """An authenticator app becomes a second factor, by a code that it shows; the code is used up with that.

    Ends all other sessions; `but` is the key of the present one. Raises ValidationError.
    """
    _is_theirs(actor, user)
    _wait_for(user)
    if factors.has(user, factors.APP):
        raise ValidationError("You have an authenticator app already. Remove it before you add another.")
    step = factors.step_of(secret, code)
    if step is None:
        raise ValidationError(
            {"code": "This is not the code that the app shows now. Wait for the next one and try again."}
        )
    added = TOTP.activate(user, secret).instance
    added.data = {**added.data, "last_step": step}
    added.save(update_fields=["data"])
    _end(user, but)
    line.about(user, factor=added.pk)
    return added


@action("factor.add_passkey")
def add_passkey(
    actor: Actor, line: Line, *, user: User, name: str, credential: dict[str, Any], but: str = ""
) -> Authenticator:
    """A passkey that the browser has made becomes a second factor. Ends all other sessions."""
    _is_theirs(actor, user)
    _wait_for(user)
    added: Authenticator = WebAuthn.add(user, name, credential).instance
    _end(user, but)
    line.about(user, factor=added.pk)
    return added


@action("factor.codes")
def make_codes(actor: Actor, line: Line, *, user: User, but: str = "") -> None:
    """Ten new recovery codes; those before them hold no longer. Ends all other sessions. Raises ValidationError."""
    _is_theirs(actor, user)
    _wait_for(user)
    if not factors.has(user):
        raise ValidationError("Recovery codes go with an authenticator app or a passkey. Add one of them first.")
    Authenticator.objects.filter(user_id=user.pk, type=factors.CODES).delete()
    made = RecoveryCodes.activate(user)
    _end(user, but)
    line.about(user, factor=made.instance.pk)


@action("factor.remove")
def remove(actor: Actor, line: Line, *, user: User, factor: Authenticator, passkey_asked: bool, but: str = "") -> None:
    """A second factor is none any more. The last one stays, and the last passkey where an organisation asks for one.

    Ends all other sessions. Raises ValidationError.
    """
    _is_theirs(actor, user)
    _wait_for(user)
    others = Authenticator.objects.filter(user_id=user.pk).exclude(pk=factor.pk)
    if factor.type == factors.CODES or not others.exclude(type=factors.CODES).exists():
        raise ValidationError("This is your last second factor. Add another one first.")
    if passkey_asked and factor.type == factors.PASSKEY and not others.filter(type=factors.PASSKEY).exists():
        raise ValidationError("Your organisation asks for a passkey, and this is your last. Add another one first.")
    line.about(user, factor=factor.pk, type=str(factor.type))
    Authenticator.objects.filter(pk=factor.pk, user_id=user.pk).delete()
    _end(user, but)


@action("factor.use_code")
def use_code(actor: Actor, line: Line, *, user: User, code: str) -> Authenticator:
    """The factor that a code is of: it holds this once. Raises ActionRefused for a wrong code, and one used before."""
    _wait_for(user)
    found = None
    for factor in Authenticator.objects.filter(user_id=user.pk, type__in=(factors.APP, factors.CODES)).order_by("pk"):
        if factor.type == factors.APP:
            step = factors.step_of(decrypt(factor.data["secret"]), code, after=factor.data.get("last_step", 0))
            if step is not None:
                factor.data = {**factor.data, "last_step": step}
                factor.save(update_fields=["data"])
                found = factor
        elif factor.wrap().validate_code(code):
            factor.refresh_from_db()
            found = factor
        if found:
            break
    line.about(user, at=place_of(user.pk), type=str(found.type) if found else "")
    if found is None:
        raise ActionRefused(factors.WRONG_CODE, "wrong_code")
    return found


@action("factor.encrypt_again")
def encrypt_again(actor: Actor, line: Line) -> int:
    """Encrypt the secrets of all second factors with the first key of MFA_KEY; returns of how many.

    All or none; whoever uses theirs meanwhile waits. Raises ActionRefused where a key is missing.
    """
    line.kind = Authenticator._meta.label_lower
    with_secrets = Authenticator.objects.filter(type__in=(factors.APP, factors.CODES))
    list(User.objects.select_for_update(no_key=True).filter(pk__in=with_secrets.values("user_id")).order_by("pk"))
    count = lost = 0
    for factor in with_secrets.order_by("pk"):
        try:
            factor.data = factors.encrypted_again(factor.data)
        except RuntimeError:
            lost += 1
            continue
        factor.save(update_fields=["data"])
        count += 1
    if lost:
        raise ActionRefused(
            f"{lost:,} of {lost + count:,} were stored with a key that MFA_KEY does not name: nothing was changed.",
            "key_missing",
            lost=lost,
        )
    line.facts = {"factors": count}
    return count


def _wait_for(user: User) -> None:
    """Two requests with the same code, or two removals, come one after the other."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


# --- Who somebody is at an OpenID provider ----------------------------------------------------------------------------


@action("account.link")
def link(actor: Actor, line: Line, *, user: User, issuer: str, subject: str) -> bool:
    """Whoever the issuer knows as `subject` opens this account from now on; the caller has their verified address.

    An account is linked once: an address that has gone to somebody else opens nothing. Returns whether it is new.
    Raises ValidationError.
    """
    _is_theirs(actor, user)
    _wait_for(user)
    line.about(user)
    if not User.objects.filter(pk=user.pk, is_active=True).exists():
        raise ActionRefused("This account is closed.", "closed")
    there = SocialAccount.objects.filter(user_id=user.pk, provider=issuer).first()
    if there is not None and there.uid != subject:
        raise ActionRefused("Somebody else at this provider opens this account.", "linked")
    if there is None:
        line.insert(SocialAccount(user_id=user.pk, provider=issuer, uid=subject, extra_data={}))
    return there is None


# --- Sessions ---------------------------------------------------------------------------------------------------------


@upkeep("the list of one's own sessions; that somebody has signed in has its own line")
def begin_session(*, user: User, key: str, how: str, device: str, network: str) -> bool:
    """Put a session into its owner's list. Returns whether it is on a device that they have not used in half a year."""
    now = timezone.now()
    with walls.within(walls.Scope(user.pk)):
        SignIn.objects.filter(user=user, seen_at__lt=now - KEPT).delete()
        before = list(SignIn.objects.filter(user=user).values_list("device", "network").distinct())
        SignIn.objects.filter(user=user, session_key=key).delete()
        SignIn.objects.create(user=user, session_key=key, how=how, device=device, network=network)
    return bool(before) and (device, network) not in before


@upkeep("when a session was last used, and the key it has by now")
def seen(*, user: User, noted: str, key: str) -> None:
    """A session has been used, or has got another key."""
    with walls.within(walls.Scope(user.pk)):
        SignIn.objects.filter(user=user, session_key=noted).update(session_key=key, seen_at=timezone.now())


@action("account.end_sessions")
def end_sessions(actor: Actor, line: Line, *, user: User, but: str = "") -> None:
    """End all sessions of a user at once; their own present one, whose key is `but`, may go on.

    By themself, by a job, or by whoever gives access wherever they have any. Raises Refused.
    """
    at = None if actor.user_id == user.pk else _manages(actor, user)
    _end(user, but if actor.user_id == user.pk else "")
    line.about(user, at=at)


@upkeep("part of suspending somebody, which has the line")
def end_all(*, user: User) -> None:
    """All sessions of a user end at once."""
    _end(user)


@action("account.end_session")
def end_session(actor: Actor, line: Line, *, user: User, session: SignIn) -> None:
    """End one of one's own sessions. Ending it twice changes nothing. Raises ValidationError."""
    _is_theirs(actor, user)
    line.about(session)
    with walls.within(walls.Scope(user.pk)):
        SignIn.objects.filter(user=user, pk=session.pk, ended_at=None).update(ended_at=timezone.now())
    Session.objects.filter(session_key=session.session_key).delete()


def _end(user: User, but: str = "") -> None:
    """All sessions of a user end, also those that stand in no list. The caller lets the present one go on."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.session_epoch = User.objects.values_list("session_epoch", flat=True).get(pk=user.pk)
    with walls.within(walls.Scope(user.pk)):
        others = SignIn.objects.filter(user=user, ended_at=None).exclude(session_key=but)
        keys = list(others.values_list("session_key", flat=True))
        others.update(ended_at=timezone.now())
    Session.objects.filter(session_key__in=keys).delete()


# --- Passwords, and help by whoever manages somebody's access ---------------------------------------------------------


@action("account.password")
def set_password(actor: Actor, line: Line, *, user: User, password: str, but: str = "") -> None:
    """Somebody has chosen a password, with the link from their mail or with the one they had. Ends other sessions."""
    user.set_password(password)
    user.save(update_fields=["password"])
    _end(user, but)
    line.about(user)


@action("account.start_password_reset")
def start_password_reset(actor: Actor, line: Line, *, user: User) -> None:
    """Somebody who manages a person's access has them mailed a link to choose a new password; nobody sets it for them.

    The mail is `accounts.mail_password_link`. Raises ValidationError, and Refused.
    """
    at = _another(actor, user)
    if not user.is_active:
        raise ValidationError("This account is closed: a new password would open nothing.")
    line.about(user, at=at)


@action("account.reset_factors")
def reset_factors(actor: Actor, line: Line, *, user: User) -> None:
    """Take all second factors from somebody who has lost theirs, and with them the password and the link to an OpenID
    provider: whoever has only one of those could set up their own. All sessions end; the link that is mailed
    (`accounts.mail_password_link`) begins anew.

    The page that calls it asks first to confirm who one is. Raises ValidationError, and Refused.
    """
    at = _another(actor, user)
    _wait_for(user)
    removed = Authenticator.objects.filter(user_id=user.pk)
    line.about(user, at=at, factors=removed.exclude(type=factors.CODES).count())
    removed.delete()
    linked = SocialAccount.objects.filter(user_id=user.pk)
    linked._raw_delete(linked.db)  # delete() would look for its tokens, in a table that is closed: none are kept
    user.set_unusable_password()
    user.save(update_fields=["password"])
    _end(user)


# --- What a place asks ------------------------------------------------------------------------------------------------


@action("organisation.sign_in_rules")
def set_sign_in_rules(
    actor: Actor, line: Line, *, organisation: Organisation, passkey_from: date | None, version: int
) -> Organisation:
    """From a day on everybody with access at or below a place signs in with a passkey; None: no longer.

    Raises Refused, and Stale.
    """
    if not actor.job and organisation.pk not in actor.nodes(Can.INVITE):
        raise Refused(Can.INVITE)
    done = line.change(organisation, version, passkey_from=passkey_from)
    line.about(done, at=done, passkey_from=str(passkey_from or ""))
    return done
