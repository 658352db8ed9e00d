"""Who and where in the demo. Every person and place is invented, and no code looks like a real one.

Days are counted back from the day that the demo is told from: 30 is thirty days before it, -30 thirty days after.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

ICB, HUB, PROVIDER = "DEMO-ICB", "DEMO-HUB", "DEMO-PRO"
MONTHS = 18  # of history


@dataclass(frozen=True)
class Pcn:
    """A PCN with its practices. `fell_through`: from so many months ago back, what share of meetings there did."""

    code: str
    name: str
    practices: tuple[str, ...]
    fell_through: Mapping[int, float]
    waiting: tuple[int, ...] = ()  # routine referrals without a coach: when each was received
    urgent: tuple[int, ...] = ()

    def chance(self, months: int) -> float:
        """How likely a meeting there fell through, so many months ago."""
        return next(share for since, share in sorted(self.fell_through.items(), reverse=True) if since <= months)


@dataclass(frozen=True)
class Post:
    """A coach's post: from the Monday of the week that lies `since` days back, to the Sunday before that of `until`."""

    pcn: Pcn
    since: int
    until: int | None = None
    hours: float = 37.5
    arrs: bool = True
    employer: str = ""  # the PCN


@dataclass(frozen=True)
class Taught:
    """An enrolment on a health coaching course."""

    course: str
    enrolled: int
    attended: tuple[int, ...]
    certificate: int | None = None
    withdrawn: int | None = None


@dataclass(frozen=True)
class Coach:
    """A coach and what is out of the ordinary with them; where nothing is said, it is as it should be.

    `line`, `clinical`, `appraisal`, `data_security`: when the latest was. `coaching`: how health coaching supervision
    goes: well, or "short", "group" or "none" for the last months, or "not_yet" this month.
    """

    ref: str
    name: str
    posts: tuple[Post, ...]
    line_by: str  # the supervisors of today; "": nobody
    clinical_by: str
    coaching_by: str
    before: tuple[tuple[str, str, int], ...] = ()  # kind, who it was before, and until when
    line: int = 0
    clinical: int = 0
    appraisal: int = 0
    coaching: str = ""
    data_security: int = 0
    taught: tuple[Taught, ...] = ()  # nothing: the four-day course, soon after the start
    without: tuple[str, ...] = ()  # required courses never done
    exempt: tuple[tuple[str, int, int, str], ...] = ()  # rule, from, to, reason
    away: tuple[tuple[str, int, int], ...] = ()  # long absences: kind, from, to
    takes_from: int | None = None  # the first referral; None: soon after the training
    load: float = 1.0  # of the referrals that are usual for the hours

    @property
    def since(self) -> int:
        """When the first post began."""
        return max(post.since for post in self.posts)


@dataclass(frozen=True)
class Supervisor:
    """A supervisor. `shown`: of a health coaching supervisor, what the evidence says."""

    ref: str
    name: str
    role: str
    place: str
    coach: str = ""
    shown: Mapping[str, float] = field(default_factory=dict)
    lapsed: bool = False  # has shown no caseload for more than a year, since before last month


# fmt: off
_BETTER = {0: 0.0, 3: 0.04, 6: 0.12, 9: 0.3, 12: 0.5, 15: 0.7}  # the hub as a whole has come a long way
_SLID = {0: 0.6, 5: 0.45, 8: 0.1, 10: 0.0}
_POOR = {0: 0.45, 6: 0.55, 12: 0.6}

RIVERSIDE = Pcn("DEMO-01", "Riverside PCN", (
    "Quay Lane Surgery", "Weir Street Practice", "Towpath Medical Centre", "Ferry Road Surgery",
    "Old Mill Health Centre"), _SLID, (41, 33, 27, 22, 18, 13, 6), (21, 8, 2))
MILLBROOK = Pcn("DEMO-02", "Millbrook PCN", (
    "Millbrook Health Centre", "Sluice Street Surgery", "Tannery Practice", "Brook End Surgery"),
    _POOR, (30, 24, 16, 11, 3), (9,))
HILLTOP = Pcn("DEMO-03", "Hilltop PCN", (
    "Beacon Surgery", "Ridgeway Practice", "Summit Health Centre", "Larch Hill Surgery"), _BETTER, (6, 2))
LAKESIDE = Pcn("DEMO-04", "Lakeside PCN", (
    "Boathouse Surgery", "Lakeside Medical Centre", "Heron Practice"), _BETTER, (12, 7, 1))
BRAMBLEDOWN = Pcn("DEMO-05", "Brambledown PCN", (
    "Bramble Lane Surgery", "Down Road Practice", "Hazel Court Health Centre", "Cobnut Surgery"), _BETTER, (4,))
FOXMERE = Pcn("DEMO-06", "Foxmere PCN", (
    "Foxmere Surgery", "Covert Road Practice", "Russet House Medical Centre"), _BETTER, (9, 5), (1,))
LARKHOLLOW = Pcn("DEMO-07", "Larkhollow PCN", (
    "Hollow Lane Surgery", "Skylark Practice", "Meadow Rise Health Centre"), _BETTER, (3,))
OAKWATER = Pcn("DEMO-08", "Oakwater PCN", (
    "Oakwater Surgery", "Acorn Practice", "Pollard Street Medical Centre"), _BETTER, (8, 2))
SALTMARSH = Pcn("DEMO-09", "Saltmarsh PCN", (
    "Saltmarsh Surgery", "Samphire Practice", "Curlew Health Centre", "Sea Wall Surgery", "Dunlin Practice",
    "Tideway Medical Centre"), _BETTER, (15, 10, 4))
STONEBECK = Pcn("DEMO-10", "Stonebeck PCN", (
    "Stonebeck Practice", "Quarry Road Surgery", "Limekiln Health Centre"), _BETTER)
THISTLEGATE = Pcn("DEMO-11", "Thistlegate PCN", (
    "Thistlegate Surgery", "Market Cross Practice", "Gatehouse Medical Centre", "Burdock Lane Surgery"),
    _BETTER, (5,))
WINDMERE = Pcn("DEMO-12", "Windmere PCN", (
    "Windmere Surgery", "Millstone Practice", "Weathervane Health Centre"), _BETTER, (11, 3))
PCNS = (
    RIVERSIDE, MILLBROOK, HILLTOP, LAKESIDE, BRAMBLEDOWN, FOXMERE, LARKHOLLOW, OAKWATER, SALTMARSH, STONEBECK,
    THISTLEGATE, WINDMERE,
)

MANAGERS = {RIVERSIDE.code: "Robert Ellwood", HILLTOP.code: "Sian Rees-Hughes"}  # of those in the cast


def _four_days(enrolled: int, days: int = 4, certificate: int | None = None) -> Taught:
    """The four-day course: two days a month after the enrolment, and two a fortnight later."""
    return Taught("HC4", enrolled, tuple(enrolled - after for after in (28, 29, 42, 43))[:days], certificate)


_RIVERSIDE, _HILLTOP, _FOXMERE = ("LM1", "GP1"), ("LM3", "GP3"), ("LM4", "AP1")  # who supervises where
_SOUTH, _NORTH = ("LM5", "SC1", "HC2"), ("LM6", "GP4", "HC3")

COACHES = (
    # Riverside slid within half a year: who could have lent a hand has left.
    Coach("C01", "Amara Nwosu", (Post(RIVERSIDE, 150),), *_RIVERSIDE, "HC1", line=11, clinical=33,
          taught=(_four_days(41, days=2),), without=("CORE",), takes_from=95, load=0.6),
    Coach("C02", "Tomasz Wierzba", (Post(RIVERSIDE, 1310),), *_RIVERSIDE, "HC4", line=47, clinical=118, load=1.2),
    Coach("C03", "Grace Tanner", (Post(RIVERSIDE, 1030, hours=30),), *_RIVERSIDE, "HC1", line=75, clinical=41,
          appraisal=398, coaching="short", data_security=388),
    Coach("C04", "Ifan Pryce", (Post(RIVERSIDE, 640),), *_RIVERSIDE, "HC1", line=30, clinical=70, load=1.3),
    # Millbrook never came off the ground.
    Coach("C05", "Shazia Malik", (Post(MILLBROOK, 210, hours=22.5),), "LM2", "GP2", "", line=9, clinical=40,
          before=(("line", "LM0", 37),), coaching="none", taught=(Taught("HC4", 150, (122, 121), withdrawn=25),),
          load=0.0),
    Coach("C06", "Declan Rourke", (Post(MILLBROOK, 905),), "LM2", "GP2", "HC3", line=13, clinical=130, appraisal=120,
          before=(("line", "LM0", 37),), coaching="group"),
    Coach("C07", "Beatriz Fonseca", (Post(MILLBROOK, 1200),), "", "GP2", "HC3", line=58, clinical=22, appraisal=420,
          before=(("line", "LM0", 37),), load=0.8),
    # Everywhere else most is well.
    Coach("C08", "Leila Haddadi", (Post(HILLTOP, 760),), *_HILLTOP, "HC1", line=8, clinical=27, appraisal=140),
    Coach("C09", "Joseph Oduya", (Post(RIVERSIDE, 800, 152), Post(HILLTOP, 152)), *_HILLTOP, "HC1", line=12,
          clinical=36, before=(("line", "LM1", 152), ("clinical", "GP1", 152))),
    Coach("C10", "Hannah Whitcombe", (Post(LAKESIDE, 1120, hours=30),), *_HILLTOP, "HC1", data_security=200,
          away=(("parental", 75, -190),)),
    Coach("C11", "Rajan Pillai", (Post(LAKESIDE, 690),), *_HILLTOP, "HC1", appraisal=348, without=("SAFE",),
          exempt=(("training.required:SAFE", 120, -60, "Did the same course elsewhere; certificate to follow"),)),
    Coach("C12", "Morag Sinclair-Bell", (Post(BRAMBLEDOWN, 1400, hours=30),), *_FOXMERE, "HC1"),
    Coach("C13", "Yusuf Demir", (Post(BRAMBLEDOWN, 14),), "LM4", "", "HC2", line=3, taught=(Taught("HC4", 9, ()),),
          without=("CORE", "SAFE", "IG")),
    Coach("C14", "Carol-Ann Fielding", (Post(FOXMERE, 1620, hours=30),), *_FOXMERE, "HC1", load=0.7),
    Coach("C15", "Nikhil Varma", (Post(FOXMERE, 500),), *_FOXMERE, "HC2", line=24,
          taught=(_four_days(440, certificate=380),), takes_from=425),
    Coach("C16", "Eleni Markou", (Post(LARKHOLLOW, 120),), *_SOUTH, taught=(_four_days(60, days=3),), takes_from=46,
          exempt=(("training.before_referrals", 50, -40, "Coached for nine years elsewhere; the last day is booked"),),
          load=0.6),
    Coach("C17", "Samuel Boateng", (Post(LARKHOLLOW, 980),), *_SOUTH, coaching="not_yet"),
    Coach("C18", "Wai-Ling Cheung", (Post(OAKWATER, 700, hours=18.75), Post(SALTMARSH, 330, hours=18.75)), *_SOUTH),
    Coach("C19", "Patrick Mulcahy", (Post(SALTMARSH, 870),), *_SOUTH, line=10, away=(("sickness", 60, 22),)),
    Coach("C20", "Oluwaseun Bakare", (
        Post(STONEBECK, 1010, 200, 30, False, PROVIDER), Post(STONEBECK, 200, None, 37.5, False, PROVIDER)), *_NORTH,
        taught=(Taught("OLD", 930, (902, 901, 888, 887), 860),)),
    Coach("C21", "Freya Lindholm", (Post(STONEBECK, 560, employer=PROVIDER),), *_NORTH, data_security=331),
    # The course had lost its accreditation; the supervisor of today is in development still.
    Coach("C22", "Ana de Souza", (Post(THISTLEGATE, 640),), "LM6", "GP4", "HC5", takes_from=560,
          before=(("health_coaching", "HC3", 10),),
          taught=(Taught("OLD", 610, (590, 589, 576, 575), 560), _four_days(360, certificate=300))),
    Coach("C23", "Marcus Greenidge", (Post(THISTLEGATE, 1090, hours=22.5),), *_NORTH, appraisal=341,
          away=(("sickness", 480, 441),)),
    Coach("C24", "Parveen Akhtar", (Post(WINDMERE, 820),), *_NORTH, clinical=76,
          taught=(Taught("BLEND", 780, (750, 743, 736, 729), 700),)),
    # Who has left.
    Coach("C25", "Colin Ashdown", (Post(RIVERSIDE, 1250, 64),), *_RIVERSIDE, "HC4"),
    Coach("C26", "Mei Tanaka", (Post(SALTMARSH, 930, 335),), *_SOUTH),
)

SUPERVISORS = (
    Supervisor("LM0", "Wendy Scholes", "line_manager", MILLBROOK.code),
    Supervisor("LM1", "Deborah Kinsella", "line_manager", RIVERSIDE.code),
    Supervisor("LM2", "Femi Alade", "line_manager", MILLBROOK.code),
    Supervisor("LM3", "Judith Kerslake", "line_manager", HILLTOP.code),
    Supervisor("LM4", "Imran Qureshi", "line_manager", FOXMERE.code),
    Supervisor("LM5", "Bronwen Maddocks", "line_manager", OAKWATER.code),
    Supervisor("LM6", "Peter Achterberg", "line_manager", THISTLEGATE.code),
    Supervisor("GP1", "Dr Arun Nambiar", "gp", RIVERSIDE.code),
    Supervisor("GP2", "Dr Lucy Hargreave", "gp", MILLBROOK.code),
    Supervisor("GP3", "Dr Samir Kapoor-Jones", "gp", LAKESIDE.code),
    Supervisor("GP4", "Dr Chidi Eze", "gp", STONEBECK.code),
    Supervisor("AP1", "Michelle Tate", "advanced_practitioner", BRAMBLEDOWN.code),
    Supervisor("SC1", "Olga Ivanenko", "senior_clinician", SALTMARSH.code),
    Supervisor("NA1", "Jade Pickering", "other", WINDMERE.code),
    Supervisor("HC1", "Katarzyna Dudek", "health_coach", HUB,
               shown={"tier": 4, "coaching_years": 11, "caseload_hours": 140}),
    Supervisor("HC2", "Carol-Ann Fielding", "health_coach", FOXMERE.code, coach="C14",
               shown={"tier": 3, "coaching_years": 6, "nhs_coaching_hours": 640, "caseload_hours": 310}),
    Supervisor("HC3", "Owen Lascelles", "health_coach", PROVIDER,
               shown={"tier": 3, "coaching_years": 4, "nhs_coaching_hours": 820, "caseload_hours": 75}),
    Supervisor("HC4", "Vivienne Holt", "health_coach", PROVIDER, lapsed=True,
               shown={"tier": 3, "coaching_years": 8, "caseload_hours": 60}),
    Supervisor("HC5", "Stephen Karanja", "health_coach", THISTLEGATE.code,
               shown={"tier": 2, "coaching_years": 3, "nhs_coaching_hours": 260, "caseload_hours": 180}),
)
# fmt: on


def email(name: str) -> str:
    """The address of somebody invented: example.org is nobody's."""
    plain = unicodedata.normalize("NFKD", name.removeprefix("Dr ").casefold()).encode("ascii", "ignore").decode()
    return f"{re.sub(r'[^a-z]+', '.', plain).strip('.')}@example.org"
