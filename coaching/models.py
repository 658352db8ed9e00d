"""Who is coached, what was asked for them, who took it, and what was done: four things."""

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q, Value
from django.utils import timezone

from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.history import kept
from hwbc.workforce.models import Coach, Fact, Named, OfCoach, Organisation, Period, Reached, Referenced, User
from hwbc.workforce.roles import Can


class OfPcn(models.Model):
    """Work at a PCN, without a patient's identity."""

    pcn = models.ForeignKey(Organisation, models.PROTECT, related_name="+")

    objects = Reached.as_manager()

    wall = walls.by_pcn()
    read_by = Can.SEE_WORK
    of_patients = True  # what the audit says of it is for those who may see the PCN's patients

    class Meta:
        abstract = True

    #: From a row to the referral it belongs to, as a lookup: how a coach's own rows are known.
    referral_path = "referral"

    @classmethod
    def reached_by(cls, actor: Actor, can: Can) -> Q:
        """The rows of the PCNs whose work the actor may see; a coach's own are those of referrals they have taken, at
        the PCNs where they have access.

        To be read, and for nothing else: those of a case that they opened today with a reason (`Opening`).
        """
        taken = Allocation.objects.filter(coach__in=actor.own(can), voided_at=None).values("referral")
        own = Q(pcn__in=actor.around(can), **{f"{cls.referral_path}__in": taken})
        return Q(pcn__in=actor.pcns(can)) | own | _opened(actor, can, cls.referral_path)


def _opened(actor: Actor, can: Can, path: str = "referral") -> Q:
    """What belongs to a case that the actor has opened today with a reason: to be read."""
    places = actor.around(Can.SEE_PATIENTS) if can in (Can.SEE_WORK, Can.SEE_PATIENTS) else frozenset()
    opened = Opening.objects.filter(user=actor.user_id, day=today(), pcn__in=places).values("referral")
    return Q(**{f"{path}__in": opened}) if places else Q()


def _had(coaches: frozenset[int], session: str = "") -> models.Exists:
    """That one of these coaches had the referral of a session up to its day or later; `session`: the way to it."""
    return models.Exists(
        Allocation.objects.filter(
            Q(ends_on=None) | Q(ends_on__gte=models.OuterRef(f"{session}held_on")),
            referral=models.OuterRef(f"{session}referral"),
            coach__in=coaches,
            voided_at=None,
        )
    )


class Patient(Named, OfPcn, Fact):
    """Somebody who is coached. Identified only where the service chooses to; here, by a reference of its own."""

    local_reference = models.CharField(max_length=100, blank=True)

    wall = walls.by_care()
    read_by = Can.SEE_PATIENTS
    referral_path = "referrals"

    def __str__(self) -> str:
        return f"patient {self.pk}"


class Referral(Named, Referenced, OfPcn, Fact):
    """What was asked: from whom, how urgently, when it reached the service, how it ended. Nobody's name."""

    class Source(models.TextChoices):
        GP_PRACTICE = "gp_practice", "GP practice"
        NURSE = "nurse", "Practice nurse"
        PHARMACIST = "pharmacist", "Pharmacist"
        LINK_WORKER = "link_worker", "Social prescribing link worker"
        CARE_COORDINATOR = "care_coordinator", "Care co-ordinator"
        OTHER_NHS = "other_nhs", "Other NHS service"
        LOCAL_AUTHORITY = "local_authority", "Local authority"
        VCSE = "vcse", "Voluntary or community organisation"
        SELF = "self", "Self-referral"
        CASE_FINDING = "case_finding", "Case finding"

    class Priority(models.TextChoices):
        ROUTINE = "routine", "Routine"
        URGENT = "urgent", "Urgent"

    class Outcome(models.TextChoices):
        """How a referral ends when it is closed here: a choice, because whoever oversees the PCN may read it.

        The list is this service's own; a workbook may bring other words.
        """

        COMPLETED = "completed", "Coaching completed"
        ENDED_EARLY = "ended_early", "Ended early by the person"
        NO_CONTACT = "no_contact", "Could not be reached"
        DECLINED = "declined", "Coaching declined"
        REFERRED_BACK = "referred_back", "Referred back or on: need beyond scope"
        NOT_SUITABLE = "not_suitable", "Not a referral for coaching"
        MOVED_AWAY = "moved_away", "Moved away"
        DIED = "died", "Died"

    patient = models.ForeignKey(Patient, models.PROTECT, null=True, related_name="referrals")
    practice = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    source = models.CharField(max_length=30, choices=Source)
    priority = models.CharField(max_length=10, choices=Priority)
    received_on = models.DateField()
    proposed_coach = models.ForeignKey(Coach, models.PROTECT, null=True, related_name="+")
    closed_on = models.DateField(null=True)
    outcome = models.CharField(max_length=200, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    referral_path = "pk"

    class Meta(Referenced.Meta):
        ordering = ["received_on", "id"]
        constraints = [
            *Referenced.Meta.constraints,
            models.UniqueConstraint(fields=["id", "pcn"], name="coaching_referral_with_its_pcn"),
            models.CheckConstraint(
                condition=Q(closed_on__isnull=True) | Q(closed_on__gte=models.F("received_on")),
                name="coaching_referral_closed_after_received",
            ),
        ]

    def __str__(self) -> str:
        return f"referral {self.pk}"


class Allocation(Named, OfCoach, Period):
    """Who took a referral: from the day it was accepted (`starts_on`) to the day it was closed or handed on.

    Shown to whoever works in or oversees its PCN, and to whoever reaches the coach: a rule about a coach must never see
    half of what they took.
    """

    referral = models.ForeignKey(Referral, models.PROTECT, related_name="allocations")
    pcn = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    allocated_by = models.ForeignKey(User, models.PROTECT, null=True, editable=False, related_name="+")
    warnings = ArrayField(
        models.CharField(max_length=40),
        default=list,
        db_default=Value("{}"),  # an import writes none
        blank=True,
        editable=False,
        help_text="What was warned of when it was made: codes of coaching.rules.warnings.",
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    wall = walls.either(walls.by_pcn(), walls.by_coach())
    read_by = Can.SEE_WORK

    class Meta(Period.Meta):
        ordering = ["starts_on", "id"]
        indexes = [models.Index(fields=["coach", "starts_on"], name="coaching_allocation_coach")]
        constraints = [
            *Period.Meta.constraints,
            models.UniqueConstraint(
                fields=["referral"],
                condition=Q(ends_on__isnull=True, voided_at__isnull=True),
                name="coaching_allocation_one_open_a_referral",
            ),
        ]

    def __str__(self) -> str:
        return f"allocation {self.pk}"

    @staticmethod
    def reached_by(actor: Actor, can: Can) -> Q:
        return Q(pcn__in=actor.pcns(can)) | Q(coach__in=actor.coaches(can)) | _opened(actor, can)


class CoachingSession(Named, OfPcn, Fact):
    """One contact, or one that was meant to be. Only an attended one is a contact.

    What was said in it, and why it was withdrawn, is its `SessionNote`: `voided_because` says here what an import says.
    """

    class Mode(models.TextChoices):
        FACE_TO_FACE = "face_to_face", "Face to face"
        PHONE = "phone", "Phone"
        VIDEO = "video", "Video"
        GROUP = "group", "Group"

    class Outcome(models.TextChoices):
        ATTENDED = "attended", "Attended"
        DID_NOT_ATTEND = "did_not_attend", "Did not attend"
        CANCELLED_LATE = "cancelled_late", "Cancelled late"
        CANCELLED_BY_PATIENT = "cancelled_by_patient", "Cancelled by the patient"
        CANCELLED_BY_SERVICE = "cancelled_by_service", "Cancelled by the service"

    referral = models.ForeignKey(Referral, models.PROTECT, related_name="sessions")
    held_on = models.DateField()
    mode = models.CharField(max_length=20, choices=Mode)
    minutes = models.PositiveIntegerField()
    outcome = models.CharField(max_length=30, choices=Outcome)

    wall = walls.by_care()
    read_by = Can.SEE_PATIENTS

    class Meta:
        ordering = ["held_on", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["referral", "held_on", "mode"],
                condition=Q(voided_at__isnull=True),
                name="coaching_session_once",
            ),
            models.UniqueConstraint(fields=["id", "pcn"], name="coaching_session_with_its_pcn"),
            models.CheckConstraint(condition=Q(minutes__gte=1), name="coaching_session_minutes_1_or_more"),
        ]

    def __str__(self) -> str:
        return f"session {self.pk}"

    @classmethod
    def reached_by(cls, actor: Actor, can: Can) -> Q:
        """The sessions of the PCNs whose patients the actor may see; a coach's own: up to the day they handed on,
        at the PCNs where they have access.
        """
        theirs = Q(_had(actor.own(can)), pcn__in=actor.around(can))
        return Q(pcn__in=actor.pcns(can)) | theirs | _opened(actor, can)


# Of the session of a note: that a coach whose cases they are has or had its referral, up to that day or later.
_HAD = (
    "exists (select from coaching_coachingsession s join coaching_allocation a on a.referral_id = s.referral_id"
    " where s.id = coaching_sessionnote.session_id and a.voided_at is null"
    f" and (a.ends_on is null or a.ends_on >= s.held_on) and {walls.among('a.coach_id', 'cases')}{{}})"
)
# That whoever asks has opened its referral with a reason, today in London.
_OPENED_TODAY = (
    "exists (select from coaching_coachingsession s join coaching_opening o on o.referral_id = s.referral_id"
    f" where s.id = coaching_sessionnote.session_id and {walls.is_user('o.user_id')}"
    " and o.day = (now() at time zone 'Europe/London')::date)"
)


class SessionNote(OfPcn):
    """What was said in a session, and why it was withdrawn. A session of which nothing is noted has none.

    For the coach whose case it is, then or later, and for whoever opened the case today with a reason; written by the
    coach who had it on the day. The database holds that by itself.
    """

    SAID = ("note", "next_step", "activity", "goal_progress")  # by the coach, with the rest of the session

    class Activity(models.TextChoices):
        """What was done, in the words of the national terms. No source confirms their SNOMED CT codes: none is kept."""

        SESSION = "session", "Health coaching session"
        SEEN = "seen", "Seen by health and wellbeing coach"
        REFERRAL = "referral", "Referral to health and wellbeing coach"
        DECLINED = "declined", "Health coaching declined"
        PLAN_AGREED = "plan_agreed", "Personalised care and support plan agreed"
        PLAN_REVIEWED = "plan_reviewed", "Review of personalised care and support plan"
        PLAN_DECLINED = "plan_declined", "Personalised care and support planning declined"
        SHARED_DECISION = "shared_decision", "Shared decision making"

    class Progress(models.TextChoices):
        """Towards the person's goals, as the two of them see it: words, because no scale is asked for."""

        NONE = "none", "No progress yet"
        SOME = "some", "Some progress"
        GOOD = "good", "Good progress"
        REACHED = "reached", "Goal reached"

    session = models.OneToOneField(CoachingSession, models.PROTECT, related_name="words")
    note = models.TextField(blank=True, default="", db_default="", validators=[MaxLengthValidator(10_000)])
    next_step = models.CharField(max_length=300, blank=True, default="", db_default="")
    activity = models.CharField("code", max_length=30, choices=Activity, blank=True, default="", db_default="")
    goal_progress = models.CharField(max_length=10, choices=Progress, blank=True, default="", db_default="")
    voided_because = models.TextField(blank=True, default="", editable=False)

    wall = walls.confided(f"{_HAD.format('')} or {_OPENED_TODAY}", _HAD.format(" and a.starts_on <= s.held_on"))
    history = kept(lengths=("next_step",))
    read_by = Can.SEE_PATIENTS
    referral_path = "session__referral"

    def __str__(self) -> str:
        return f"note of {self.session}"

    @classmethod
    def reached_by(cls, actor: Actor, can: Can) -> Q:
        """Those of a coach's own cases, up to the day they handed on, at the PCNs where they have access; and of a case
        that the actor opened today.
        """
        theirs = Q(_had(actor.own(Can.LOG_SESSIONS), "session__"), pcn__in=actor.around(can))
        return theirs | _opened(actor, can, cls.referral_path)

    @property
    def held_on(self) -> date:
        """The day of the session."""
        return self.session.held_on


class Opening(Named, OfPcn):
    """Somebody opened a case that is not theirs, and typed why. It stays open to them to the end of that day.

    Until then they read what was said in its sessions. Shown to whoever opened it and to the managers of the PCN;
    nobody changes it or takes it away.
    """

    REASON_LENGTH = 500
    SHORTEST_REASON = 10

    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    referral = models.ForeignKey(Referral, models.PROTECT, related_name="openings")
    day = models.DateField(help_text="The day, in London, to whose end it holds.")
    at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=REASON_LENGTH)

    wall = walls.answered_for()
    history = kept(lengths=("reason",))
    read_by = Can.SEE_OPENED

    class Meta:
        ordering = ["-at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "referral", "day"], name="coaching_opening_once_a_day"),
        ]

    def __str__(self) -> str:
        return f"opening {self.pk}"

    @classmethod
    def reached_by(cls, actor: Actor, can: Can) -> Q:
        """One's own; and those at the PCNs whose openings the actor sees."""
        return Q(user=actor.user_id) | Q(pcn__in=actor.pcns(can))
