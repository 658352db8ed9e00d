"""Who and where: people who sign in, places, coaches and their posts, who may reach whom, and who did what."""

import uuid
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q, Value
from django.db.models.functions import Coalesce, Lower, Upper
from django.utils import timezone
from django.utils.crypto import salted_hmac

from hwbc.workforce import walls
from hwbc.workforce.history import kept, not_kept
from hwbc.workforce.roles import FOR_ONE_COACH, Can, Role

if TYPE_CHECKING:
    from hwbc.workforce.access import Actor


def sort_key(name: str) -> str:
    """The stored key a name is sorted by: family name first, letters only ("Ana de Souza" → "de souza ana")."""
    words = name.casefold().split()
    particles = {
        "de",
        "da",
        "do",
        "dos",
        "di",
        "del",
        "della",
        "du",
        "la",
        "le",
        "van",
        "von",
        "der",
        "den",
        "bin",
        "al",
    }
    start = len(words) - 1
    while start > 1 and words[start - 1] in particles:
        start -= 1
    return " ".join(words[start:] + words[:start]) if words else ""


class Reached(models.QuerySet[Any]):
    """Rows reached through who asks. The database's wall stands behind it; this is the one pages are written with."""

    def for_actor(self, actor: "Actor", can: Can | None = None) -> "Reached":
        """The rows this actor may see: by the model's own `Can`, or by another one that a page asks for."""
        return self.filter(self.model.reached_by(actor, can or self.model.read_by))


class Named(models.Model):
    """Something that has an address on a page: a UUID, so that no number can be guessed."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    class Meta:
        abstract = True


class Referenced(models.Model):
    """Something that a service's own workbook has a reference for, such as C001.

    References are unique within the organisation they were imported for (`register`), so that two services may both
    number from C001; they are kept in the letters they came in and compared without regard to case.
    """

    register = models.ForeignKey("workforce.Organisation", models.PROTECT, null=True, editable=False, related_name="+")
    reference = models.CharField(max_length=100, blank=True, editable=False)
    reference_key = models.CharField(max_length=100, blank=True, editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["register", "reference_key"],
                condition=~Q(reference_key=""),
                name="%(app_label)s_%(class)s_reference_once_in_a_register",
            )
        ]


class Fact(models.Model):
    """Something written down. Two clocks: when it was true (the model's own dates) and when we knew (these)."""

    recorded_at = models.DateTimeField(default=timezone.now, editable=False)
    imported = models.BooleanField(default=False, db_default=False, editable=False)
    voided_at = models.DateTimeField(null=True, editable=False)
    voided_by = models.ForeignKey("workforce.User", models.PROTECT, null=True, editable=False, related_name="+")
    voided_because = models.TextField(default="", editable=False)

    history = kept()

    class Meta:
        abstract = True


class Period(Fact):
    """A fact that holds for a while; both days are included, a blank end still runs."""

    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    end_recorded_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")),
                name="%(app_label)s_%(class)s_ends_after_start",
                violation_error_message="The last day cannot be before the first day.",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True, end_recorded_at__isnull=True)
                | Q(ends_on__isnull=False, end_recorded_at__isnull=False),
                name="%(app_label)s_%(class)s_end_has_its_clock",
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._set_clock()
        super().save(*args, **kwargs)

    def validate(self) -> None:
        """Check fields and constraints before saving; the end gets its clock. Raises ValidationError."""
        self._set_clock()
        self.clean_fields()
        self.validate_constraints()

    def _set_clock(self) -> None:
        if self.ends_on is not None and self.end_recorded_at is None:
            self.end_recorded_at = timezone.now()


def _days() -> Func:
    return Func(F("starts_on"), F("ends_on"), Value("[]"), function="daterange")


def no_overlap(name: str, *same: str) -> ExclusionConstraint:
    """Two periods of the same things may not share a day; what was voided does not count."""
    return ExclusionConstraint(
        name=name,
        expressions=[*((field, RangeOperators.EQUAL) for field in same), (_days(), RangeOperators.OVERLAPS)],
        condition=Q(voided_at__isnull=True),
        violation_error_message="These days overlap with a period that is there already.",
    )


class UserManager(BaseUserManager["User"]):
    """Finds a user by the address as they typed it."""

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=(email or "").strip().lower())


class User(Named, AbstractBaseUser):
    """Somebody who signs in, by e-mail address. What they may do stands in their grants, never here."""

    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=200)
    sort_name = models.CharField(max_length=200, editable=False)
    is_active = models.BooleanField(default=True)
    suspended_at = models.DateTimeField(null=True, editable=False, help_text="Since when they cannot sign in.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # A session holds while this number and the password are what they were when it began: one more, and all have ended.
    session_epoch = models.PositiveIntegerField(default=0, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    wall = walls.open_to_all("read before anybody is known; holds a name and an address, and nothing of what they do")
    history = kept(secrets=("password",), unrecorded=("last_login", "session_epoch"))  # signing in is in the audit

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        ordering = ["sort_name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(email=Lower("email")),
                name="workforce_user_email_lower_case",
                violation_error_message="E-mail addresses are kept in small letters.",
            ),
            models.CheckConstraint(
                condition=Q(is_active=True, suspended_at__isnull=True) | Q(is_active=False),
                name="workforce_user_suspended_is_not_active",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = self.email.strip().lower()
        self.sort_name = sort_key(self.name)
        super().save(*args, **kwargs)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        said = f"{self.password}|{self.session_epoch}"
        return salted_hmac("hwbc.workforce.session", said, secret=secret, algorithm="sha256").hexdigest()


class SignIn(Named):
    """One browser in which somebody has signed in. Kept for half a year, so that a new device can be told of.

    The address is shortened before it is written: a network, never a computer.
    """

    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    how = models.CharField(max_length=20, help_text="How the session was begun (hwbc.workforce.sign_in.How).")
    device = models.CharField(max_length=100, help_text="Browser and system, in words.")
    network = models.CharField(max_length=50, help_text="The shortened address.")
    began_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    wall = walls.by_user()
    history = not_kept("that somebody signed in stands in the audit; when a browser was last used is no history")

    class Meta:
        ordering = ["-seen_at", "-pk"]
        indexes = [models.Index(fields=["user", "-began_at"], name="workforce_signin_user_began")]

    def __str__(self) -> str:
        return f"{self.device} ({self.began_at:%Y-%m-%d %H:%M})"


class Organisation(Named):
    """A place in the tree: ICB → training hub → PCN → practice; and providers, who employ or lend supervisors."""

    class Kind(models.TextChoices):
        ICB = "icb", "Integrated care board"
        TRAINING_HUB = "training_hub", "Training hub"
        PCN = "pcn", "Primary Care Network"
        PRACTICE = "practice", "Practice"
        PROVIDER = "provider", "Provider"

    code = models.CharField(
        max_length=20,
        unique=True,
        validators=[RegexValidator(r"^[A-Z0-9-]+\Z", "Use capital letters, digits and hyphens.")],
        help_text="The ODS code, where there is one.",
    )
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=Kind)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    opened_on = models.DateField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    passkey_from = models.DateField(
        null=True, blank=True, help_text="From this day on everybody here and below signs in with a passkey."
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    wall = walls.open_to_all("names and codes of public bodies; every place in the tree is needed to find the way up")
    history = kept()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="workforce_organisation_not_its_own_parent"
            ),
            models.CheckConstraint(condition=Q(code=Upper("code")), name="workforce_organisation_code_upper_case"),
        ]

    def __str__(self) -> str:
        return self.name


class Coach(Named, Referenced, Fact):
    """A person in the health and wellbeing coach role, with or without a user of this service."""

    name = models.CharField(max_length=200)
    sort_name = models.CharField(max_length=200, editable=False)
    email = models.EmailField("e-mail address")
    user = models.OneToOneField(User, models.PROTECT, null=True, blank=True, related_name="coach")
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = Reached.as_manager()

    wall = walls.by_coach("id")
    read_by = Can.SEE_STANDING

    class Meta(Referenced.Meta):
        ordering = ["sort_name", "id"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.sort_name = sort_key(self.name)
        super().save(*args, **kwargs)

    @staticmethod
    def reached_by(actor: "Actor", can: Can) -> Q:
        return Q(pk__in=actor.coaches(can))


class OfCoach(models.Model):
    """A fact about one coach: seen, whole, by whoever reaches the coach."""

    coach = models.ForeignKey(Coach, models.PROTECT, related_name="+")

    objects = Reached.as_manager()

    wall = walls.by_coach()
    read_by = Can.SEE_STANDING

    class Meta:
        abstract = True

    @staticmethod
    def reached_by(actor: "Actor", can: Can) -> Q:
        """The rows of the coaches whom the actor reaches."""
        return Q(coach__in=actor.coaches(can))


class Post(OfCoach, Period):
    """A coach's post at a PCN: who employs them, for how many hours a week, and who pays."""

    class Funding(models.TextChoices):
        ARRS = "arrs", "Additional Roles Reimbursement Scheme"
        OTHER = "other", "Other funding"

    pcn = models.ForeignKey(Organisation, models.PROTECT, related_name="posts")
    employer = models.ForeignKey(Organisation, models.PROTECT, related_name="employs")
    hours_per_week = models.DecimalField(max_digits=4, decimal_places=2)
    funding = models.CharField(max_length=10, choices=Funding)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta(Period.Meta):
        ordering = ["starts_on", "id"]
        indexes = [models.Index(fields=["pcn", "coach"], name="workforce_post_pcn_coach")]
        constraints = [
            *Period.Meta.constraints,
            models.CheckConstraint(
                condition=Q(hours_per_week__gt=0, hours_per_week__lte=60),
                name="workforce_post_hours_more_than_0_up_to_60",
                violation_error_message="Hours a week must be more than 0 and no more than 60.",
            ),
            no_overlap("workforce_post_once_at_a_pcn", "coach", "pcn"),
        ]

    def __str__(self) -> str:
        return f"post {self.pk}"


class Absence(OfCoach, Period):
    """Days on which a coach is away. Long ones pause the supervision clocks (rules, section 2)."""

    class Kind(models.TextChoices):
        ANNUAL_LEAVE = "annual_leave", "Annual leave"
        SICKNESS = "sickness", "Sickness"
        PARENTAL = "parental", "Parental leave"
        OTHER = "other", "Other"

    kind = models.CharField(max_length=20, choices=Kind)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta(Period.Meta):
        ordering = ["starts_on", "id"]
        constraints = [*Period.Meta.constraints, no_overlap("workforce_absence_one_at_a_time", "coach")]

    def __str__(self) -> str:
        return f"absence {self.pk}"


class Grant(Named):
    """This user has this role at this organisation, from–to, for everybody there or for one coach.

    A deputy's (`deputises`) stands in for somebody else's for a while: it allows what deputies may (roles.DEPUTY_MAY),
    always has a last day, and is live only while the one that it stands in for is.
    """

    user = models.ForeignKey(User, models.PROTECT, related_name="grants")
    role = models.CharField(max_length=30, choices=Role)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="grants")
    coach = models.ForeignKey(Coach, models.PROTECT, null=True, blank=True, related_name="grants")
    deputises = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="deputies", verbose_name="stands in for"
    )
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    granted_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = Reached.as_manager()

    wall = walls.given()
    history = kept()
    read_by = Can.INVITE

    class Meta:
        ordering = ["starts_on", "id"]
        indexes = [
            models.Index(fields=["user"], condition=Q(revoked_at__isnull=True), name="workforce_grant_not_revoked")
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")),
                name="workforce_grant_ends_after_start",
                violation_error_message="The last day cannot be before the first day.",
            ),
            models.CheckConstraint(
                condition=Q(role__in=FOR_ONE_COACH, coach__isnull=False)
                | (~Q(role__in=FOR_ONE_COACH) & Q(coach__isnull=True)),
                name="workforce_grant_names_a_coach_where_its_role_does",
                violation_error_message="Coaches and supervisors are granted one coach; other roles a whole place.",
            ),
            models.CheckConstraint(
                condition=Q(deputises__isnull=True) | Q(ends_on__isnull=False),
                name="workforce_grant_of_a_deputy_ends",
                violation_error_message="A deputy stands in until a last day.",
            ),
            ExclusionConstraint(
                name="workforce_grant_a_role_once",
                expressions=[
                    ("user", RangeOperators.EQUAL),
                    ("role", RangeOperators.EQUAL),
                    ("organisation", RangeOperators.EQUAL),
                    (Coalesce("coach", 0), RangeOperators.EQUAL),
                    (_days(), RangeOperators.OVERLAPS),
                ],
                condition=Q(revoked_at__isnull=True),
                violation_error_message="This person has this role here already, on all or some of these days.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} ({self.starts_on})"

    @staticmethod
    def reached_by(actor: "Actor", can: Can) -> Q:
        return Q(organisation__in=actor.nodes(can))

    def covers(self, day: date) -> bool:
        """Whether the period of the grant covers a day (an end at once, `revoked_at`, is another matter)."""
        return self.starts_on <= day and (self.ends_on is None or self.ends_on >= day)


class AuditEvent(models.Model):
    """Who did what to what, when, in which role, and how it ended. The application can add one and nothing else."""

    class Outcome(models.TextChoices):
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"

    # Made here, not by the database: INSERT … RETURNING would need the right to read the row.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(default=timezone.now)
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    by = models.CharField(max_length=300, help_text="The roles held at the time, or the job that acted.")
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    coach = models.ForeignKey(
        Coach, models.PROTECT, null=True, related_name="+", db_index=False, help_text="The coach whom it is about."
    )
    patients = models.BooleanField(default=False, help_text="Whether it is about patients.")
    what = models.CharField(max_length=60, help_text="The action's code, such as access.grant.")
    kind = models.CharField(max_length=60, blank=True, help_text="What kind of record it was done to.")
    record = models.CharField(max_length=40, blank=True, help_text="That record's identifier; never a name.")
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.DONE)
    facts = models.JSONField(default=dict, help_text="Codes and identifiers only, no free text.")
    request = models.CharField(max_length=40, blank=True, help_text="The request's reference, as in the log.")

    # One column more is the database's own: `xid`, the transaction that wrote it (sealing.py).

    objects = Reached.as_manager()

    wall = walls.append_only(walls.audited())
    read_by = Can.SEE_AUDIT
    history = not_kept("a line is added and never changed: it is history itself")

    class Meta:
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="workforce_audit_at"),
            models.Index(fields=["coach", "-at"], condition=Q(coach__isnull=False), name="workforce_audit_coach_at"),
            models.Index(fields=["user", "-at"], name="workforce_audit_user_at"),
            models.Index(fields=["kind", "record", "-at"], name="workforce_audit_record_at"),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.at:%Y-%m-%d %H:%M}"

    @staticmethod
    def reached_by(actor: "Actor", can: Can) -> Q:
        """One's own doings; what is about the coach that the actor is; and what was done where they oversee it.

        What was done to a coach, wherever: up to the coach's last day at a PCN of theirs.
        """
        places, pcns = actor.nodes(can), actor.pcns(can)
        there = Post.objects.filter(
            Q(ends_on=None) | Q(ends_on__gte=OuterRef("at__date")),
            coach=OuterRef("coach"),
            pcn__in=pcns,
            voided_at=None,
        )
        to_a_coach = Q(coach__in=actor.coaches(can)) & Q(Exists(there))
        return (
            Q(user=actor.user_id)
            | Q(coach__in=actor.own(can))
            | (Q(patients=False) & (Q(organisation__in=places) | to_a_coach))
            | Q(patients=True, organisation__in=pcns & actor.pcns(Can.SEE_PATIENTS))
        )


class AuditSeal(models.Model):
    """One link of the chain that audit events are sealed into, in the order in which they became final.

    `hash` is made of the link before, the event as it was written, and this row: whoever changes, removes, inserts or
    moves an event has to make every later link anew, and then the last hash is not the one that was kept elsewhere.
    """

    sequence = models.BigIntegerField(primary_key=True)
    # No foreign key: it is what the event was sealed as that counts, and an event that is gone must be missed.
    event = models.UUIDField(unique=True)
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    wall = walls.Wall("true", "false", (walls.SELECT, walls.INSERT), "says nothing of anybody; written lifted")
    history = not_kept("a link of the chain is added and never changed; verify_audit names one that was")

    def __str__(self) -> str:
        return f"seal {self.sequence}"


class Change(models.Model):
    """One change of one row: what it said before and after, who changed it, in which role, by which action, when.

    Written by triggers (`hwbc.workforce.history`): the application can read it and nothing else. Shown to whoever is
    shown the row: each of the last six columns is what that table's wall holds against the scope.
    """

    class Op(models.TextChoices):
        INSERTED = "I", "Recorded"
        UPDATED = "U", "Changed"
        DELETED = "D", "Removed"

    at = models.DateTimeField()
    kind = models.CharField(max_length=60, help_text="What kind of record, as in the audit.")
    row_id = models.BigIntegerField()
    op = models.CharField(max_length=1, choices=Op)
    said = models.JSONField(help_text="Column → value; of a change, column → before and after of what differs.")
    user = models.ForeignKey(
        User, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )  # written by the hundred thousand: no look-up for each
    by = models.CharField(max_length=200, help_text="The roles held at the time, or the job; nobody: raw SQL.")
    what = models.CharField(max_length=60, blank=True, help_text="The action's code, as in the audit.")
    request = models.CharField(max_length=40, blank=True, help_text="The request's reference, as in the audit.")
    holder = models.BigIntegerField(null=True)
    coach = models.BigIntegerField(null=True)
    pcn = models.BigIntegerField(null=True)
    care = models.BigIntegerField(null=True)
    node = models.BigIntegerField(null=True)
    is_open = models.BooleanField(default=False, db_default=False)

    wall = walls.read_only(
        walls.by_user("holder"), walls.by_coach("coach"), walls.by_pcn("pcn"), walls.by_care("care"),
        walls.by_node("node"), also="is_open",
    )  # fmt: skip
    history = not_kept("it is the history")

    class Meta:
        ordering = ["at", "id"]
        indexes = [
            models.Index(fields=["row_id"], name="workforce_change_row"),
            models.Index(fields=["coach"], condition=Q(coach__isnull=False), name="workforce_change_coach"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.row_id} {self.op} {self.at:%Y-%m-%d %H:%M}"


class Demo(models.Model):
    """Says that everything and everybody in this database is invented: it was made by `manage.py demo`. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    made_on = models.DateField(help_text="The day that the demo is told from.")

    wall = walls.open_to_all("says that this database holds nobody", rights=(walls.SELECT, walls.INSERT))
    history = not_kept("one row, never changed, in a database that holds nobody")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="workforce_demo_is_one_row")]

    def __str__(self) -> str:
        return f"made on {self.made_on}"


class Draft(models.Model):
    """What somebody has typed into a form and not saved, or sent and could not be taken: theirs alone, for a day."""

    KEPT_FOR: ClassVar[timedelta] = timedelta(hours=24)
    LONGEST_ADDRESS: ClassVar[int] = 500

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    address = models.CharField(max_length=LONGEST_ADDRESS, help_text="Where the form stands.")
    form = models.CharField(max_length=60)
    fields = models.JSONField(default=dict, help_text="Field to values, as they are sent. Emptied when it is saved.")
    token = models.CharField(max_length=40, blank=True, help_text="That of the form as it was shown.")
    sent = models.BooleanField(default=False, help_text="It was sent, and not taken.")
    settled = models.BooleanField(default=False, help_text="The form was saved since.")
    saved_at = models.DateTimeField(default=timezone.now)

    objects = Reached.as_manager()

    wall = walls.by_user()
    history = not_kept("a text that nobody has saved yet, gone after a day")
    read_by = None  # no role shows it to anybody else

    class Meta:
        ordering = ["-saved_at"]
        constraints = [models.UniqueConstraint(fields=["user", "address", "form"], name="workforce_draft_one_a_form")]
        indexes = [models.Index(fields=["saved_at"], name="workforce_draft_saved_at")]

    def __str__(self) -> str:
        return f"{self.form} {self.saved_at:%Y-%m-%d %H:%M}"

    @staticmethod
    def reached_by(actor: "Actor", can: Can | None) -> Q:
        """One's own."""
        return Q(user=actor.user_id)
