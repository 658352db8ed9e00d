"""What is asked (standards and their numbers), where it is not met (flags), and the jobs that look (runs)."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from hwbc.workforce import walls
from hwbc.workforce.models import Named, OfCoach, Organisation, Period, User, no_overlap


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

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["standard", "key"], name="standards_number_once_in_a_standard")]

    def __str__(self) -> str:
        return f"{self.key} = {self.value}"


class Run(Named):
    """Every long job: what it was, for which day or whom, how far it is and how it ended."""

    class Kind(models.TextChoices):
        CHECKS = "checks", "Compliance checks"
        IMPORT = "import", "Workbook import"

    class Outcome(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    kind = models.CharField(max_length=20, choices=Kind)
    day = models.DateField(help_text="Today in London, computed once, when the run began.")
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.RUNNING)
    counts = models.JSONField(default=dict, help_text="What it looked at and did, as numbers.")

    wall = walls.open_to_all("numbers of a job, about nobody")

    class Meta:
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["kind", "-day"], name="standards_run_kind_day")]

    def __str__(self) -> str:
        return f"{self.kind} {self.day}"


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
    """What happened to a flag: raised, acknowledged, cleared."""

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

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.what} {self.at:%Y-%m-%d %H:%M}"


class Heartbeat(models.Model):
    """The pulse of the background jobs: when a worker was last asked, and when one last answered. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    asked_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)

    wall = walls.open_to_all("two moments in time")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="standards_heartbeat_is_one_row")]

    def __str__(self) -> str:
        return f"answered {self.answered_at}"
