"""The matrix, as a specification: who opens which page about whose record, and which rows the database shows them.

Written by hand from what the service is for, not from its code: nothing here is asked of `ALLOWS`, `@needs` or
`for_actor`. To add a page, add a line to PAGES (and its record to `world.py`, if it names one of a new kind); to add
somebody, a line to VISITORS.

What somebody is to a coach, or to a PCN, is a letter:

    s  themself, the coach                      m  manager of the PCN
    l  their line manager                       t  administrator of the training hub above it, or of the ICB
    c  their clinical supervisor                a  auditor of the PCN, or of a place above it
    h  their health coaching supervisor         d  deputy of the manager of the PCN, for a while
                                                -  nobody

The answer of a page, to a letter of the visitor's anywhere and to the letter for the record in the address:

    signed out                                       302 to sign-in
    no letter anywhere that its door opens for       403, with the reason
    a method that it does not take                   405
    the letter for this record is not among them     404: there is no such page, and nothing is said of the record
    otherwise                                        200, or what the line of the page says
"""

from dataclasses import dataclass, field

# --- Who comes --------------------------------------------------------------------------------------------------------

# Lea worked at Riverside and left for Lakeside: what was so until then is in the column Lea, what came
# since in Lea+. Riverside and whoever is above it see her up to her last day there; Lakeside sees all of it.
PEOPLE = ("Asha", "Bo", "Cai", "Dot", "Lea", "Lea+")
PLACES = ("Riverside", "Hilltop", "Lakeside")
AT = {"Asha": "Riverside", "Bo": "Riverside", "Cai": "Hilltop", "Dot": "Lakeside", "Lea": "Riverside",
      "Lea+": "Lakeside"}  # fmt: skip

# First column: what they are to each coach, and to each PCN. Second column: what the database shows them - the coaches
# of whom it shows every row, the PCNs whose work and whose patients, the places at which they see who has access;
# beside these, everybody is shown what is their own.
#
# A coach's referrals lie in their PCN, and the database's wall is the PCN: which of them are a coach's own is for the
# first wall alone to say, but only within the second.
_VISITORS = """
who    Asha Bo  Cai Dot Lea Lea+ | Riverside Hilltop Lakeside | coaches              | work               | patients  | access
asha   s    -   -   -   -   -    | s         -       -        | Asha                 | Riverside          | Riverside | -
bo     -    s   -   -   -   -    | s         -       -        | Bo                   | Riverside          | Riverside | -
cai    -    -   s   -   -   -    | -         s       -        | Cai                  | Hilltop            | Hilltop   | -
lea    -    -   -   -   s   s    | -         -       s        | Lea                  | Lakeside           | Lakeside  | -
sam    lch  -   -   -   -   -    | -         -       -        | Asha                 | -                  | -         | -
lin    -    l   -   -   -   -    | -         -       -        | Bo                   | -                  | -         | -
cleo   -    c   -   -   -   -    | -         -       -        | Bo                   | -                  | -         | -
hugh   -    h   -   -   -   -    | -         -       -        | Bo                   | -                  | -         | -
noel   -    -   -   -   -   -    | -         -       -        | -                    | -                  | -         | -
mo     m    m   -   -   m   -    | m         -       -        | Asha Bo Lea          | Riverside          | Riverside | Riverside
deb    d    d   -   -   d   -    | d         -       -        | Asha Bo Lea          | Riverside          | Riverside | -
hana   -    -   m   -   -   -    | -         m       -        | Cai                  | Hilltop            | Hilltop   | Hilltop
zed    -    -   -   m   m   m    | -         -       m        | Dot Lea              | Lakeside           | Lakeside  | Lakeside
lee    t    t   t   -   t   -    | t         t       -        | Asha Bo Cai Lea      | Riverside Hilltop  | -         | Northfield
sue    -    -   -   t   t   t    | -         -       t        | Dot Lea              | Lakeside           | -         | Southmoor
iris   t    t   t   t   t   t    | t         t       t        | Asha Bo Cai Dot Lea  | Riverside Hilltop Lakeside | - | ICB
ann    a    a   a   -   a   -    | a         a       -        | Asha Bo Cai Lea      | Riverside Hilltop  | -         | -
abe    a    a   -   -   a   -    | a         -       -        | Asha Bo Lea          | Riverside          | -         | -
tess   a    a   -   c   a   -    | a         -       -        | Asha Bo Dot Lea      | Riverside          | -         | -
rae    -    -   -   -   -   -    | -         -       -        | -                    | -                  | -         | -
pip    -    -   -   -   -   -    | -         -       -        | -                    | -                  | -         | -
ended  -    -   -   -   -   -    | -         -       -        | -                    | -                  | -         | -
gone   -    -   -   -   -   -    | -         -       -        | -                    | -                  | -         | -
soon   -    -   -   -   -   -    | -         -       -        | -                    | -                  | -         | -
noor   -    -   -   -   -   -    | -         -       -        | -                    | -                  | -         | -
shut   -    -   -   -   -   -    | -         -       -        | -                    | -                  | -         | -
out    -    -   -   -   -   -    | -         -       -        | -                    | -                  | -         | -
"""  # noqa: E501  a table

WHO = {
    "asha": "a coach at Riverside, supervised by Sam",
    "bo": "another coach of the same PCN",
    "cai": "a coach of a sibling PCN of the same hub",
    "lea": "a coach at Lakeside since she left Riverside, where her access has ended",
    "sam": "gives Asha supervision of every kind",
    "lin": "Bo's line manager",
    "cleo": "Bo's clinical supervisor",
    "hugh": "Bo's health coaching supervisor",
    "noel": "supervised Cai until yesterday",
    "mo": "manager of Riverside, which Lea has left",
    "deb": "stands in for the manager of Riverside, for a while",
    "hana": "manager of a sibling PCN of the same hub",
    "zed": "manager of a PCN of another hub, where Lea is now",
    "lee": "administrator of Northfield, the hub of Riverside and Hilltop",
    "sue": "administrator of Southmoor, the hub of Lakeside",
    "iris": "administrator at the ICB above both hubs",
    "ann": "auditor at Northfield",
    "abe": "auditor at Riverside",
    "tess": "two roles: auditor at Riverside, and Dot's clinical supervisor",
    "rae": "recruiter at Riverside: a role that opens nothing yet",
    "pip": "interview panel member at Riverside: a role that opens nothing yet",
    "ended": "manager of Riverside until yesterday",
    "gone": "manager of Riverside whose role was ended at once, today",
    "soon": "manager of Riverside from tomorrow on",
    "noor": "signed in, without any role",
    "shut": "manager of Riverside whose account is closed",
    "out": "signed out",
}
SIGNED_OUT = ("shut", "out")  # to the service they are nobody

# Where somebody oversees more than the PCNs, each with all that is below.
AUDITS_AT = {"lee": ["Northfield"], "sue": ["Southmoor"], "iris": ["ICB"], "ann": ["Northfield"]}

# What lies below a place, for the column "access".
BELOW = {
    "ICB": ("Northfield", "Southmoor"),
    "Northfield": ("Riverside", "Hilltop"),
    "Southmoor": ("Lakeside",),
    "Riverside": ("Riverbank practice",),
}


@dataclass(frozen=True)
class Visitor:
    """One line of the table."""

    who: str
    letters: dict[str, str]  # a coach's or a PCN's name → what they are to it
    coaches: frozenset[str]
    work: frozenset[str]
    patients: frozenset[str]
    access: frozenset[str]  # with what lies below

    @property
    def anywhere(self) -> str:
        """Every letter that they have."""
        return "".join(self.letters.values())

    @property
    def audits(self) -> frozenset[str]:
        """The places of which they see who did and read what: a whole PCN's, a hub's, and what lies below."""
        places = {place for place in PLACES if set(self.letters[place]) & set("mtda")}
        return frozenset().union(*map(_below, {*places, *AUDITS_AT.get(self.who, ())}))

    @property
    def is_out(self) -> bool:
        """Whether the service does not know them."""
        return self.who in SIGNED_OUT


def _below(place: str) -> frozenset[str]:
    return frozenset({place}).union(*(_below(each) for each in BELOW.get(place, ())))


def _visitor(line: str) -> Visitor:
    coaches, pcns, *second = (part.split() for part in line.split("|"))
    who, *about = coaches
    letters = dict(zip((*PEOPLE, *PLACES), (*about, *pcns), strict=True))
    named, work, patients, access = (frozenset(part) - {"-"} for part in second)
    everything = frozenset().union(*map(_below, access))
    letters = {name: "" if letter == "-" else letter for name, letter in letters.items()}
    return Visitor(who, letters, named, work, patients, everything)


VISITORS = {visitor.who: visitor for visitor in map(_visitor, _VISITORS.strip().splitlines()[1:])}

# --- What there is to open --------------------------------------------------------------------------------------------

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
READ, FORM, GET, POST = ("GET", "HEAD"), ("GET", "HEAD", "POST"), ("GET",), ("POST",)

STANDING = "slchmtad"  # who sees how a coach stands
WORK = "smtad"  # who sees the work of a PCN
OVERSEES = "mtad"  # who sees the figures of a whole PCN
PUBLIC, SIGNED_IN = "public", "signed in"


@dataclass(frozen=True)
class Row:
    """One page. `opens`: the letters its door opens for, PUBLIC or SIGNED_IN.

    `record`: what its address names (a key of RECORDS). `inside`: the letters that are not refused behind the door,
    where these are fewer. `not_theirs`: the letters for this very record that are refused with the reason and not told
    that there is no such page. `read`, `sent`: what a GET, and an empty form, answer; "letters: status" where it
    differs. `left`: what an empty form answers about a coach who has left the visitor's PCN. `colleague`: what a coach
    of the PCN is answered whose case it is not.
    """

    name: str
    opens: str
    methods: tuple[str, ...]
    record: str = ""
    inside: str = ""
    not_theirs: str = ""
    read: int | dict[str, int] = 200
    sent: int | dict[str, int] = 200
    left: int | None = None
    colleague: int | None = None
    public: dict[str, tuple[int, int]] = field(default_factory=dict)  # PUBLIC: method → signed out, signed in


# What kind of record an address names → about whom it is, which says whose letter counts.
PERSON, PLACE, CASE, OWN = "a coach", "a PCN", "a coach's case at a PCN", "somebody's own"
RECORDS = {
    **dict.fromkeys(("coach", "flag", "meeting", "agreement", "training", "exemption", "absence"), PERSON),
    "employment": PERSON,
    **dict.fromkeys(("place", "post", "waiting", "grant", "managed", "person", "anybody's"), PLACE),
    **dict.fromkeys(("case", "session"), CASE),
    **dict.fromkeys(("notification", "check", "refused", "export", "held", "factor"), OWN),
}
OWNERS = ("mo", "zed")


def _library(read: tuple[int, int] = (200, 200), sent: tuple[int, int] = (200, 200)) -> dict[str, tuple[int, int]]:
    """A page of the library for accounts: what it answers to who is signed out, and to who is signed in.

    Its forms take a PUT for a POST, and it says which methods it takes to whoever asks.
    """
    return {"GET": read, "HEAD": read, "POST": sent, "PUT": sent, "OPTIONS": (200, 200)}


_NO_FORM: dict[str, tuple[int, int]] = {"POST": (405, 405), "PUT": (405, 405)}
_SIGNED_IN = {method: (302, _library().get(method, (405, 405))[1]) for method in METHODS}
_ELSEWHERE = dict.fromkeys(METHODS, (302, 302))

PAGES = [
    # Lists and figures: what is in them is the second thing that is looked at, not whether they open.
    Row("home", SIGNED_IN, READ),
    Row("another_day", SIGNED_IN, READ),
    Row("components", SIGNED_IN, FORM),
    Row("jobs", SIGNED_IN, READ),
    Row("notifications", SIGNED_IN, FORM, sent=302),
    Row("flags", STANDING, READ),
    Row("coaches", STANDING, READ),
    Row("how_we_count", STANDING, READ),
    Row("overrides", STANDING, READ),
    Row("overview", OVERSEES, READ),
    Row("referrals", WORK, READ),
    Row("caseload", "s", READ),
    Row("status", OVERSEES, FORM, sent=302),
    Row("access", "mt", FORM, sent=404),  # to whom to send the link again: nobody is named
    Row("access_invite", "mt", FORM),
    Row("referral_receive", "md", FORM),
    Row("meetings_new", "lch", FORM),
    Row("import_new", "mt", FORM),
    Row("import_template", "mt", READ),
    Row("audit", WORK, READ),
    # Files of the lists: whoever may not see the list does not get its file.
    Row("coaches_export", STANDING, GET),
    Row("flags_export", STANDING, GET),
    Row("overrides_export", STANDING, GET),
    Row("overview_export", STANDING, GET, inside=OVERSEES),
    Row("referrals_export", STANDING, GET, inside=WORK),
    Row("caseload_export", STANDING, GET, inside="s"),
    Row("audit_export", STANDING, GET, inside=WORK),
    Row("export_ask", STANDING, POST, sent=404),  # of which list: none is named
    # One coach. Whoever sees how a coach stands reads all of it, but for the work.
    Row("coach", STANDING, READ, "coach"),
    Row("coach_supervision", STANDING, READ, "coach"),
    Row("coach_training", STANDING, READ, "coach"),
    Row("coach_employment", STANDING, READ, "coach"),
    Row("coach_history", STANDING, READ, "coach"),
    Row("coach_caseload", WORK, READ, "coach"),
    # What was changed of a record, by whom: whoever sees the record.
    Row("coach_changes", STANDING, READ, "coach"),
    Row("meeting_changes", STANDING, READ, "meeting"),
    Row("agreement_changes", STANDING, READ, "agreement"),
    Row("training_changes", STANDING, READ, "training"),
    Row("exemption_changes", STANDING, READ, "exemption"),
    Row("absence_changes", STANDING, READ, "absence"),
    Row("post_changes", STANDING, READ, "employment"),
    Row("referral_changes", WORK, READ, "case"),
    Row("access_changes", "mt", READ, "grant"),
    Row("organisation_changes", OVERSEES, READ, "place"),
    # Acknowledged by the manager or the hub, with a note; of a coach who has left, by nobody there.
    Row("flag", STANDING, FORM, "flag", sent={"mtd": 200, "slcha": 403}, left=403),
    # What is written down about a coach: by the manager; training by the coach and the hub as well.
    Row("agreement_new", "md", FORM, "coach"),
    Row("agreement_end", "md", FORM, "agreement"),
    Row("agreement_withdraw", "md", FORM, "agreement"),
    Row("absence_new", "md", FORM, "coach"),
    Row("absence_end", "md", FORM, "absence"),
    Row("absence_withdraw", "md", FORM, "absence"),
    Row("post_new", "md", FORM, "coach"),
    Row("post_end", "md", FORM, "post"),
    Row("post_change", "md", FORM, "post"),
    Row("post_correct", "md", FORM, "post"),
    Row("post_withdraw", "md", FORM, "post"),
    Row("training_new", "smtd", FORM, "coach"),
    Row("training_correct", "smtd", FORM, "training"),
    Row("training_certificate", "smtd", FORM, "training"),
    Row("training_withdraw", "smtd", FORM, "training"),
    Row("exemption_new", "md", FORM, "coach"),
    Row("exemption_end", "md", FORM, "exemption"),
    Row("exemption_withdraw", "md", FORM, "exemption"),
    Row("override", "md", FORM, "coach"),
    # Meetings are written down by who holds them. The one in the matrix is the line manager's.
    Row("meeting_new", "lch", FORM, "coach"),
    Row("meeting_correct", "lch", FORM, "meeting", not_theirs="ch"),
    Row("meeting_withdraw", "lch", FORM, "meeting", not_theirs="ch"),
    # Work: a coach's own cases, where they have access today; a PCN's, for whoever manages or oversees it.
    Row("referral", WORK, READ, "case", colleague=302),  # to say why
    Row("referral_looked", "smd", READ, "case"),  # who has looked at it
    # Whoever cares at the PCN opens a case that is not theirs with a reason.
    Row("case_find", "smd", FORM),
    Row("case_open", "smd", FORM, "anybody's"),
    Row("openings", "m", READ),
    Row("referral_allocate", "md", FORM, "waiting"),
    Row("referral_close", "smd", FORM, "case"),
    Row("referral_hand_back", "smd", FORM, "case"),
    Row("session_log", "s", FORM, "case"),
    Row("session_correct", "s", FORM, "session"),
    Row("session_withdraw", "s", FORM, "session"),
    # Who has access.
    Row("access_end", "mt", FORM, "grant", sent=302),
    Row("access_deputy", "mt", FORM, "managed"),
    Row("access_person", "mt", READ, "person"),
    Row("access_suspend", "mt", FORM, "person", sent=302),
    Row("access_restore", "mt", POST, "person", sent=302),
    Row("access_help", "mt", POST, "person", sent=404),  # how to help: nothing is named
    Row("access_sign_in_rules", "mt", FORM),
    # One's own.
    Row("notification_read", SIGNED_IN, POST, "notification", sent=302),
    Row("job", SIGNED_IN, READ, "check"),
    Row("job_file", SIGNED_IN, READ, "export"),
    Row("import_faults", "mt", READ, "refused"),
    Row("import_confirm", "mt", POST, "check", sent=302),
    Row("import_columns", "mt", POST, "refused", sent=404),  # which columns its headings are: none is named
    # One's own session, drafts and second factors; who has signed in without a factor yet is a story of its own.
    Row("session", PUBLIC, (), public=dict.fromkeys(FORM, (200, 200))),
    Row("draft_save", PUBLIC, (), public={"POST": (400, 400)}),  # a signed mark says whose it is: there is none
    Row("draft_discard", SIGNED_IN, POST, sent=302),
    Row("go_on", SIGNED_IN, READ, read=302),
    Row("go_on_with", SIGNED_IN, READ, "held"),
    Row("account_second_factor", SIGNED_IN, READ, read=302),
    Row("account_security", SIGNED_IN, FORM, sent=404),  # which session or factor: none is named
    Row("account_app_add", SIGNED_IN, FORM, read=302, sent=302),  # everybody here has one
    Row("account_passkey_add", SIGNED_IN, FORM),
    Row("account_passkey_use", SIGNED_IN, FORM, read=302, sent=302),
    Row("account_codes", SIGNED_IN, FORM, read=302, sent=302),
    Row("account_codes_file", SIGNED_IN, READ, read=404),
    Row("account_factor_remove", SIGNED_IN, FORM, "factor", sent=302),
    # No provider is named: there are no such pages.
    Row("account_provider", PUBLIC, (), public=dict.fromkeys(FORM, (404, 404))),
    Row("account_provider_back", PUBLIC, (), public=dict.fromkeys(READ, (404, 404))),
    # Accounts: the library's pages.
    Row("mfa_authenticate", PUBLIC, (), public=_ELSEWHERE),
    Row("mfa_login_webauthn", PUBLIC, (), public=_ELSEWHERE | {
        "PATCH": (405, 302), "DELETE": (405, 302), "OPTIONS": (200, 302)}),
    Row("mfa_reauthenticate", SIGNED_IN, (), public=_SIGNED_IN),
    Row("mfa_reauthenticate_webauthn", SIGNED_IN, (), public=_ELSEWHERE),
    Row("account_login", PUBLIC, (), public={
        **{method: (answer[0], 302) for method, answer in (dict.fromkeys(METHODS, (405, 405)) | _library()).items()}}),
    Row("account_logout", PUBLIC, (), public=_library((302, 200), (302, 302)) | {"PUT": (405, 405)}),
    Row("account_inactive", PUBLIC, (), public=_library() | _NO_FORM),
    Row("account_reset_password", PUBLIC, (), public=_library()),
    Row("account_reset_password_done", PUBLIC, (), public=_library() | _NO_FORM),
    Row("account_reset_password_from_key", PUBLIC, (), public=_ELSEWHERE),  # the key moves into the session
    Row("account_reset_password_from_key_done", PUBLIC, (), public=_library() | _NO_FORM),
    Row("account_reauthenticate", SIGNED_IN, (), public=_SIGNED_IN),
    Row("account_change_password", SIGNED_IN, (), public=_SIGNED_IN),
    # The demo's sign-in is there in a demo alone; health says nothing of anybody, whatever is asked.
    Row("demo", PUBLIC, (), public=dict.fromkeys(FORM, (404, 404))),
    Row("demo_confirm", PUBLIC, (), public=dict.fromkeys(FORM, (404, 404))),
    Row("demo_workbook", PUBLIC, (), public=dict.fromkeys(READ, (404, 404))),
    Row("health_live", PUBLIC, (), public=dict.fromkeys(METHODS, (200, 200))),
    Row("health_ready", PUBLIC, (), public=dict.fromkeys(METHODS, (200, 200))),
]  # fmt: skip
ROWS = {row.name: row for row in PAGES}


def letter(visitor: Visitor, row: Row, about: str) -> str:
    """What the visitor is to the record in an address: `about` is a coach, a PCN or somebody, by what it names."""
    if not row.record:
        return ""
    match RECORDS[row.record]:
        case "a coach" | "a PCN":
            return visitor.letters[about]
        case "somebody's own":
            return "own" if visitor.who == about else ""
        case _:  # a case: the coach's own, where they have access today; or of the PCN
            place = visitor.letters[AT[about]]
            own = "s" in visitor.letters[about] and "s" in place
            return ("s" if own else "") + place.replace("s", "")


def expected(visitor: Visitor, row: Row, about: str, method: str) -> int:
    """The status of the answer."""
    if row.public:
        return row.public.get(method, (405, 405))[not visitor.is_out]
    if visitor.is_out:
        return 302
    door = row.opens != SIGNED_IN
    if door and not set(row.opens) & set(visitor.anywhere):
        return 403
    if method not in row.methods:
        return 405
    if row.inside and not set(row.inside) & set(visitor.anywhere):
        return 403
    is_to = letter(visitor, row, about)
    if row.colleague is not None and not is_to and visitor.letters[AT[about]] == "s":
        return row.colleague
    if row.record and not (is_to == "own" if RECORDS[row.record] == OWN else set(row.opens) & set(is_to)):
        return 404
    if row.not_theirs and set(is_to) <= set(row.not_theirs):
        return 403
    if method == "POST" and row.left is not None and about == "Lea" and has_left(visitor):
        return row.left
    answers = row.sent if method == "POST" else row.read
    if isinstance(answers, int):
        return answers
    return next(status for letters, status in answers.items() if set(letters) & set(is_to))


def has_left(visitor: Visitor) -> bool:
    """Whether Lea has left the places for which the visitor sees her."""
    return bool(visitor.letters["Lea"]) and not visitor.letters["Lea+"]


# --- Which rows there are ---------------------------------------------------------------------------------------------

# Table → by which of these the database shows a row. "own": the row's user is the visitor; "own case": it is of a case
# of the coach that they are, at a PCN whose patients they see.
SHOWN_BY = {
    "workforce_coach": ("coaches",),
    "workforce_post": ("coaches",),
    "workforce_absence": ("coaches",),
    "supervision_agreement": ("coaches",),
    "supervision_meeting": ("coaches",),
    "training_trainingrecord": ("coaches",),
    "training_exemption": ("coaches",),
    "standards_flag": ("coaches",),
    "standards_flagevent": ("coaches",),
    "coaching_referral": ("work",),
    "standards_monthlyshare": ("work",),
    "coaching_allocation": ("work", "coaches"),
    "coaching_patient": ("patients",),
    "coaching_coachingsession": ("patients",),
    "coaching_sessionnote": ("own case",),  # what was said: not for the manager, nor for a colleague
    "workforce_grant": ("own", "access", "coaches"),
    "coaching_opening": ("own", "patients and access"),
    "standards_job": ("own",),
    "workforce_change": ("as the row that was changed",),
    "workforce_draft": ("own",),
    "workforce_signin": ("own",),
    "standards_notification": ("own",),
    "workforce_auditevent": ("as the audit",),
}
# Anybody may add to these, for others too: it is how somebody is told, and how it is known who did what.
ADDED_TO_BY_ALL = ("standards_notification", "workforce_auditevent")

# What a page may say of a row to which letters, beside the first wall's general rule: the letter for its coach, or for
# its PCN. Table → column → letters.
SAID_TO = {
    "training_exemption": {"reason": "slmd"},  # why a coach is exempt: not for clinical supervisors, nor for hubs
    "coaching_coachingsession": {"uuid": "smd"},
    "coaching_sessionnote": {"note": "s"},  # what was said is for the coach whose case it is
    "coaching_patient": {"uuid": "smd", "local_reference": "smd"},
}
