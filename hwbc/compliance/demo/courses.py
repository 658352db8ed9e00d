"""Courses, what is required, what was done, and exemptions of the demo."""

from collections.abc import Iterable
from datetime import date
from random import Random

from hwbc.compliance.demo.employment import Life
from hwbc.compliance.demo.told import DAY, Told, dice, working_day
from hwbc.compliance.demo.world import MANAGERS, Taught

_LEARNING, _VALE = "Northfield Learning (invented)", "Vale Coaching Partnership (invented)"


def tell_courses(told: Told) -> None:
    """The catalogue of courses, and what of it is required."""
    for ref, title, provider, kind, accreditation, first, last, certificate, days in (
        ("HC4", "Health coaching, four days", _LEARNING, "pci_health_coaching", "accredited", 2000, None, "yes", 4),
        ("BLEND", "Coaching for health, blended", _VALE, "pci_health_coaching", "assured", 1500, None, "yes", 4),
        ("OLD", "Foundations of health coaching", _VALE, "pci_health_coaching", "accredited", 1700, 650, "yes", 4),
        ("CORE", "Personalised care core skills", _LEARNING, "pci_core", "accredited", 2000, None, "yes", 1),
        ("SP", "Basics of social prescribing", _LEARNING, "social_prescribing", "none", None, None, "no", 1),
        ("IND", "Induction to primary care in Northfield", _LEARNING, "induction", "none", None, None, "no", 1),
        ("IG", "Data security awareness", _LEARNING, "mandatory", "none", None, None, "yes", 1),
        ("SAFE", "Safeguarding adults and children", _LEARNING, "mandatory", "none", None, None, "yes", 1),
        ("LONE", "Lone working and home visits", _LEARNING, "mandatory", "none", None, None, "yes", 1),
        ("MI", "Motivational interviewing, next steps", _VALE, "cpd", "none", None, None, "yes", 2),
        ("GROUP", "Running groups that people come back to", _VALE, "cpd", "none", None, None, "no", 1),
    ):  # fmt: skip
        told.add(
            "courses",
            course_ref=ref,
            title=title,
            provider=provider,
            kind=kind,
            accreditation=accreditation,
            accredited_from=None if first is None else told.ago(first),
            accredited_to=None if last is None else told.ago(last),
            gives_certificate=certificate,
            days=days,
        )
    for ref, months, within, applies_from in (
        ("IND", None, 30, None),
        ("IG", 12, 30, None),
        ("SAFE", 36, 60, None),
        ("CORE", None, 90, None),
        ("LONE", 24, 90, told.ago(-60)),  # decided, and to be asked for in two months
    ):
        told.add("requirements", course_ref=ref, validity_months=months, within_days=within, applies_from=applies_from)


def tell_training(told: Told, life: Life) -> None:
    """What a coach has learned, from the start of the first post on, and what they are exempt from."""
    coach, luck = life.coach, dice(life.coach.ref, "training")
    usual = Taught("HC4", coach.since - 20, tuple(coach.since - after for after in (41, 42, 55, 56)), coach.since - 80)
    for taught in coach.taught or (usual,):
        _health_coaching(told, life, taught)
    _attended(told, life, "IND", coach.since - luck.randint(7, 12))
    if coach.since > 90:
        _attended(told, life, "SP", coach.since - luck.randint(20, 70))
    if "CORE" not in coach.without:
        _certified(told, life, "CORE", [coach.since - luck.randint(15, 75)])
    if "SAFE" not in coach.without:
        done = coach.since - luck.randint(10, 50)
        renewed = [done - 1060] if done > 1060 else []
        _certified(told, life, "SAFE", [done, *renewed])
    if "IG" not in coach.without:
        _certified(told, life, "IG", _every_year(told, life, luck))
    if luck.random() < 0.4 and coach.since > 400:
        _certified(told, life, "MI", [luck.randint(40, 350)])
    if luck.random() < 0.3 and coach.since > 400:
        _attended(told, life, "GROUP", luck.randint(20, 300))
    for rule, start, end, reason in coach.exempt:
        told.add(
            "exemptions",
            coach_ref=coach.ref,
            rule=rule,
            **{"from": told.ago(start), "to": told.ago(end)},
            reason=reason,
            approved_by=MANAGERS.get(life.pcn(told.day).code, "The manager of the PCN (invented)"),
        )


def _health_coaching(told: Told, life: Life, taught: Taught) -> None:
    days: list[date] = []
    for ago in sorted(taught.attended):
        day = working_day(told.ago(ago))
        while day in days:  # a weekend lay between
            day = working_day(day - DAY)
        days.append(day)
    _record(told, life, taught.course, told.ago(taught.enrolled), days, taught.certificate, taught.withdrawn)


def _every_year(told: Told, life: Life, luck: Random) -> Iterable[int]:
    """Data security: the latest, then back a year at a time. Where things went badly it was done late."""
    first = life.coach.since - luck.randint(8, 20)
    at = life.coach.data_security or min(luck.randint(30, 280), first - 120)
    while 0 < at < first - 20:
        yield at
        day = told.ago(at)
        late = luck.random() < life.pcn(day).chance(told.months_ago(day))
        at += luck.randint(400, 470) if late else luck.randint(335, 358)
    yield first


def _attended(told: Told, life: Life, course: str, ago: int) -> None:
    _record(told, life, course, told.ago(ago + 6), [working_day(told.ago(ago))])


def _certified(told: Told, life: Life, course: str, days_ago: Iterable[int]) -> None:
    for ago in days_ago:
        if ago >= 0:
            _record(told, life, course, working_day(told.ago(ago)), [working_day(told.ago(ago))], ago)


def _record(
    told: Told,
    life: Life,
    course: str,
    enrolled: date,
    attended: list[date],
    certificate: int | None = None,
    withdrawn: int | None = None,
) -> None:
    if life.ends_on is not None and enrolled > life.ends_on:
        return
    certified = None if certificate is None else working_day(told.ago(certificate))
    number = f"DEMO-{course}-{life.coach.ref}-{certified:%y%m}" if certified else None
    told.add(
        "training",
        coach_ref=life.coach.ref,
        course_ref=course,
        enrolled_on=enrolled,
        attended_on="; ".join(day.isoformat() for day in sorted(attended)) or None,
        withdrawn_on=None if withdrawn is None else told.ago(withdrawn),
        certificate_on=certified,
        certificate_number=number,
    )
