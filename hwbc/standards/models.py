"""What is asked (standards and their numbers), where it is not met (flags), and the jobs that look (runs)."""

import uuid
from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.history import kept, not_kept
from hwbc.workforce.models import Coach, Named, OfCoach, Organisation, Period, Reached, User, no_overlap
from hwbc.workforce.roles import Can


class Standard(Named, Period):
    """The numbers that are asked of coaches at an organisation and below it, for a while.

    The standard in force on a day is the one of the PCN of the current employment, or of its nearest ancestor that has
    one; where none has, the preset "WDF" (hwbc.standards.presets) holds.
    """

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="standards")
    name = models.CharField(max_length=60, help_text="Shown beside every answer, such as WDF.")
    version = models.PositiveIntegerField(default=1, editable=False)

    wall = walls.open_to_all("numbers that everybody is measured by, with their sources; about nobody")

    class Meta(Period.Meta):
        ordering = ["starts_on", "id"]
        constraints = [*Period.Meta.constraints, no_overlap("standards_standard_one_at_a_time", "organisation")]

    def __str__(self) -> str:
        return self.name


class StandardNumber(models.Model):
    """One number of a standard, with where it comes from."""

    standard = models.ForeignKey(Standard, models.CASCADE, related_name="numbers")
    key = models.CharField(max_length=60)
    value = models.PositiveIntegerField()
    source = models.CharField(max_length=200)

    wall = walls.open_to_all("numbers that everybody is measured by, with their sources; about nobody")
    history = kept()

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["standard", "key"], name="standards_number_once_in_a_standard")]

    def __str__(self) -> str:
        return f"{self.key} = {self.value}"


class Check(models.TextChoices):
    """What the nightly checks look for. One run looks for all of it, for the facts are gathered once."""

    SUPERVISION = "supervision", "Overdue supervision, and supervisors"
    REFERRALS = "referrals", "Untrained coaches who take referrals or are claimed for"
    TRAINING = "training", "Required training"

    @classmethod
    def of(cls, rule: str) -> "Check":
        """The check that a rule belongs to."""
        if rule.startswith("supervision."):
            return cls.SUPERVISION
        return cls.TRAINING if rule.startswith("training.required:") else cls.REFERRALS


class Run(Named):
    """Every long job: what it was, for which day or whom, how far it is and how it ended.

    The counts of checks: workbooks imported by then, coaches looked at, flags raised, changed, cleared and then open,
    notifications made ("told"); and under "checks" the same of the flags for each `Check`.
    """

    class Kind(models.TextChoices):
        CHECKS = "checks", "Compliance checks"
        IMPORT = "import", "Workbook import"

    class Outcome(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        INTERRUPTED = "interrupted", "Interrupted"  # its process died, or another took its turn; it changed nothing

    kind = models.CharField(max_length=20, choices=Kind)
    day = models.DateField(help_text="Today in London, computed once, when the run began.")
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20, choices=Outcome, default=Outcome.RUNNING)
    counts = models.JSONField(default=dict, help_text="What it looked at and did, as numbers.")

    wall = walls.open_to_all("numbers of a job, about nobody")
    history = not_kept("how far a job is; how it ended stays")

    class Meta:
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["kind", "-day"], name="standards_run_kind_day")]

    def __str__(self) -> str:
        return f"{self.kind} {self.day}"


class Job(models.Model):
    """Something long that somebody asked for and the worker does: a workbook's check or import, a large export.

    The row is the queue: a message about it may get lost. `Run` has the numbers that everybody may see; what a job was
    asked, what it found and its file are for whoever asked alone, and are gone after KEPT_FOR.
    """

    class Kind(models.TextChoices):
        CHECK_WORKBOOK = "check_workbook", "Workbook check"
        IMPORT_WORKBOOK = "import_workbook", "Workbook import"
        EXPORT = "export", "Export"

    class Outcome(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"  # the work was done, and its answer is no: the result says why
        FAILED = "failed", "Failed"

    KEPT_FOR = timedelta(days=7)
    GRACE = timedelta(minutes=1)  # from taking a job to working at it

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=20, choices=Kind)
    asked = models.JSONField(default=dict, help_text="What is to be done, as codes and identifiers.")
    asked_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.WAITING)
    progress = models.JSONField(default=dict, help_text="what, done, of: how far it is.")
    result = models.JSONField(default=dict, help_text="What it found, or what it did.")
    file = models.CharField(max_length=200, blank=True, help_text="Its file in the private storage.")
    file_name = models.CharField(max_length=200, blank=True, help_text="The file's name on the person's computer.")
    follows = models.OneToOneField("self", models.PROTECT, null=True, related_name="followed_by")

    objects = Reached.as_manager()

    wall = walls.by_user()
    history = not_kept("how far a job is, gone after a week; what it did is kept with the rows that it changed")
    read_by = None  # one's own, whatever one's roles

    class Meta:
        ordering = ["-asked_at", "uuid"]
        indexes = [
            models.Index(fields=["user", "-asked_at"], name="standards_job_newest"),
            models.Index(fields=["asked_at"], condition=Q(ended_at__isnull=True), name="standards_job_not_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.asked_at:%Y-%m-%d %H:%M}"

    @staticmethod
    def reached_by(actor: Actor, can: Can | None) -> Q:
        """One's own."""
        return Q(user=actor.user_id)


class MonthlyShare(models.Model):
    """Of a PCN's coaches at the end of a month: of how many a rule was asked, and for how many it was on track.

    Counted by the nightly checks with what was known then (`counted_at`), so that a chart need not ask every rule for
    eighteen months. A later entry about that month changes it with the next checks. Beside the rules stands how many
    coaches have a post at another PCN as well (hwbc.compliance.trends.IN_TWO).
    """

    pcn = models.ForeignKey(Organisation, models.PROTECT, related_name="+", db_index=False)
    on = models.DateField(help_text="The last day of the month.")
    rule = models.CharField(max_length=60, help_text="A rule, or rules that are counted together (columns.OF_A_PCN).")
    on_track = models.PositiveIntegerField(help_text="Coaches for whom it was met or due soon.")
    asked = models.PositiveIntegerField(help_text="Coaches of whom it was asked.")
    counted_at = models.DateTimeField()

    objects = Reached.as_manager()

    wall = walls.by_pcn()
    history = not_kept("counted anew every night from facts whose history is kept")
    read_by = Can.SEE_OVERVIEW

    class Meta:
        ordering = ["on", "rule"]
        constraints = [
            models.UniqueConstraint(fields=["pcn", "on", "rule"], name="standards_monthlyshare_once"),
            models.CheckConstraint(condition=Q(on_track__lte=F("asked")), name="standards_monthlyshare_part_of_whole"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.on}: {self.on_track} of {self.asked}"

    @staticmethod
    def reached_by(actor: Actor, can: Can) -> Q:
        """Those of the PCNs whose figures one sees."""
        return Q(pcn__in=actor.pcns(can))


class Flag(Named, OfCoach):
    """A rule that a coach does not meet, from the run that found it to the run that found it met again.

    One open flag a coach and rule: the partial unique index makes raising it twice impossible.
    """

    rule = models.CharField(max_length=160)
    state = models.CharField(max_length=20, help_text="overdue or not_met, as last seen.")
    since = models.DateField(null=True)
    due_on = models.DateField(null=True)
    raised_on = models.DateField(help_text="The day that the run was for.")
    raised_at = models.DateTimeField(default=timezone.now)
    cleared_on = models.DateField(null=True)
    cleared_at = models.DateTimeField(null=True)

    history = kept()

    class Meta:
        ordering = ["-raised_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["coach", "rule"], condition=Q(cleared_at__isnull=True), name="standards_flag_one_open_a_rule"
            ),
            models.CheckConstraint(
                condition=Q(cleared_on__isnull=True, cleared_at__isnull=True)
                | Q(cleared_on__isnull=False, cleared_at__isnull=False),
                name="standards_flag_cleared_on_a_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} since {self.since}"


class FlagEvent(OfCoach):
    """What happened to a flag: raised, acknowledged, cleared.

    `untold`: a flag that was raised, and nobody has been told yet. Who is to be told is known to the checks alone,
    which see every grant; a flag that somebody's entry has raised waits for them, a few minutes at most.
    """

    class What(models.TextChoices):
        RAISED = "raised", "Raised"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        CLEARED = "cleared", "Cleared"

    flag = models.ForeignKey(Flag, models.PROTECT, related_name="events")
    what = models.CharField(max_length=20, choices=What)
    at = models.DateTimeField(default=timezone.now)
    run = models.ForeignKey(Run, models.PROTECT, null=True, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    note = models.CharField(
        max_length=500, blank=True, default="", db_default="", help_text="What is being done about it."
    )

    untold = models.BooleanField(default=False, db_default=False, editable=False)

    history = kept(lengths=("note",), unrecorded=("untold",))

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["flag"], condition=Q(untold=True), name="standards_flagevent_untold")]

    def __str__(self) -> str:
        return f"{self.what} {self.at:%Y-%m-%d %H:%M}"


class Notification(models.Model):
    """Something that somebody is told, once. The text is made when it is shown (hwbc.compliance.notices).

    `key` says what it is about: nobody is told the same thing twice, however often and by whomever it is said. A mail
    can follow from these rows; it never replaces one.
    """

    class Kind(models.TextChoices):
        FLAG_RAISED = "flag_raised", "Flag raised"
        REFERRAL_ALLOCATED = "referral_allocated", "Referral allocated"
        CHECKS_MISSED = "checks_missed", "Checks missed"
        DEPUTY_NAMED = "deputy_named", "Deputy named"
        CASE_OPENED = "case_opened", "Case opened"
        CASES_LEFT = "cases_left", "Cases left"

    # Made here, not by the database: whoever tells somebody else may not read the row that it would return.
    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    made_at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30, choices=Kind)
    key = models.CharField(max_length=80)
    coach = models.ForeignKey(Coach, models.PROTECT, null=True, related_name="+")
    record = models.UUIDField(null=True, help_text="The flag or referral that it is about.")
    facts = models.JSONField(default=dict, help_text="Codes and dates only, no free text.")
    read_at = models.DateTimeField(null=True)

    objects = Reached.as_manager()

    wall = walls.inbox()
    history = not_kept(
        "a row says who was told what and never changes but for having been read, which is a moment in it"
    )
    read_by = None  # one's own, whatever one's roles

    class Meta:
        ordering = ["-made_at", "uuid"]
        constraints = [
            models.UniqueConstraint(fields=["user", "kind", "key"], name="standards_notification_never_told_twice")
        ]
        indexes = [
            models.Index(fields=["user", "-made_at"], name="standards_notification_newest"),
            models.Index(fields=["user"], condition=Q(read_at__isnull=True), name="standards_notification_unread"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @staticmethod
    def reached_by(actor: Actor, can: Can | None) -> Q:
        """One's own; and what is about a coach only for as long as one reaches them."""
        return Q(user=actor.user_id) & (Q(coach=None) | Q(coach__in=actor.coaches(Can.SEE_STANDING)))


class Heartbeat(models.Model):
    """The pulse of the background jobs: when a worker was last asked, and when one last answered. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    asked_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)

    wall = walls.open_to_all("two moments in time")
    history = not_kept("a pulse, every minute")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="standards_heartbeat_is_one_row")]

    def __str__(self) -> str:
        return f"answered {self.answered_at}"
