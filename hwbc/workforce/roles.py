"""Who may do what: the one table that pages, querysets and the database's scope are derived from."""

import enum

from django.db.models import TextChoices


class Role(TextChoices):
    """What a grant makes somebody, at an organisation and everything below it, or for one coach."""

    COACH = "coach", "Health and wellbeing coach"
    LINE_SUPERVISOR = "line_supervisor", "Line manager"
    CLINICAL_SUPERVISOR = "clinical_supervisor", "Clinical supervisor"
    COACHING_SUPERVISOR = "coaching_supervisor", "Health coaching supervisor"
    PCN_MANAGER = "pcn_manager", "PCN manager"
    HUB_ADMIN = "hub_admin", "Training hub administrator"
    RECRUITER = "recruiter", "Recruiter"
    PANEL_MEMBER = "panel_member", "Interview panel member"
    AUDITOR = "auditor", "Auditor (read only)"


SUPERVISORS = (Role.LINE_SUPERVISOR, Role.CLINICAL_SUPERVISOR, Role.COACHING_SUPERVISOR)
FOR_ONE_COACH = (Role.COACH, *SUPERVISORS)


class Can(enum.Enum):
    """What a page, a row or an action asks for; the value completes the sentence "you may …"."""

    SEE_STANDING = "see coaches, their posts, training and supervision"
    SEE_REASONS = "see why a coach is away or exempt"
    SEE_WORK = "see the work of a PCN without patients' identities"
    SEE_PATIENTS = "see patients and the coaching they receive"
    SEE_OPENED = "see who opened a case that is not theirs, and why"
    SEE_AUDIT = "see who did and read what"
    SEE_OVERVIEW = "see the figures of a whole PCN"
    SEE_STATUS = "see whether the service and its background jobs run"
    ACKNOWLEDGE = "acknowledge flags"
    ALLOCATE = "hand out referrals"
    OVERRIDE = "exempt a coach from training for a while"
    LOG_SESSIONS = "log coaching sessions"
    END_CASES = "close referrals and hand them back"
    RECORD = "record posts, absences and supervision agreements"
    RECORD_MEETINGS = "record supervision meetings"
    RECORD_TRAINING = "record training"
    KEEP_SUPERVISORS = "keep the register of supervisors"
    EXPORT = "export what you may see"
    IMPORT = "bring in a workbook"
    INVITE = "invite people and end their access"


_SUPERVISOR = frozenset({Can.SEE_STANDING, Can.RECORD_MEETINGS, Can.EXPORT})  # meetings of their own kind
_OVERSEES = frozenset({Can.SEE_STANDING, Can.SEE_WORK, Can.SEE_OVERVIEW, Can.SEE_STATUS, Can.SEE_AUDIT, Can.EXPORT})
_KEEPS_RECORDS = frozenset({Can.RECORD_TRAINING, Can.KEEP_SUPERVISORS, Can.IMPORT})

ALLOWS: dict[Role, frozenset[Can]] = {
    Role.COACH: frozenset(
        {
            Can.SEE_STANDING,
            Can.SEE_REASONS,
            Can.SEE_WORK,
            Can.SEE_PATIENTS,
            Can.SEE_AUDIT,
            Can.LOG_SESSIONS,
            Can.END_CASES,
            Can.RECORD_TRAINING,
            Can.EXPORT,
        }
    ),
    Role.LINE_SUPERVISOR: _SUPERVISOR | {Can.SEE_REASONS},
    Role.CLINICAL_SUPERVISOR: _SUPERVISOR,
    Role.COACHING_SUPERVISOR: _SUPERVISOR,
    Role.PCN_MANAGER: _OVERSEES
    | _KEEPS_RECORDS
    | {Can.SEE_REASONS, Can.SEE_PATIENTS, Can.ACKNOWLEDGE, Can.ALLOCATE, Can.OVERRIDE, Can.RECORD, Can.INVITE}
    | {Can.END_CASES, Can.SEE_OPENED},
    Role.HUB_ADMIN: _OVERSEES | _KEEPS_RECORDS | {Can.ACKNOWLEDGE, Can.INVITE},
    # Recruitment has no pages yet: these two can be given, and open nothing.
    Role.RECRUITER: frozenset(),
    Role.PANEL_MEMBER: frozenset(),
    Role.AUDITOR: _OVERSEES,
}

# What somebody may do who stands in for a role for a while: the work, and neither who has access nor what the records
# rest on. A coach's deputy looks after the cases; nothing of the coach's own standing is theirs to see.
_NOT_FOR_DEPUTIES = frozenset({Can.INVITE, Can.IMPORT, Can.KEEP_SUPERVISORS, Can.SEE_OPENED})
DEPUTY_MAY: dict[Role, frozenset[Can]] = {
    Role.COACH: frozenset({Can.SEE_WORK, Can.SEE_PATIENTS, Can.LOG_SESSIONS, Can.END_CASES}),
    **{role: ALLOWS[role] - _NOT_FOR_DEPUTIES for role in (Role.PCN_MANAGER, Role.HUB_ADMIN)},
}

# Which roles somebody who may invite can give, at or below their own place. A supervisor's follows from their
# agreements and is given by nobody.
GIVES: dict[Role, tuple[Role, ...]] = {
    Role.PCN_MANAGER: (Role.COACH, Role.PCN_MANAGER, Role.RECRUITER, Role.PANEL_MEMBER, Role.AUDITOR),
    Role.HUB_ADMIN: (
        Role.COACH, Role.PCN_MANAGER, Role.HUB_ADMIN, Role.RECRUITER, Role.PANEL_MEMBER, Role.AUDITOR,
    ),
}  # fmt: skip

# At which kinds of organisation (codes of Organisation.Kind) a role can be held.
_ANY_SIZE = ("icb", "training_hub", "pcn")
HELD_AT: dict[Role, tuple[str, ...]] = {
    **dict.fromkeys((*FOR_ONE_COACH, Role.PCN_MANAGER), ("pcn",)),
    Role.HUB_ADMIN: ("icb", "training_hub"),
    **dict.fromkeys((Role.RECRUITER, Role.PANEL_MEMBER, Role.AUDITOR), _ANY_SIZE),
}


def allowed(role: Role, deputy: bool = False) -> frozenset[Can]:
    """What a role allows; where it is held as somebody's deputy, what of it a deputy may."""
    return DEPUTY_MAY.get(role, frozenset()) if deputy else ALLOWS[role]


def may(role: Role, who: str = "they", *, deputy: bool = False) -> list[str]:
    """What somebody with this role may do, each a piece of a sentence: "export what they may see"."""
    return [can.value.replace(" you may ", f" {who} may ") for can in Can if can in allowed(role, deputy)]


def in_words(role: Role) -> str:
    """What somebody with this role may do, as one plain sentence."""
    if not ALLOWS[role]:
        return "Opens no pages yet."
    return f"{'About the one coach it is for, may' if role in FOR_ONE_COACH else 'May'} {'; '.join(may(role))}."


# Whom to ask when a page stays shut.
ASK = "your PCN manager or training hub administrator"
