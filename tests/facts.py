"""Facts about the cast and more coaches of theirs, brought in by the import as a service would: in every state, today.

`bring_in(cast, sheets)` takes any rows; ASHA, BO and CAI are the cast's coaches in the register of Northfield hub.
"""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from hwbc.compliance.importing import actions
from hwbc.compliance.importing.reading import read
from hwbc.kit.months import add_months
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from tests.cast import SUPERVISED_FROM, Cast
from tests.compliance.importing import Sheets, write_folder

HUB = "HUB1"
REFERENCES = ("ASHA", "BO", "CAI")


def ago(days: int) -> str:
    """A day before today, as the workbook writes it."""
    return (today() - timedelta(days=days)).isoformat()


def bring_in(cast: Cast, sheets: Sheets, code: str = HUB) -> None:
    """Import these rows for a hub of the cast, with today's date."""
    with tempfile.TemporaryDirectory() as folder, walls.lifted("tests"):
        book = read(write_folder(Path(folder) / "sheets", sheets))
        actions.import_rows(Actor.system("tests"), book=book, day=today(), code=code)


def courses() -> Sheets:
    """The four-day course, a required one without a certificate, and one that nobody requires."""
    return {
        "courses": [
            {"course_ref": "HC4", "title": "Invented health coaching programme", "provider": "Invented provider",
             "kind": "pci_health_coaching", "accreditation": "accredited", "gives_certificate": "yes", "days": "4"},
            {"course_ref": "IG", "title": "Data security", "provider": "Invented provider", "kind": "mandatory",
             "accreditation": "none", "gives_certificate": "yes"},
            {"course_ref": "SP0", "title": "Basics of social prescribing", "provider": "Invented provider",
             "kind": "social_prescribing", "accreditation": "none", "gives_certificate": "no"},
        ],
        "requirements": [{"course_ref": "IG", "validity_months": "12", "within_days": "30"}],
    }  # fmt: skip


def supervisors() -> Sheets:
    """A GP, a line manager, a health coaching supervisor who meets the standard, and one whose caseload is too old.

    Sam of the cast, a GP, meets it too.
    """
    evidence = [("tier", "3"), ("coaching_years", "6"), ("caseload_hours", "80"), ("own_supervision", "Dr Invented")]
    return {
        "supervisors": [
            {"supervisor_ref": "GP", "name": "Grace Invented", "role": "gp"},
            {"supervisor_ref": "LM", "name": "Lena Invented", "role": "line_manager"},
            {"supervisor_ref": "HCS", "name": "Hal Invented", "role": "health_coach"},
            {"supervisor_ref": "OLD", "name": "Odd Invented", "role": "health_coach"},
        ],
        "supervisor_evidence": [
            {"supervisor_ref": ref, "kind": kind, "value": value,
             "evidenced_on": ago(500 if ref == "OLD" and kind == "caseload_hours" else 100)}
            for ref in ("HCS", "OLD", "SAM") for kind, value in evidence
        ],
    }  # fmt: skip


def meeting(coach: str, kind: str, days: int, minutes: int = 60, **values: str) -> dict[str, Any]:
    """A meeting held so many days ago, that counts unless `values` say otherwise."""
    by = {"line": "LM", "clinical": "GP", "health_coaching": "HCS", "appraisal": "LM"}[kind]
    given = {"format": "individual", "status": "held", "supervisor_ref": by}
    return {"coach_ref": coach, "kind": kind, "held_on": ago(days), "minutes": str(minutes), **given, **values}


def session(referral: str, days: int, **values: str) -> dict[str, Any]:
    """A session of a referral so many days ago."""
    given = {"mode": "phone", "minutes": "45", "outcome": "attended"}
    return {"referral_ref": referral, "held_on": ago(days), **given, **values}


def trained(coach: str, days: int = 300) -> dict[str, Any]:
    """The four-day course, attended and certified, so many days ago."""
    attended = ";".join(ago(days - 10 - n) for n in range(4))
    return {"coach_ref": coach, "course_ref": "HC4", "enrolled_on": ago(days), "attended_on": attended,
            "certificate_on": ago(days - 20), "certificate_number": f"INV-{coach}"}  # fmt: skip


def _agreements(coach: str) -> list[dict[str, Any]]:
    by = {"line": "LM", "clinical": "GP", "health_coaching": "HCS"}
    # Asha has been supervised by Sam since the cast was made.
    until = {"to": (SUPERVISED_FROM - timedelta(days=1)).isoformat()} if coach == "ASHA" else {}
    return [{"coach_ref": coach, "kind": k, "supervisor_ref": s, "from": ago(400), **until} for k, s in by.items()]


def referral(ref: str, coach: str, days: int, pcn: str, **values: str) -> dict[str, Any]:
    """A referral that the coach accepted so many days ago."""
    return {"referral_ref": ref, "pcn_code": pcn, "source": "gp_practice", "priority": "routine",
            "received_on": ago(days + 5), "coach_ref": coach, "accepted_on": ago(days), **values}  # fmt: skip


def everything(cast: Cast, count: int = 6, first: int = 1, pcn: str = "U99991") -> None:
    """So many more coaches at a PCN: all met, overdue, untrained with referrals, nobody named, new, long absent."""
    sheets: dict[str, list[dict[str, Any]]] = {name: [] for name in (
        "coaches", "absences", "training", "agreements", "supervision", "referrals", "coaching_sessions"
    )}  # fmt: skip
    for number in range(first, first + count):
        ref, kind = f"{pcn}-{number:03}", number % 6
        start = ago(20) if kind == 4 else ago(400)
        sheets["coaches"].append(
            {"coach_ref": ref, "name": f"Invented{number:03} Coach", "email": f"{ref}@example.org".lower(),
             "pcn_code": pcn, "started_on": start, "hours_per_week": "30", "funding": "arrs" if number % 2 else "other"}
        )  # fmt: skip
        if kind != 3:
            sheets["agreements"] += _agreements(ref)
        if kind not in (2, 4):
            sheets["training"].append(trained(ref))
            done = ago(385 if kind == 3 else 200)
            sheets["training"].append(
                {"coach_ref": ref, "course_ref": "IG", "enrolled_on": done, "certificate_on": done}
            )
        days = {0: 5, 1: 60, 2: 10, 3: 26, 4: 3, 5: 50}[kind]
        if kind != 4:
            sheets["supervision"] += [meeting(ref, "line", days), meeting(ref, "clinical", days * 2),
                                      meeting(ref, "appraisal", days * 6)]  # fmt: skip
            sheets["supervision"] += [meeting(ref, "health_coaching", n * 15 + days) for n in range(4)]
        if kind == 5:
            sheets["absences"].append({"coach_ref": ref, "kind": "parental", "from": ago(40)})
        if kind in (0, 1, 2):
            sheets["referrals"].append(referral(f"R-{ref}", ref, 30, pcn))
            sheets["coaching_sessions"].append({"referral_ref": f"R-{ref}", "held_on": ago(20), "mode": "phone",
                                                "minutes": "45", "outcome": "attended"})  # fmt: skip
    waiting = {"source": "self", "priority": "urgent", "received_on": ago(9)}
    sheets["referrals"] += [{"referral_ref": f"W-{pcn}-{first}", "pcn_code": pcn, **waiting}]
    bring_in(cast, {**courses(), **supervisors(), **sheets})


def story_of(cast: Cast, ref: str = "ASHA", months: int = 14, pcn: str = "U99991") -> None:
    """A year and more of one coach of the cast: counted meetings and every kind that does not count."""
    start = add_months(today(), -months)
    sheets: Sheets = {**courses(), **supervisors(), "agreements": _agreements(ref), "training": [trained(ref)],
                      "supervision": [], "referrals": [], "coaching_sessions": [], "absences": []}  # fmt: skip
    sheets["training"].append({"coach_ref": ref, "course_ref": "IG", "enrolled_on": ago(300),
                               "certificate_on": ago(300)})  # fmt: skip
    for month in range(months):
        held = (today() - add_months(start, month)).days
        sheets["supervision"] += [meeting(ref, "line", held + 2), meeting(ref, "health_coaching", held + 3)]
        if month % 3 == 0:
            sheets["supervision"].append(meeting(ref, "clinical", held + 4))
        sheets["referrals"].append(referral(f"{ref}-{month:02}", ref, held + 1, pcn))
        sheets["coaching_sessions"].append({"referral_ref": f"{ref}-{month:02}", "held_on": ago(held + 1),
                                            "mode": "video", "minutes": "45", "outcome": "attended"})  # fmt: skip
    sheets["supervision"] += [
        meeting(ref, "line", 31, status="did_not_attend"),
        meeting(ref, "line", 33, ad_hoc="yes"),
        meeting(ref, "clinical", 35, supervisor_ref="LM"),
        meeting(ref, "health_coaching", 37, format="group"),
        meeting(ref, "health_coaching", 39, supervisor_ref="OLD"),
        meeting(ref, "appraisal", 41, status="cancelled"),
        meeting(ref, "appraisal", 200),
    ]
    sheets["absences"] += [{"coach_ref": ref, "kind": "sickness", "from": ago(120), "to": ago(100)}]
    bring_in(cast, sheets)
