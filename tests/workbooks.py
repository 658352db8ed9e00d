"""Random workbooks, valid by every rule of the import and full of the cases that go wrong; and days to ask about.

The same seed gives the same workbook. Everything that "has happened" lies before today in London, so the workbook can
be imported on any later day; `errors()` says where one breaks a rule of the import.
"""

import csv
import random
import re
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle import (
    BANK_HOLIDAYS,
    BEFORE_REFERRALS,
    PCI,
    REQUIRED,
    Row,
    Workbook,
    add_months,
    answers,
    covers,
    days_after,
    first_of_month,
    last_of_month,
    nth_last_working_day,
)

COLUMNS = {  # of each sheet; the required ones carry a star
    "organisations": "code* name* kind* parent_code",
    "coaches": "coach_ref* name* email* pcn_code* employer_code started_on* left_on hours_per_week* funding*",
    "absences": "coach_ref* kind* from* to",
    "courses": "course_ref* title* provider* kind* accreditation* accredited_from accredited_to gives_certificate* "
    "days",
    "requirements": "course_ref* validity_months within_days* applies_from",
    "training": "coach_ref* course_ref* enrolled_on* attended_on withdrawn_on certificate_on certificate_number",
    "exemptions": "coach_ref* rule* from* to* reason* approved_by*",
    "supervisors": "supervisor_ref* name* email organisation_code role* coach_ref",
    "supervisor_evidence": "supervisor_ref* kind* value evidenced_on*",
    "agreements": "coach_ref* kind* supervisor_ref* from* to",
    "supervision": "coach_ref* kind* supervisor_ref* held_on* minutes* format* status* ad_hoc",
    "referrals": "referral_ref* pcn_code* practice_code source* priority* received_on* coach_ref accepted_on closed_on "
    "outcome",
    "coaching_sessions": "referral_ref* held_on* mode* minutes* outcome*",
}
KEYS = {  # what makes a row the same row again
    "organisations": "code",
    "coaches": "coach_ref pcn_code started_on",
    "absences": "coach_ref from",
    "courses": "course_ref",
    "requirements": "course_ref",
    "training": "coach_ref course_ref enrolled_on",
    "exemptions": "coach_ref rule from",
    "supervisors": "supervisor_ref",
    "supervisor_evidence": "supervisor_ref kind evidenced_on",
    "agreements": "coach_ref kind from",
    "supervision": "coach_ref kind supervisor_ref held_on format ad_hoc",
    "referrals": "referral_ref",
    "coaching_sessions": "referral_ref held_on mode",
}
WORDS = {
    ("organisations", "kind"): "icb training_hub pcn practice provider",
    ("coaches", "funding"): "arrs other",
    ("absences", "kind"): "annual_leave sickness parental other",
    ("courses", "kind"): "pci_health_coaching pci_core social_prescribing induction mandatory cpd",
    ("courses", "accreditation"): "accredited assured awaiting none",
    ("supervisors", "role"): "line_manager gp senior_clinician advanced_practitioner health_coach other",
    ("supervisor_evidence", "kind"): "tier coaching_years nhs_coaching_hours caseload_hours own_supervision",
    ("agreements", "kind"): "line clinical health_coaching",
    ("supervision", "kind"): "line clinical health_coaching appraisal",
    ("supervision", "format"): "individual group",
    ("supervision", "status"): "held planned cancelled did_not_attend",
    ("referrals", "source"): "gp_practice nurse pharmacist link_worker care_coordinator other_nhs local_authority vcse "
    "self case_finding",
    ("referrals", "priority"): "routine urgent",
    ("coaching_sessions", "mode"): "face_to_face phone video group",
    ("coaching_sessions", "outcome"): "attended did_not_attend cancelled_late cancelled_by_patient "
    "cancelled_by_service",
}
EDGE_DAYS = [
    date(2024, 1, 31),
    date(2024, 2, 29),
    date(2024, 3, 31),  # the clocks go forward
    date(2024, 10, 27),  # and back
    date(2024, 11, 30),
    date(2024, 12, 31),
    date(2025, 1, 1),
    date(2025, 2, 28),
    date(2025, 3, 30),
    date(2025, 10, 26),
    date(2025, 12, 31),
    date(2026, 1, 1),
    date(2026, 1, 31),
    date(2026, 2, 28),
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 12, 31),
]
FIRST_NAMES = ["Amina", "Bronwen", "Chidi", "Dilys", "Eoin", "Farah", "Grace", "Hugh", "Ines", "Kofi", "Maeve", "Priya"]
LAST_NAMES = [
    "Abara",
    "Begum",
    "Clarke",
    "Davies",
    "Evans",
    "Griffiths",
    "Hussain",
    "Kaur",
    "Mensah",
    "O’Neill",
    "Price",
]


def words(sheet: str, column: str) -> list[str]:
    return WORDS[sheet, column].split()


def columns(sheet: str) -> list[str]:
    return COLUMNS[sheet].replace("*", "").split()


def today_in_london() -> date:
    return datetime.now(ZoneInfo("Europe/London")).date()


def random_workbook(seed: int, coaches: int = 20, centre: date = date(2026, 6, 15)) -> Workbook:
    """A valid workbook of this many coaches, its facts from two and a half years before `centre` to five months after.

    Nothing that has happened is dated later than yesterday; posts, absences and agreements may lie in the future.
    """
    return _Maker(seed, coaches, centre).workbook()


class _Maker:
    """Makes one workbook, sheet by sheet."""

    def __init__(self, seed: int, coaches: int, centre: date) -> None:
        self.rng = random.Random(seed)
        self.coaches = coaches
        self.begin = days_after(centre, -896)
        self.centre = centre
        self.end = min(days_after(centre, 155), days_after(today_in_london(), -1))  # the last day of the past
        self.book: Workbook = {sheet: [] for sheet in COLUMNS}
        self.keys: set[tuple[Any, ...]] = set()
        self.pcns: list[str] = []
        self.practices: dict[str, list[str]] = {}
        self.posts: dict[str, list[Row]] = {}
        self.good: list[str] = []  # supervisors who are eligible most of the time
        self.ready_days: dict[str, list[date]] = {}  # of each coach, days near which being ready changes

    def workbook(self) -> Workbook:
        self.organisations()
        self.courses()
        for number in range(1, self.coaches + 1):
            self.coach(f"C{number:03d}")
        self.supervisors()
        for ref in self.posts:
            self.absences(ref)
            self.agreements(ref)
            self.training(ref)
            self.required_training(ref)
            self.exemptions(ref)
            self.supervision(ref)
            self.referrals(ref)
        self.unallocated_referrals()
        for rows in self.book.values():
            self.rng.shuffle(rows)
        return self.book

    # Small tools

    def add(self, sheet: str, **values: Any) -> Row | None:
        """Put a row in its sheet, unless one with its key is there already."""
        row = {name.rstrip("_"): value for name, value in values.items() if value is not None}
        found = (sheet, *(row.get(name) or False for name in KEYS[sheet].split()))
        if found in self.keys:
            return None
        self.keys.add(found)
        self.book[sheet].append(row)
        return row

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def pick(self, **weights: float) -> str:
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def day(self, first: date, last: date) -> date:
        """A day between the two; often an odd one: the end or start of a month or year, 29 February, clock changes."""
        last = max(first, last)
        found = days_after(first, self.rng.randint(0, (last - first).days))
        kind = self.pick(plain=0.6, month_start=0.1, month_end=0.1, edge=0.2)
        odd = [found]
        if kind == "month_start":
            odd = [first_of_month(found)]
        elif kind == "month_end":
            odd = [last_of_month(found)]
        elif kind == "edge":
            odd = EDGE_DAYS
        return self.rng.choice([day for day in odd if first <= day <= last] or [found])

    # The frame: organisations, courses, posts

    def organisations(self) -> None:
        self.add("organisations", code="QZ1", name="Example Integrated Care Board", kind="icb")
        hubs = [f"TH{number}" for number in range(1, self.rng.randint(2, 3) + 1)]
        for hub in hubs:
            self.add("organisations", code=hub, name=f"Training hub {hub}", kind="training_hub", parent_code="QZ1")
        self.add("organisations", code="PRV01", name="Example Provider", kind="provider", parent_code="QZ1")
        letters = list("ABCDEFGHIJKLMNOPQRSTVWXYZ")
        for number in self.rng.sample(range(10000, 99999), max(3, self.coaches // 5)):
            code = f"U{number}"
            self.pcns.append(code)
            parent = self.rng.choice([*hubs, "QZ1"])
            self.add("organisations", code=code, name=f"PCN {number}", kind="pcn", parent_code=parent)
            self.practices[code] = []
            for letter in self.rng.sample(letters, self.rng.randint(1, 3)):
                practice = f"{letter}{number}"
                self.practices[code].append(practice)
                self.add("organisations", code=practice, name=f"Surgery {practice}", kind="practice", parent_code=code)

    def courses(self) -> None:
        def course(ref: str, kind: str, accreditation: str, gives_certificate: bool, **values: Any) -> None:
            self.add(
                "courses",
                course_ref=ref,
                title=f"Course {ref}",
                provider=self.rng.choice(["Example Academy", "Coaching Works"]),
                kind=kind,
                accreditation=accreditation,
                gives_certificate=gives_certificate,
                **values,
            )

        middle = self.day(days_after(self.begin, 250), days_after(self.begin, 500))
        course("PCI-OPEN", PCI, "accredited", True, days=4)
        window = {"accredited_from": days_after(middle, -180), "accredited_to": days_after(middle, 180)}
        course("PCI-WINDOW", PCI, "accredited", True, days=4, **window)
        course("PCI-FROM", PCI, "assured", True, days=5, accredited_from=middle)
        course("PCI-TO", PCI, "assured", True, accredited_to=days_after(middle, self.rng.randint(0, 200)))
        course("PCI-WAIT", PCI, "awaiting", True, days=4)
        course("PCI-NONE", PCI, "none", True, days=4, accredited_from=middle)
        course("CORE", "pci_core", self.rng.choice(["accredited", "none"]), True)
        course("SOCIAL", "social_prescribing", "none", True, days=2)
        course("INDUCT", "induction", "none", False)
        course("MAND-CERT", "mandatory", "none", True)
        course("MAND-DAYS", "mandatory", "none", False, days=2)
        course("MAND-SHORT", "mandatory", "none", False, days=1)
        course("CPD", "cpd", "none", self.chance(0.5), days=self.rng.choice([None, 1, 3]))

        self.requirement("INDUCT", self.rng.choice([0, 14, 30]), None, [None])
        self.requirement("MAND-CERT", self.rng.choice([0, 30, 90]), self.rng.choice([1, 12, 24]), [None, "past"])
        self.requirement("MAND-DAYS", self.rng.choice([0, 60, 365]), self.rng.choice([None, 3, 12]), ["past"])
        self.requirement("PCI-OPEN", self.rng.choice([90, 180]), self.rng.choice([None, 12]), [None, "past"])
        if self.chance(0.5):
            self.requirement("MAND-SHORT", 30, self.rng.choice([1, 3, 6]), [None, "past", "future"])
        if self.chance(0.5):
            self.requirement("PCI-FROM", 365, self.rng.choice([None, 24]), ["past", "future"])
        if self.chance(0.3):
            self.requirement("CORE", 10, None, ["future"])

    def requirement(self, course_ref: str, within: int, validity: int | None, applies: list[str | None]) -> None:
        kind = self.rng.choice(applies)
        applies_from = None
        if kind == "past":
            applies_from = self.day(days_after(self.begin, 200), self.centre)
        elif kind == "future":
            applies_from = self.day(self.centre, days_after(self.end, 90))
        self.add(
            "requirements",
            course_ref=course_ref,
            within_days=within,
            validity_months=validity,
            applies_from=applies_from,
        )

    def coach(self, ref: str) -> None:
        """A coach with a history of posts of one of the shapes that matter."""
        first, last = self.rng.choice(FIRST_NAMES), self.rng.choice(LAST_NAMES)
        self.posts[ref] = []
        self.ready_days[ref] = []
        here, there = self.rng.sample(self.pcns, 2)
        employer = self.rng.choice([None, here, "PRV01", self.rng.choice(self.practices[here])])
        other = "PRV01" if employer in (None, here) else None

        def post(pcn_code: str, employer_code: str | None, started_on: date, left_on: date | None) -> None:
            row = self.add(
                "coaches",
                coach_ref=ref,
                name=f"{first} {last} {ref}",
                email=f"{ref.lower()}@example.org",
                pcn_code=pcn_code,
                employer_code=employer_code,
                started_on=started_on,
                left_on=left_on,
                hours_per_week=self.rng.choice([Decimal("37.5"), Decimal("22.5"), 15, 30, 37]),
                funding=self.rng.choice(["arrs", "arrs", "other"]),
            )
            if row is not None:
                self.posts[ref].append(row)

        start = self.day(self.begin, days_after(self.begin, 300))
        change = self.day(days_after(start, 90), days_after(start, 400))
        end = self.rng.choice([None, None, self.day(days_after(change, 60), days_after(self.end, 60))])
        shape = self.pick(
            running=4,
            leaver=2,
            hours=2,
            hours_twice=1,
            employer=1.5,
            gap=1.5,
            two=2,
            same_day=1,
            future=1,
            month=2,
            brief=2,
            move=1,
        )
        if shape == "running":
            post(here, employer, start, None)
        elif shape == "leaver":
            post(here, employer, start, self.day(days_after(start, 20), self.end))
        elif shape == "hours":  # one employment, the employer written in two ways where it is the PCN
            post(here, employer, start, days_after(change, -1))
            post(here, here if employer is None else employer, change, end)
        elif shape == "hours_twice":  # the last one follows in the future
            second = self.day(days_after(self.end, 1), days_after(self.end, 100))
            post(here, employer, start, days_after(change, -1))
            post(here, employer, change, days_after(second, -1))
            post(here, employer, second, None)
        elif shape == "employer":
            post(here, employer, start, days_after(change, -1))
            post(here, other, change, end)
        elif shape == "gap":  # one free day
            post(here, employer, start, days_after(change, -2))
            post(here, employer, change, end)
        elif shape == "two":
            post(here, employer, start, end)
            post(there, self.rng.choice([None, "PRV01"]), change, None)
        elif shape == "same_day":
            post(here, employer, start, self.rng.choice([None, change]))
            post(there, None, start, end)
        elif shape == "future":
            if self.chance(0.5):
                post(there, employer, start, self.day(start, days_after(start, 300)))
            post(here, None, self.day(self.end, days_after(self.end, 120)), None)
        elif shape == "month":  # 14 or 15 days of the first month, and of the last
            month = self.day(days_after(self.begin, 31), days_after(self.end, -31))
            later = add_months(first_of_month(month), self.rng.randint(2, 8))
            begun = days_after(last_of_month(month), -self.rng.choice([13, 14]))
            post(here, employer, begun, self.rng.choice([None, days_after(later, self.rng.choice([13, 14]))]))
        elif shape == "brief":  # all within a month, 14 to 16 days, and then again
            left = days_after(last_of_month(change), -self.rng.randint(0, 5))
            post(here, employer, days_after(left, -self.rng.choice([13, 14, 14, 15])), left)
            post(here, employer, days_after(left, self.rng.choice([2, 20])), end)
        else:
            post(here, employer, start, days_after(change, -1))
            post(there, employer, self.rng.choice([change, days_after(change, 40)]), end)

    def span(self, ref: str) -> tuple[date, date]:
        """The days of the past between which a coach's facts lie: their posts and a little more."""
        first = min(row["started_on"] for row in self.posts[ref])
        last = max(row.get("left_on") or self.end for row in self.posts[ref])
        first = min(first, days_after(self.end, -60))
        return max(self.begin, days_after(first, -20)), max(first, min(self.end, days_after(last, 20)))

    # Supervisors

    def supervisors(self) -> None:
        def supervisor(ref: str, role: str, coach_ref: str | None = None) -> None:
            organisation = self.rng.choice([None, "PRV01", *self.pcns])
            self.add(
                "supervisors",
                supervisor_ref=ref,
                name=f"{self.rng.choice(FIRST_NAMES)} {self.rng.choice(LAST_NAMES)}",
                email=self.rng.choice([None, f"{ref.lower()}@example.org"]),
                organisation_code=organisation,
                role=role,
                coach_ref=coach_ref,
            )

        for number, role in enumerate(words("supervisors", "role"), 1):
            supervisor(f"S{number:02d}", role)
        for number in range(11, 17):
            supervisor(f"S{number}", self.rng.choice(["health_coach", "gp", "other", "senior_clinician"]))
        for number, ref in enumerate(self.rng.sample(sorted(self.posts), min(3, len(self.posts))), 21):
            supervisor(f"S{number}", self.rng.choice(["health_coach", "advanced_practitioner"]), ref)

        refs = [row["supervisor_ref"] for row in self.book["supervisors"]]
        self.good = ["S05", "S11", "S21"]
        for ref in refs:
            if ref in self.good:
                self.good_evidence(ref)
            elif self.chance(0.85):
                self.doubtful_evidence(ref)

    def evidence(self, ref: str, kind: str, value: Any, evidenced_on: date) -> None:
        self.add(
            "supervisor_evidence",
            supervisor_ref=ref,
            kind=kind,
            value=value,
            evidenced_on=min(evidenced_on, self.end),
        )

    def good_evidence(self, ref: str) -> None:
        """Evidence renewed every year or a little later, so that it lapses for a few days at the most."""
        day = days_after(self.begin, -self.rng.randint(60, 300))
        self.evidence(ref, "tier", self.rng.choice([3, 4]), day)
        if self.chance(0.5):
            self.evidence(ref, "coaching_years", self.rng.choice([5, 12]), day)
        else:
            self.evidence(ref, "nhs_coaching_hours", self.rng.choice([500, 800]), day)
            self.evidence(ref, "coaching_years", Decimal("4.9"), day)
        while day < self.end:
            self.evidence(ref, "caseload_hours", self.rng.choice([50, 51, 120]), day)
            self.evidence(ref, "own_supervision", self.rng.choice(["Dr Example", "A peer"]), day)
            day = days_after(add_months(day, 12), self.rng.choice([-20, 0, 1, 5]))

    def doubtful_evidence(self, ref: str) -> None:
        """Good evidence but for a flaw or two: left out, not renewed, below the threshold, worse or better later."""
        kinds = ["tier", "coaching_years", "caseload_hours", "own_supervision"]
        enough: dict[str, list[Any]] = {
            "tier": [3, 4],
            "coaching_years": [5, Decimal("5.0"), 7],
            "nhs_coaching_hours": [500, 900],
            "caseload_hours": [50, 80],
            "own_supervision": ["Dr Example", None],
        }
        too_little: dict[str, list[Any]] = {
            "tier": [2, Decimal("2.5")],
            "coaching_years": [Decimal("4.9"), 0],
            "nhs_coaching_hours": [499, Decimal("499.5")],
            "caseload_hours": [49, Decimal("49.9")],
            "own_supervision": ["Dr Example"],
        }
        if self.chance(0.5):
            kinds[1] = "nhs_coaching_hours"
            if self.chance(0.5):
                self.evidence(ref, "coaching_years", Decimal("4.9"), days_after(self.begin, -300))
        flawed = self.rng.sample(kinds, self.rng.choice([1, 1, 2]))
        for kind in kinds:
            flaw = self.pick(left_out=1, once=2, below=1, worse=2, better=2) if kind in flawed else ""
            if flaw == "left_out":
                continue
            day = days_after(self.begin, -self.rng.randint(0, 300))
            renewed = kind in ("caseload_hours", "own_supervision")
            if flaw == "once":
                self.evidence(ref, kind, self.rng.choice(enough[kind]), self.day(day, self.end))
                continue
            change = self.day(days_after(self.begin, 100), self.end)  # from here on it is worse, or better
            while day <= self.end:
                worse = flaw == "below" or (flaw == "worse" and day >= change) or (flaw == "better" and day < change)
                self.evidence(ref, kind, self.rng.choice((too_little if worse else enough)[kind]), day)
                following = add_months(day, self.rng.choice([6, 12, 12]) if renewed else 60)
                day = change if day < change < following and flaw in ("worse", "better") else following

    # What belongs to one coach

    def absences(self, ref: str) -> None:
        if self.chance(0.25):
            return
        first, last = self.span(ref)
        day = self.day(first, days_after(first, 200))
        begun = self.rng.choice(self.posts[ref])["started_on"]
        if 13 <= (last_of_month(begun) - begun).days <= 20:  # leaves too few days of the first month, once it has begun
            day = days_after(last_of_month(begun), -self.rng.randint(0, 5))
            end = days_after(day, self.rng.choice([12, 13, 20]))
            self.add("absences", coach_ref=ref, kind="sickness", from_=day, to=end)
            day = self.day(days_after(end, 1), days_after(end, 200))
        while day < days_after(last, 30):
            length = self.rng.choice([1, 5, 12, 13, 13, 14, 14, 15, 20, 31, 90])
            parts = self.rng.choice([1, 1, 1, 2, 3])
            running = self.chance(0.07)
            for part in range(parts):
                end = days_after(day, max(1, length // parts) - 1)
                runs = running and part == parts - 1
                self.add(
                    "absences",
                    coach_ref=ref,
                    kind=self.rng.choice(words("absences", "kind")),
                    from_=day,
                    to=None if runs else end,
                )
                day = days_after(end, 1)  # the next follows without a free day
            if running:
                return
            day = days_after(day, 1) if self.chance(0.2) else self.day(days_after(day, 1), days_after(day, 250))

    def may_supervise(self, ref: str, supervisor_ref: str) -> bool:
        return all(
            row.get("coach_ref") != ref for row in self.book["supervisors"] if row["supervisor_ref"] == supervisor_ref
        )

    def supervisor_for(self, kind: str) -> str:
        refs: list[str] = [row["supervisor_ref"] for row in self.book["supervisors"]]
        if kind == "health_coaching" and self.chance(0.5):
            return self.rng.choice(self.good)
        if kind == "clinical" and self.chance(0.7):
            return self.rng.choice(["S02", "S03", "S04"])
        return self.rng.choice(refs)

    def agreements(self, ref: str) -> None:
        for kind in words("agreements", "kind"):
            if self.chance(0.15):
                continue
            first, last = self.span(ref)
            day = self.day(first, days_after(first, 90))
            end: date | None = None
            while day < last:
                supervisor_ref = self.supervisor_for(kind)
                if not self.may_supervise(ref, supervisor_ref):
                    continue
                runs = self.chance(0.4)
                end = None if runs else self.day(day, days_after(day, 500))
                self.add("agreements", coach_ref=ref, kind=kind, supervisor_ref=supervisor_ref, from_=day, to=end)
                if end is None:
                    break
                day = days_after(end, self.rng.choice([1, 1, 2, 10, 45]))
            if self.chance(0.1) and end is not None:  # one more, in the future
                day = days_after(max(end, self.end), 10)
                self.add("agreements", coach_ref=ref, kind=kind, supervisor_ref="S01", from_=day)

    def training(self, ref: str) -> None:
        """Records of PCI health coaching courses, whole, almost whole, and spoilt in one way."""
        first, last = self.span(ref)
        tries = self.rng.choice([0, 1, 1, 1, 2, 3])
        for _ in range(tries):
            required = {row["course_ref"] for row in self.book["requirements"]} if self.chance(0.5) else set()
            courses = [row for row in self.book["courses"] if row["kind"] == PCI]
            course = self.rng.choice([row for row in courses if row["course_ref"] in required] or courses)
            enrolled = self.day(first, max(first, days_after(last, -60)))
            if self.chance(0.4):
                edges = [course.get("accredited_from"), course.get("accredited_to")]
                near = [days_after(edge, -self.rng.randint(3, 40)) for edge in edges if edge is not None]
                enrolled = self.rng.choice([day for day in near if self.begin <= day <= last] or [enrolled])
            self.pci_record(ref, course, enrolled)

    def pci_record(self, ref: str, course: Row, enrolled: date) -> None:
        shape = self.pick(
            complete=5, three=1.5, twice=0.7, uncertified=1.5, early=0.7, withdrawn=1, again=0.7, refresher=1.5, split=1
        )
        count = {"three": 3, "twice": 3, "split": 2}.get(shape) or self.rng.choice([4, 4, 4, 5])
        begun = days_after(enrolled, -30) if shape == "early" else enrolled
        attended = [begun]
        while len(attended) < count:
            attended.append(days_after(attended[-1], self.rng.choice([1, 1, 7, 14, 28])))
        if self.chance(0.3) and course.get("accredited_to") and len(attended) >= 4:
            # the fourth day on the last day of the accreditation, or on the day after it
            shift = (days_after(course["accredited_to"], self.rng.choice([0, 0, 1])) - attended[3]).days
            enrolled = days_after(enrolled, shift)
            attended = [days_after(day, shift) for day in attended]
        elif self.chance(0.3) and course.get("accredited_from"):
            # the first day on the first day of the accreditation, or on the day before it
            shift = (days_after(course["accredited_from"], -self.rng.choice([0, 0, 1])) - attended[0]).days
            enrolled = days_after(enrolled, shift)
            attended = [days_after(day, shift) for day in attended]
        if shape == "refresher":
            attended.append(days_after(max(attended[-1], course.get("accredited_to") or attended[-1]), 30))
        if shape == "twice":  # the same day written twice is one day
            attended.append(attended[-1])
        fourth = attended[min(3, len(attended) - 1)]
        attended = [day for day in attended if day <= self.end]
        enrolled = min(enrolled, self.end)
        certificate: date | None = max(enrolled, days_after(fourth, self.rng.choice([-3, -1, 0, 0, 1, 10, 40])))
        if shape in ("uncertified", "withdrawn", "again", "split") or (certificate and certificate > self.end):
            certificate = None
        withdrawn = None
        if shape in ("withdrawn", "again"):
            withdrawn = self.day(enrolled, days_after(enrolled, 120))
            attended = [day for day in attended if day <= withdrawn]
        self.rng.shuffle(attended)
        self.add(
            "training",
            coach_ref=ref,
            course_ref=course["course_ref"],
            enrolled_on=enrolled,
            attended_on=attended or None,
            withdrawn_on=withdrawn,
            certificate_on=certificate,
            certificate_number=self.certificate_number() if certificate and self.chance(0.7) else None,
        )
        self.ready_days[ref] += [day for day in (certificate, fourth) if day is not None and day <= self.end]
        if shape == "again" and withdrawn is not None:
            self.pci_record(ref, course, self.rng.choice([withdrawn, days_after(withdrawn, 30)]))
        if shape == "split":  # the other two days are in a record of their own, and are not added
            later = days_after(enrolled, 35)
            days = [days_after(later, 1), days_after(later, 8)]
            if days[-1] <= self.end:
                self.add(
                    "training",
                    coach_ref=ref,
                    course_ref=course["course_ref"],
                    enrolled_on=later,
                    attended_on=days,
                    certificate_on=days[-1],
                )

    def certificate_number(self) -> str:
        return f"HC-{self.rng.randint(1000, 9999)}"

    def required_training(self, ref: str) -> None:
        """Records of the other courses: renewed, renewed too late, half attended, withdrawn, never."""
        first, last = self.span(ref)
        for course in self.book["courses"]:
            if course["kind"] == PCI or self.chance(0.25):
                continue
            day = self.day(first, days_after(first, 250))
            for _ in range(self.rng.choice([1, 1, 2, 3])):
                if day > last:
                    break
                days = course.get("days") or 1
                count = max(1, days + self.rng.choice([-1, 0, 0, 0, 1]))
                attended = [days_after(day, 3 * number) for number in range(count)]
                attended = [found for found in attended if found <= self.end]
                certificate = None
                if course["gives_certificate"] and self.chance(0.8):
                    certificate = days_after(day, self.rng.choice([0, 5, 20]))
                if certificate is not None and certificate > self.end:
                    certificate = None
                withdrawn = None
                if certificate is None and self.chance(0.15):
                    withdrawn = days_after(attended[-1], self.rng.choice([0, 1, 30]))
                self.add(
                    "training",
                    coach_ref=ref,
                    course_ref=course["course_ref"],
                    enrolled_on=day,
                    attended_on=attended if self.chance(0.9) else None,
                    withdrawn_on=withdrawn,
                    certificate_on=certificate,
                    certificate_number=self.certificate_number() if certificate and self.chance(0.3) else None,
                )
                day = days_after(add_months(day, self.rng.choice([1, 3, 12])), self.rng.choice([-30, -1, 0, 1, 40]))

    def exemptions(self, ref: str) -> None:
        first, last = self.span(ref)
        rules = [REQUIRED + row["course_ref"] for row in self.book["requirements"] if self.chance(0.12)]
        if self.chance(0.35):
            rules += [BEFORE_REFERRALS] * self.rng.choice([1, 2])
        begun = self.day(first, last)
        for rule in rules:
            end = self.day(begun, days_after(begun, self.rng.choice([0, 30, 90, 200])))
            self.add(
                "exemptions",
                coach_ref=ref,
                rule=rule,
                from_=begun,
                to=end,
                reason=self.rng.choice(["Course was cancelled", "Trained elsewhere, proof awaited"]),
                approved_by="Mo Example",
            )
            if rule == BEFORE_REFERRALS:
                self.ready_days[ref] += [begun, end]
            begun = days_after(end, self.rng.choice([1, 2, 30])) if self.chance(0.5) else self.day(first, last)

    # Meetings

    def meeting(self, ref: str, kind: str, held_on: date, minutes: int | None = None, **values: Any) -> None:
        values.setdefault("status", self.pick(held=0.91, planned=0.03, cancelled=0.03, did_not_attend=0.03))
        if held_on > self.end:
            values["status"] = "planned"
        values.setdefault("supervisor_ref", self.supervisor_for(kind))
        values.setdefault("format", self.pick(individual=0.93, group=0.07))
        self.add(
            "supervision",
            coach_ref=ref,
            kind=kind,
            held_on=held_on,
            minutes=minutes or self.rng.choice([15, 30, 45, 60, 90]),
            ad_hoc=self.rng.choices([None, False, True], [0.5, 0.45, 0.05])[0],
            **values,
        )

    def supervision(self, ref: str) -> None:
        first, last = self.span(ref)
        rhythms = {  # days between meetings: in time, at the last moment, late
            "line": (20, 28, 31, 38, 39, 50, 90),
            "clinical": (60, 80, 90, 92, 95, 120),
            "appraisal": (340, 350, 360, 365, 366, 372, 400),
        }
        for kind, rhythm in rhythms.items():
            day = days_after(first, self.rng.choice([0, 10, 20, 21, *rhythm]))
            stops = last if self.chance(0.7) else self.day(first, last)
            while day < stops:
                self.meeting(ref, kind, self.day(day, days_after(day, 6)) if self.chance(0.3) else day)
                day = days_after(day, self.rng.choice(rhythm))
            if self.chance(0.3):
                self.meeting(ref, kind, days_after(self.end, self.rng.randint(1, 60)))
        self.health_coaching(ref, first, last)
        own = [row["supervisor_ref"] for row in self.book["supervisors"] if row.get("coach_ref") == ref]
        for supervisor_ref in own:  # supervising oneself never counts
            for kind in words("supervision", "kind"):
                self.meeting(ref, kind, self.day(first, last), 60, supervisor_ref=supervisor_ref, status="held")

    def health_coaching(self, ref: str, first: date, last: date) -> None:
        usual = self.supervisor_for("health_coaching")
        careful = self.rng.choice([0.4, 0.75, 0.95])  # the share of months with enough
        month = first_of_month(first)
        while month <= last:
            if self.chance(careful):
                minutes = self.rng.choice([[60], [60], [90], [30, 30], [45, 15], [60, 60], [15, 15, 30], [61]])
            else:
                minutes = self.rng.choice([[], [], [45], [30, 15], [59], [15], [30]])
            for each in minutes:
                day = self.day(month, last_of_month(month))
                if self.chance(0.8):
                    self.meeting(ref, "health_coaching", day, each, supervisor_ref=usual, status="held")
                else:
                    self.meeting(ref, "health_coaching", day, each)
            if self.chance(0.15):
                day = self.day(month, last_of_month(month))
                self.meeting(ref, "health_coaching", day, 60, format="group")
            month = add_months(month, 1)
        for row in self.rng.sample(self.book["supervisor_evidence"], 4):  # proof of exactly a year, and a day too old
            proof_ends = add_months(row["evidenced_on"], 12)
            day = self.rng.choice([row["evidenced_on"], proof_ends, proof_ends, days_after(proof_ends, 1)])
            if first <= day <= last:
                supervisor_ref = row["supervisor_ref"]
                self.meeting(ref, "health_coaching", day, 60, supervisor_ref=supervisor_ref, format="individual")

    # Referrals

    def referral(self, pcn_code: str, received_on: date, **values: Any) -> Row:
        row = self.add(
            "referrals",
            referral_ref=f"R{len(self.book['referrals']) + 1:05d}",
            pcn_code=pcn_code,
            practice_code=self.rng.choice([None, *self.practices[pcn_code]]),
            source=self.rng.choice(words("referrals", "source")),
            priority=self.rng.choice(["routine", "routine", "urgent"]),
            received_on=received_on,
            **values,
        )
        assert row is not None
        return row

    def referrals(self, ref: str) -> None:
        for post in self.posts[ref]:
            first, last = post["started_on"], min(post.get("left_on") or self.end, self.end)
            if first > last or self.chance(0.25):
                continue
            days = [self.day(first, last) for _ in range(self.rng.choice([1, 2, 5]))]
            for ready in self.ready_days[ref]:
                days += [days_after(ready, shift) for shift in (-1, 0, 1) if self.chance(0.4)]
            if self.chance(0.5) and self.ready_days[ref]:  # takes none before being ready
                days = [day for day in days if day >= max(self.ready_days[ref])]
            for accepted in days:
                if not covers(first, last, accepted):
                    continue
                closed = self.rng.choice([None, self.day(accepted, self.end)])
                row = self.referral(
                    post["pcn_code"],
                    days_after(accepted, -self.rng.choice([0, 0, 1, 9, 30])),
                    coach_ref=ref,
                    accepted_on=accepted,
                    closed_on=closed,
                    outcome=None if closed is None else self.rng.choice(["Goals met", "Moved away"]),
                )
                self.coaching_sessions(row, accepted, closed or self.end)

    def coaching_sessions(self, referral: Row, first: date, last: date) -> None:
        for _ in range(self.rng.choice([0, 1, 3])):
            self.add(
                "coaching_sessions",
                referral_ref=referral["referral_ref"],
                held_on=self.day(first, last),
                mode=self.rng.choice(words("coaching_sessions", "mode")),
                minutes=self.rng.choice([15, 30, 45, 60]),
                outcome=self.rng.choice(words("coaching_sessions", "outcome")),
            )

    def unallocated_referrals(self) -> None:
        for _ in range(self.coaches // 2):
            received = self.day(self.begin, self.end)
            closed = self.rng.choice([None, None, self.day(received, self.end)])
            self.referral(
                self.rng.choice(self.pcns),
                received,
                closed_on=closed,
                outcome=None if closed is None else "Declined by the patient",
            )


# Days to ask about


def interesting_days(workbook: Workbook, rng: random.Random, n: int) -> list[date]:
    """This many days on which answers change or are easily got wrong, none of them twice, in order."""
    by_column: dict[tuple[str, str], list[date]] = {}  # rare columns are looked at as often as common ones
    for sheet, rows in workbook.items():
        for row in rows:
            for name, value in row.items():
                if not name.startswith("_"):
                    days = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, date)]
                    by_column.setdefault((sheet, name), []).extend(days)
    by_column["absences", "running"] = [
        days_after(row["from"], 13) for row in workbook.get("absences", []) if row.get("to") is None
    ]
    edges = [("coaches", "started_on"), ("coaches", "left_on"), ("absences", "from"), ("absences", "to")]
    named = [days for days in by_column.values() if days]
    everything = [day for days in named for day in days]
    first = max(date(min(BANK_HOLIDAYS), 1, 1), min(everything))
    last = min(date(max(BANK_HOLIDAYS), 12, 31), days_after(max(everything), 400))

    def near() -> date:
        day = days_after(rng.choice(rng.choice(named)), rng.choice([-1, 0, 0, 1]))
        return min(max(day, first), last)

    def late_in_month() -> date:
        """One of the last days of a month in which a post or an absence begins or ends."""
        day = rng.choice(rng.choice([by_column.get(name) or everything for name in edges]))
        day = min(max(day, first), last)
        begin = nth_last_working_day(day, 5)
        return days_after(begin, rng.randint(0, (last_of_month(day) - begin).days))

    def due() -> date:
        """A day on or beside one on which the answer of some rule changes, all rules alike."""
        dates: dict[str, list[date]] = {}
        for answer in answers(workbook, near()):
            found = [day for day in (answer.due_on, answer.since) if day is not None]
            dates.setdefault(answer.rule, []).extend(found)
        choices = [days for days in dates.values() if days]
        if not choices:
            return near()
        return days_after(rng.choice(rng.choice(choices)), rng.choice([-60, -61, -30, -31, -8, -7, -1, 0, 0, 1, 7, 8]))

    kinds = {
        near: 6,
        due: 6,
        late_in_month: 3,
        lambda: first_of_month(near()): 1,
        lambda: last_of_month(near()): 1,
        lambda: days_after(nth_last_working_day(near(), 5), rng.choice([-1, 0, 0, 1])): 2,
        lambda: rng.choice([date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2028, 2, 29)]): 0.2,
        lambda: days_after(first, rng.randint(0, (last - first).days)): 2,
    }
    chosen: set[date] = set()
    for _ in range(100 * n):
        if len(chosen) >= n:
            break
        day = rng.choices(list(kinds), list(kinds.values()))[0]()
        if first <= day <= last:
            chosen.add(day)
    return sorted(chosen)


# Whether a workbook is valid


def errors(workbook: Workbook, today: date) -> list[str]:
    """Every rule of the import that the workbook breaks; an empty list for a valid one."""
    found = [f"unknown sheet {sheet}" for sheet in workbook if sheet not in COLUMNS]
    for sheet, rows in workbook.items():
        required = [name[:-1] for name in COLUMNS[sheet].split() if name.endswith("*")]
        counted = Counter(tuple(row.get(name) or False for name in KEYS[sheet].split()) for row in rows)
        found += [f"{sheet}: {row_key} twice" for row_key, count in counted.items() if count > 1]
        for row in rows:
            found += [f"{sheet}: {name} is unknown: {row}" for name in row if name not in columns(sheet)]
            found += [f"{sheet}: {name} is blank: {row}" for name in required if row.get(name) in (None, "", [])]
            found += [
                f"{sheet}: {name} is not one of its words: {row}"
                for (of_sheet, name) in WORDS
                if of_sheet == sheet and row.get(name) not in (None, *words(sheet, name))
            ]
    return found or [
        *_reference_errors(workbook),
        *_overlap_errors(workbook),
        *_date_errors(workbook, today),
        *_value_errors(workbook),
    ]


def _reference_errors(workbook: Workbook) -> list[str]:
    def known(sheet: str, column: str) -> set[Any]:
        return {row[column] for row in workbook.get(sheet, [])}

    organisations = known("organisations", "code")
    targets = {
        "parent_code": organisations,
        "pcn_code": organisations,
        "employer_code": organisations,
        "organisation_code": organisations,
        "practice_code": organisations,
        "coach_ref": known("coaches", "coach_ref"),
        "course_ref": known("courses", "course_ref"),
        "supervisor_ref": known("supervisors", "supervisor_ref"),
        "referral_ref": known("referrals", "referral_ref"),
    }
    return [
        f"{sheet}: {column} is nowhere: {row}"
        for sheet, rows in workbook.items()
        for row in rows
        for column, values in targets.items()
        if row.get(column) is not None and row[column] not in values
    ]


def _overlap_errors(workbook: Workbook) -> list[str]:
    found = []
    for sheet, group, start, end in [
        ("coaches", ("coach_ref", "pcn_code"), "started_on", "left_on"),
        ("absences", ("coach_ref",), "from", "to"),
        ("agreements", ("coach_ref", "kind"), "from", "to"),
    ]:
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in workbook.get(sheet, []):
            groups.setdefault(tuple(row[name] for name in group), []).append(row)
        for rows in groups.values():
            rows.sort(key=lambda row: row[start])
            found += [
                f"{sheet}: overlap: {before} {after}"
                for before, after in pairwise(rows)
                if before.get(end) is None or before[end] >= after[start]
            ]
    return found


def _date_errors(workbook: Workbook, today: date) -> list[str]:
    found = []
    for sheet, start, end in [
        ("coaches", "started_on", "left_on"),
        ("absences", "from", "to"),
        ("agreements", "from", "to"),
        ("exemptions", "from", "to"),
        ("courses", "accredited_from", "accredited_to"),
        ("training", "enrolled_on", "withdrawn_on"),
        ("training", "enrolled_on", "certificate_on"),
        ("referrals", "received_on", "accepted_on"),
        ("referrals", "received_on", "closed_on"),
        ("referrals", "accepted_on", "closed_on"),
    ]:
        found += [
            f"{sheet}: {end} before {start}: {row}"
            for row in workbook.get(sheet, [])
            if row.get(start) is not None and row.get(end) is not None and row[end] < row[start]
        ]
    happened: list[tuple[str, date]] = [
        ("held", row["held_on"]) for row in workbook.get("supervision", []) if row["status"] != "planned"
    ]
    for row in workbook.get("training", []):
        happened += [("attended", day) for day in row.get("attended_on") or []]
    for sheet, column in [
        ("training", "certificate_on"),
        ("training", "enrolled_on"),
        ("supervisor_evidence", "evidenced_on"),
        ("coaching_sessions", "held_on"),
        ("referrals", "received_on"),
        ("referrals", "closed_on"),
    ]:
        happened += [(column, row[column]) for row in workbook.get(sheet, []) if row.get(column) is not None]
    found += [f"{what} in the future: {day}" for what, day in happened if day > today]
    found += [
        f"accepted today or later: {row}"
        for row in workbook.get("referrals", [])
        if row.get("accepted_on") is not None and row["accepted_on"] >= today
    ]
    return found


def _value_errors(workbook: Workbook) -> list[str]:
    found = []
    people: dict[str, set[tuple[str, str]]] = {}
    for row in workbook.get("coaches", []):
        people.setdefault(row["coach_ref"], set()).add((row["name"], row["email"]))
        if not 0 < row["hours_per_week"] <= 60:
            found.append(f"hours: {row}")
    found += [f"two names: {ref}" for ref, names in people.items() if len(names) > 1]

    patterns = {"pcn": r"U\d{5}", "practice": r"[A-TV-Z]\d{5}"}
    for row in workbook.get("organisations", []):
        if not re.fullmatch(patterns.get(row["kind"], ".+"), row["code"]):
            found.append(f"code: {row}")
        if (row.get("parent_code") is None) != (row["kind"] == "icb"):
            found.append(f"parent: {row}")
    coach_of = {row["supervisor_ref"]: row.get("coach_ref") for row in workbook.get("supervisors", [])}
    found += [
        f"with themself: {row}"
        for row in workbook.get("agreements", [])
        if coach_of[row["supervisor_ref"]] == row["coach_ref"]
    ]

    courses = {row["course_ref"]: row for row in workbook.get("courses", [])}
    found += [
        f"no certificate: {row}" for row in courses.values() if row["kind"] == PCI and not row["gives_certificate"]
    ]
    for row in workbook.get("training", []):
        certificate, number = row.get("certificate_on"), row.get("certificate_number")
        if number and not certificate:
            found.append(f"a number without a date: {row}")
        if certificate and (row.get("withdrawn_on") or not courses[row["course_ref"]]["gives_certificate"]):
            found.append(f"a certificate that cannot be: {row}")
    found += [
        f"rule: {row}"
        for row in workbook.get("exemptions", [])
        if row["rule"] != BEFORE_REFERRALS and row["rule"].removeprefix(REQUIRED) not in courses
    ]
    for row in workbook.get("supervisor_evidence", []):
        value = row.get("value")
        if row["kind"] != "own_supervision" and (not isinstance(value, int | Decimal) or value < 0):
            found.append(f"value: {row}")
    for sheet, column, least in [
        ("supervision", "minutes", 1),
        ("coaching_sessions", "minutes", 1),
        ("courses", "days", 1),
        ("requirements", "validity_months", 1),
        ("requirements", "within_days", 0),
    ]:
        for row in workbook.get(sheet, []):
            value = row.get(column, least)
            if not isinstance(value, int) or value < least:
                found.append(f"{column}: {row}")
    found += [
        f"a referral half allocated: {row}"
        for row in workbook.get("referrals", [])
        if (row.get("accepted_on") is None) != (row.get("coach_ref") is None)
    ]
    return found


# Files


def write_xlsx(workbook: Workbook, path: str | Path, seed: int = 0) -> None:
    """The workbook as an XLSX file: dates mostly real ones, sometimes text; numbers as numbers."""
    from openpyxl import Workbook as Spreadsheet

    rng = random.Random(seed)
    spreadsheet = Spreadsheet(write_only=True)
    for sheet, names, rows in _shuffled_sheets(workbook, rng):
        written = spreadsheet.create_sheet(sheet)
        written.append(names)
        for row in rows:
            cells: list[Any] = []
            for name in names:
                value = row.get(name)
                if isinstance(value, Decimal):
                    cells.append(float(value))
                elif type(value) is int or (isinstance(value, date) and rng.random() < 0.7):
                    cells.append(value)
                else:
                    cells.append(_text(name, value, rng) or None)
            written.append(cells)
    spreadsheet.save(path)


def write_csv_folder(workbook: Workbook, path: str | Path, seed: int = 0) -> None:
    """The workbook as a folder of CSV files, dates written in both ways, codes in any letters."""
    rng = random.Random(seed)
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    for sheet, names, rows in _shuffled_sheets(workbook, rng):
        with (folder / f"{sheet}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([_text(name, row.get(name), rng) for name in names] for row in rows)


def _shuffled_sheets(workbook: Workbook, rng: random.Random) -> list[tuple[str, list[str], list[Row]]]:
    """The sheets in any order, with their columns often in another order; an empty one is sometimes left out."""
    result = []
    for sheet in COLUMNS:
        rows, names = workbook.get(sheet, []), columns(sheet)
        if rng.random() < 0.5:
            rng.shuffle(names)
        if rows or rng.random() < 0.5:
            result.append((sheet, names, rows))
    rng.shuffle(result)
    return result


def _text(name: str, value: Any, rng: random.Random) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.isoformat() if rng.random() < 0.5 else f"{value:%d/%m/%Y}"
    if isinstance(value, list):
        return rng.choice([";", "; "]).join(_text(name, each, rng) for each in value)
    text = str(value)
    if name == "code" or name.endswith("_code"):  # codes ignore case
        text = rng.choice([text, text, text, text.lower()])
    return rng.choice([text, text, text, text, f" {text} "])
