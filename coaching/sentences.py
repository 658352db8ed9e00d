"""The gate in words: the missing piece and the warnings, made from their codes when they are shown."""

from django.utils.formats import date_format

from coaching.rules import NO_COURSE, NO_POST, NOT_ACCREDITED, NOT_COMPLETED, WITHDRAWN, Missing

_PLAIN = {
    NO_POST: "no post on this day",
    NO_COURSE: "no PCI-accredited health coaching course recorded",
    NOT_ACCREDITED: "the health coaching course recorded is not accredited",
}
WARNINGS = {
    "no_induction": "No induction is recorded as done.",
    "no_core_skills": "No PCI core skills course is recorded as done.",
    "no_social_prescribing": "No course on the basics of social prescribing is recorded as done.",
    "on_long_absence": "On a long absence on this day.",
}


def missing_piece(missing: Missing) -> str:
    """What a coach still needs before their first referral: part of a sentence, without its full stop."""
    return "; ".join([_piece(missing), *_lapsed(missing)])


def _piece(missing: Missing) -> str:
    if missing.code == WITHDRAWN and missing.on:
        return f"withdrawn from the PCI-accredited health coaching course on {date_format(missing.on)}"
    if missing.code != NOT_COMPLETED:
        return _PLAIN[missing.code]
    days = f"{missing.days} of {missing.needed} accredited days attended" if missing.days < missing.needed else ""
    certificate = "" if missing.certified else "no certificate yet"
    return " and ".join(filter(None, [days, certificate]))


def _lapsed(missing: Missing) -> list[str]:
    return [f"an exemption ended on {date_format(missing.exempt_until)}"] if missing.exempt_until else []
