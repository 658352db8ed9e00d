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
    AUDITOR = "auditor", "Auditor (read only)"


FOR_ONE_COACH = (Role.COACH, Role.LINE_SUPERVISOR, Role.CLINICAL_SUPERVISOR, Role.COACHING_SUPERVISOR)


class Can(enum.Enum):
    """What a page, a row or an action asks for; the value completes the sentence "you may …"."""

    SEE_STANDING = "see coaches, their posts, training and supervision"
    SEE_WORK = "see the work of a PCN without patients' identities"
    SEE_PATIENTS = "see patients and the coaching they receive"
    SEE_STATUS = "see whether the service and its background jobs run"
    INVITE = "invite people and end their access"


_SUPERVISOR = frozenset({Can.SEE_STANDING})

ALLOWS: dict[Role, frozenset[Can]] = {
    Role.COACH: frozenset({Can.SEE_STANDING, Can.SEE_WORK, Can.SEE_PATIENTS}),
    Role.LINE_SUPERVISOR: _SUPERVISOR,
    Role.CLINICAL_SUPERVISOR: _SUPERVISOR,
    Role.COACHING_SUPERVISOR: _SUPERVISOR,
    Role.PCN_MANAGER: frozenset({Can.SEE_STANDING, Can.SEE_WORK, Can.SEE_PATIENTS, Can.SEE_STATUS, Can.INVITE}),
    Role.HUB_ADMIN: frozenset({Can.SEE_STANDING, Can.SEE_WORK, Can.SEE_STATUS, Can.INVITE}),
    Role.AUDITOR: frozenset({Can.SEE_STANDING, Can.SEE_WORK, Can.SEE_STATUS}),
}

# Whom to ask when a page stays shut.
ASK = "your PCN manager or training hub administrator"
