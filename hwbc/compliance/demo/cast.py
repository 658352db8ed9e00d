"""Those of the demo's people whom everybody may sign in as, on this machine alone. All are invented."""

from dataclasses import dataclass

from hwbc.compliance.demo.world import COACHES, HILLTOP, ICB, MANAGERS, RIVERSIDE, SUPERVISORS, email
from hwbc.workforce.roles import Role


@dataclass(frozen=True)
class Member:
    """Somebody of the cast. `at`: the code of the place, or the reference of the coach or supervisor that they are."""

    name: str
    role: Role | None
    at: str
    place: str  # as it is shown
    look: str  # what to look at

    @property
    def email(self) -> str:
        """The address of their account."""
        return email(self.name)

    @property
    def role_label(self) -> str:
        """The role as it is shown."""
        return self.role.label if self.role else "No role"


def _coach(ref: str) -> str:
    return next(coach.name for coach in COACHES if coach.ref == ref)


def _supervisor(ref: str) -> str:
    return next(supervisor.name for supervisor in SUPERVISORS if supervisor.ref == ref)


CAST = (
    Member(MANAGERS[RIVERSIDE.code], Role.PCN_MANAGER, RIVERSIDE.code, "Riverside PCN",
           "A manager with trouble: a coach who takes referrals untrained, meetings overdue, referrals that wait."),
    Member(MANAGERS[HILLTOP.code], Role.PCN_MANAGER, HILLTOP.code, "Hilltop PCN",
           "A manager for whom all is well, and who sees nothing of Riverside."),
    Member("Maryam Siddiqui", Role.HUB_ADMIN, ICB, "All 12 PCNs",
           "Every PCN side by side: a hub that gets better, one PCN that slid, one that never came off the ground."),
    Member(_coach("C08"), Role.COACH, "C08", "Hilltop PCN",
           "A coach with everything in order, and a caseload: log a session."),
    Member(_coach("C01"), Role.COACH, "C01", "Riverside PCN",
           "A coach who is not trained yet and takes referrals: what is missing, and what turns it green."),
    Member(_supervisor("LM1"), Role.LINE_SUPERVISOR, "LM1", "Riverside PCN",
           "Four coaches to meet every month, two of them overdue: record a meeting, and the flag clears."),
    Member(_supervisor("GP1"), Role.CLINICAL_SUPERVISOR, "GP1", "Riverside PCN",
           "A GP: sees when clinical supervision is due, and no case."),
    Member(_supervisor("HC1"), Role.COACHING_SUPERVISOR, "HC1", "Five PCNs",
           "An hour a month with each of nine coaches: one is below it, one is on parental leave."),
    Member("Graham Pelham", Role.AUDITOR, ICB, "All 12 PCNs",
           "Sees what the training hub sees, on any day, and can change nothing."),
    Member("Tilda Osborne", None, "", "Nowhere",
           "Has an account and no role: what somebody sees who was invited and given nothing."),
)  # fmt: skip
