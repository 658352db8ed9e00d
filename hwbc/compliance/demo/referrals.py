"""Referrals and coaching sessions of the demo. Nobody is named: a referral is a number."""

from datetime import date, timedelta
from random import Random

from hwbc.compliance.demo.employment import Held, Life, practices
from hwbc.compliance.demo.told import DAY, Told, dice, working_day
from hwbc.compliance.demo.world import MONTHS, PCNS, Pcn

_SOURCES = {
    "gp_practice": 34, "nurse": 16, "link_worker": 11, "self": 10, "case_finding": 8, "care_coordinator": 7,
    "pharmacist": 5, "other_nhs": 4, "vcse": 3, "local_authority": 2,
}  # fmt: skip
# How a case ends, and after how many days with the coach.
_ENDS = {
    "completed": 62, "ended_early": 13, "no_contact": 9, "declined": 6, "referred_back": 6, "moved_away": 2,
    "not_suitable": 2,
}  # fmt: skip
_LASTED = {
    "completed": (70, 125), "ended_early": (20, 75), "no_contact": (14, 35), "declined": (3, 20),
    "referred_back": (10, 45), "moved_away": (15, 80), "not_suitable": (2, 12),
}  # fmt: skip
_UNTAKEN = {"declined": 5, "no_contact": 4, "not_suitable": 3, "referred_back": 1}
_ATTENDED = {
    "attended": 84, "did_not_attend": 7, "cancelled_by_patient": 5, "cancelled_late": 2, "cancelled_by_service": 2,
}  # fmt: skip
_MODES = {"face_to_face": 52, "phone": 28, "video": 12, "group": 8}
_HANDED_ON = "Handed to a colleague"
_APART = 8.5  # days between two new cases of somebody who works full time


def _one(luck: Random, of: dict[str, int]) -> str:
    return luck.choices(list(of), list(of.values()))[0]


def tell_referrals(told: Told, lives: list[Life]) -> None:
    """What reached each PCN: taken and coached, ended before anybody took it, or waiting."""
    for life in lives:
        _tell_cases(told, life)
    for pcn in PCNS:
        _tell_untaken(told, pcn)
        here = [life.coach.ref for life in lives if any(held.post.pcn == pcn for held in life.at(told.day))]
        waiting = [*((days, "routine") for days in pcn.waiting), *((days, "urgent") for days in pcn.urgent)]
        for number, (days, priority) in enumerate(waiting):
            luck = dice(pcn.code, days)
            proposed = luck.choice(here) if number % 3 == 1 else None  # somebody thought of a coach
            _receive(told, luck, pcn, told.ago(days), priority=priority, coach_ref=proposed)


def _receive(told: Told, luck: Random, pcn: Pcn, received: date, **cells: object) -> str:
    """Tell a referral; returns its reference."""
    reference = f"R{len(told.sheets['referrals']) + 1:05}"
    source = _one(luck, _SOURCES)
    practice = luck.choice([code for code, _ in practices(pcn)])
    given = {"priority": "urgent" if luck.random() < 0.1 else "routine", **cells}
    told.add(
        "referrals",
        referral_ref=reference,
        pcn_code=pcn.code,
        practice_code=None if source in ("self", "vcse", "local_authority") else practice,
        source=source,
        received_on=received,
        **given,
    )
    return reference


def _tell_untaken(told: Told, pcn: Pcn) -> None:
    """About one a month is closed before a coach has it."""
    luck = dice(pcn.code, "untaken")
    for month in range(MONTHS):
        received = working_day(told.ago(30 * month + luck.randint(16, 44)))
        closed = working_day(received + timedelta(days=luck.randint(3, 14)))
        _receive(told, luck, pcn, received, closed_on=max(received, closed), outcome=_one(luck, _UNTAKEN))


def _tell_cases(told: Told, life: Life) -> None:
    coach, luck = life.coach, dice(life.coach.ref, "cases")
    if not coach.load:
        return
    first = (
        coach.takes_from or max((t.certificate for t in coach.taught if t.certificate), default=coach.since - 80) - 7
    )
    at = float(min(first, (told.day - told.begins).days))
    while at >= 1:
        asked = told.ago(round(at))
        accepted = life.at_work(asked)
        held = life.at(asked)
        if accepted and held and told.ago(first) <= accepted and asked - accepted < timedelta(days=10):
            _tell_case(told, life, luck, luck.choice(life.at(accepted)), accepted)
        hours = sum(each.post.hours for each in held) or 37.5
        busier = 0.75 + 0.45 * (1 - at / 550)  # more is asked for from month to month
        at -= _APART * 37.5 / hours / coach.load / busier * luck.uniform(0.5, 1.5)


def _tell_case(told: Told, life: Life, luck: Random, held: Held, accepted: date) -> None:
    end = _one(luck, _ENDS)
    closed = max(accepted, working_day(accepted + timedelta(days=luck.randint(*_LASTED[end]))))
    for last in _last_days(life, held, accepted):
        if last < closed:
            closed, end = last, _HANDED_ON
    open_still = closed >= told.day
    reference = _receive(
        told,
        luck,
        held.post.pcn,
        working_day(accepted - timedelta(days=luck.randint(2, 19))),
        coach_ref=life.coach.ref,
        accepted_on=accepted,
        closed_on=None if open_still else closed,
        outcome=None if open_still else end,
    )
    if end not in ("no_contact", "declined", "not_suitable"):
        _tell_sessions(told, life, luck, reference, accepted, min(closed, told.day - DAY))


def _last_days(life: Life, held: Held, accepted: date) -> list[date]:
    """Days on which the coach has to hand a case on: the end of the post, and the eve of a long absence."""
    eves = [start - DAY for _, start, end in life.absences if start > accepted and end - start > timedelta(days=30)]
    there = [each.ends_on for each in life.posts if each.post.pcn == held.post.pcn]
    return eves if None in there else [*eves, max(filter(None, there))]


def _tell_sessions(told: Told, life: Life, luck: Random, reference: str, accepted: date, until: date) -> None:
    day, number, mode = accepted + timedelta(days=luck.randint(3, 11)), 0, _one(luck, _MODES)
    seen: set[tuple[date, str]] = set()
    while day <= until and number < 7:
        held = life.at_work(day)
        mode = _one(luck, _MODES) if luck.random() < 0.25 else mode
        if held and held >= accepted and (held, mode) not in seen:
            seen.add((held, mode))
            told.add(
                "coaching_sessions",
                referral_ref=reference,
                held_on=held,
                mode=mode,
                minutes=60 if number == 0 else 90 if mode == "group" else luck.choice((30, 40, 45, 45)),
                outcome=_one(luck, _ATTENDED),
            )
            number += 1
        day += timedelta(days=luck.randint(10, 21))
