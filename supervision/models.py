"""The three kinds of supervision and appraisal: who supervises whom, and the meetings that were held."""

from django.db import models
from django.db.models import Q

from hwbc.workforce import walls
from hwbc.workforce.history import kept
from hwbc.workforce.models import Coach, Fact, Named, OfCoach, Organisation, Period, Referenced, User, no_overlap

_OPEN = "professionals and what they can show; needed whole to judge a meeting, wherever it was held"


class Supervisor(Named, Referenced):
    """A professional who supervises; what has no date here holds, as it is now, for every day."""

    class Role(models.TextChoices):
        LINE_MANAGER = "line_manager", "Line manager"
        GP = "gp", "GP"
        SENIOR_CLINICIAN = "senior_clinician", "Senior clinician"
        ADVANCED_PRACTITIONER = "advanced_practitioner", "Advanced practitioner"
        HEALTH_COACH = "health_coach", "Health coach"
        OTHER = "other", "Other"

    name = models.CharField(max_length=200)
    email = models.EmailField("e-mail address", blank=True)
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    role = models.CharField(max_length=30, choices=Role)
    coach = models.ForeignKey(
        Coach, models.PROTECT, null=True, related_name="+", help_text="Where they are a coach here."
    )
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    version = models.PositiveIntegerField(default=1, editable=False)

    wall = walls.open_to_all(_OPEN)
    history = kept()

    class Meta(Referenced.Meta):
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Evidence(Fact):
    """What a supervisor has shown on a day: tier, experience, caseload, their own supervision."""

    class Kind(models.TextChoices):
        TIER = "tier", "Tier of practice"
        COACHING_YEARS = "coaching_years", "Years of coaching"
        NHS_COACHING_HOURS = "nhs_coaching_hours", "Hours of coaching in the NHS"
        CASELOAD_HOURS = "caseload_hours", "Hours of caseload in twelve months"
        OWN_SUPERVISION = "own_supervision", "Own supervision"

    supervisor = models.ForeignKey(Supervisor, models.PROTECT, related_name="evidence")
    kind = models.CharField(max_length=30, choices=Kind)
    number = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    text = models.CharField(max_length=200, blank=True, help_text="For own supervision: with whom. It decides nothing.")
    evidenced_on = models.DateField()

    wall = walls.open_to_all(_OPEN)
    history = kept(lengths=("text",))

    class Meta:
        ordering = ["evidenced_on", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["supervisor", "kind", "evidenced_on"],
                condition=Q(voided_at__isnull=True),
                name="supervision_evidence_one_a_kind_and_day",
            ),
            models.CheckConstraint(
                condition=Q(kind="own_supervision", number__isnull=True)
                | (~Q(kind="own_supervision") & Q(number__isnull=False, number__gte=0)),
                name="supervision_evidence_number_0_or_more",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.evidenced_on}"


class Agreement(Named, OfCoach, Period):
    """A coach has a named supervisor of a kind, for a while."""

    class Kind(models.TextChoices):
        LINE = "line", "Line management"
        CLINICAL = "clinical", "Clinical supervision"
        HEALTH_COACHING = "health_coaching", "Health coaching supervision"

    kind = models.CharField(max_length=20, choices=Kind)
    supervisor = models.ForeignKey(Supervisor, models.PROTECT, related_name="agreements")
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta(Period.Meta):
        ordering = ["starts_on", "id"]
        constraints = [
            *Period.Meta.constraints,
            no_overlap("supervision_agreement_one_a_kind_at_a_time", "coach", "kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} agreement {self.pk}"


class Meeting(Named, OfCoach, Fact):
    """A supervision meeting or an appraisal. Whether it counts is the rule's to say, never stored."""

    class Kind(models.TextChoices):
        LINE = "line", "Line management"
        CLINICAL = "clinical", "Clinical supervision"
        HEALTH_COACHING = "health_coaching", "Health coaching supervision"
        APPRAISAL = "appraisal", "Appraisal"

    class Format(models.TextChoices):
        INDIVIDUAL = "individual", "Individual"
        GROUP = "group", "Group"

    class Status(models.TextChoices):
        HELD = "held", "Held"
        PLANNED = "planned", "Planned"
        CANCELLED = "cancelled", "Cancelled"
        DID_NOT_ATTEND = "did_not_attend", "Did not attend"

    kind = models.CharField(max_length=20, choices=Kind)
    supervisor = models.ForeignKey(Supervisor, models.PROTECT, related_name="meetings")
    held_on = models.DateField()
    minutes = models.PositiveIntegerField()
    format = models.CharField(max_length=20, choices=Format)
    status = models.CharField(max_length=20, choices=Status)
    ad_hoc = models.BooleanField(default=False)

    class Meta:
        ordering = ["held_on", "id"]
        indexes = [models.Index(fields=["coach", "kind", "held_on"], name="supervision_meeting_coach_kind")]
        constraints = [
            models.UniqueConstraint(
                fields=["coach", "kind", "supervisor", "held_on", "format", "ad_hoc"],
                condition=Q(voided_at__isnull=True),
                name="supervision_meeting_once",
            ),
            models.CheckConstraint(condition=Q(minutes__gte=1), name="supervision_meeting_minutes_1_or_more"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.held_on}"
