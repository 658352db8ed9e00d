"""Courses, what is required, what coaches have done, and what they are exempt from."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from hwbc.workforce import walls
from hwbc.workforce.history import kept
from hwbc.workforce.models import Fact, Named, OfCoach, Period, Referenced, User


class Course(Named, Referenced):
    """A course and its accreditation: the Personalised Care Institute accredits programmes, not providers (R-034)."""

    class Kind(models.TextChoices):
        PCI_HEALTH_COACHING = "pci_health_coaching", "PCI-accredited health coaching"
        PCI_CORE = "pci_core", "PCI core skills"
        SOCIAL_PRESCRIBING = "social_prescribing", "Basics of social prescribing"
        INDUCTION = "induction", "Induction"
        MANDATORY = "mandatory", "Mandatory training"
        CPD = "cpd", "Continuing professional development"

    class Accreditation(models.TextChoices):
        ACCREDITED = "accredited", "Accredited"
        ASSURED = "assured", "Assured"
        AWAITING = "awaiting", "Awaiting accreditation"
        NONE = "none", "None"

    title = models.CharField(max_length=200)
    provider = models.CharField(max_length=200)
    kind = models.CharField(max_length=30, choices=Kind)
    accreditation = models.CharField(max_length=20, choices=Accreditation)
    accredited_from = models.DateField(null=True)
    accredited_to = models.DateField(null=True)
    gives_certificate = models.BooleanField()
    days = models.PositiveIntegerField(default=1)
    version = models.PositiveIntegerField(default=1, editable=False)

    wall = walls.open_to_all("a catalogue, about nobody")
    history = kept()

    class Meta(Referenced.Meta):
        ordering = ["title", "id"]
        constraints = [
            *Referenced.Meta.constraints,
            models.CheckConstraint(condition=Q(days__gte=1), name="training_course_days_1_or_more"),
            models.CheckConstraint(
                condition=~Q(kind="pci_health_coaching") | Q(gives_certificate=True),
                name="training_course_health_coaching_gives_a_certificate",
            ),
            models.CheckConstraint(
                condition=Q(accredited_from__isnull=True)
                | Q(accredited_to__isnull=True)
                | Q(accredited_to__gte=F("accredited_from")),
                name="training_course_accreditation_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Requirement(Fact):
    """A course that every coach of a register has to do, within so many days of starting, and again when it expires."""

    course = models.ForeignKey(Course, models.PROTECT, related_name="requirements")
    validity_months = models.PositiveIntegerField(null=True)
    within_days = models.PositiveIntegerField()
    applies_from = models.DateField(null=True)

    wall = walls.open_to_all("what is asked of everybody, about nobody")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["course"], condition=Q(voided_at__isnull=True), name="training_requirement_one_a_course"
            ),
            models.CheckConstraint(
                condition=Q(validity_months__isnull=True) | Q(validity_months__gte=1),
                name="training_requirement_validity_1_or_more",
            ),
        ]

    def __str__(self) -> str:
        return f"requirement {self.pk}"


class TrainingRecord(Named, OfCoach, Fact):
    """One enrolment of a coach on a course, with the days attended and the certificate."""

    course = models.ForeignKey(Course, models.PROTECT, related_name="records")
    enrolled_on = models.DateField()
    attended_on = ArrayField(models.DateField(), default=list)
    withdrawn_on = models.DateField(null=True)
    certificate_on = models.DateField(null=True)
    certificate_number = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["enrolled_on", "id"]
        indexes = [models.Index(fields=["coach", "course"], name="training_record_coach_course")]
        constraints = [
            models.UniqueConstraint(
                fields=["coach", "course", "enrolled_on"],
                condition=Q(voided_at__isnull=True),
                name="training_record_once_an_enrolment",
            ),
            models.CheckConstraint(
                condition=Q(certificate_number="") | Q(certificate_on__isnull=False),
                name="training_record_certificate_number_has_its_date",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_on__isnull=True) | Q(certificate_on__isnull=True),
                name="training_record_withdrawn_or_certified",
            ),
            models.CheckConstraint(
                condition=Q(certificate_on__isnull=True) | Q(certificate_on__gte=F("enrolled_on")),
                name="training_record_enrolled_before_certificate",
            ),
        ]

    def __str__(self) -> str:
        return f"training {self.pk}"


class Exemption(Named, OfCoach, Period):
    """A rule does not hold for a coach for a while, for a reason that somebody approved."""

    BEFORE_REFERRALS, REQUIRED = "training.before_referrals", "training.required"

    rule = models.CharField(max_length=60, choices=[(BEFORE_REFERRALS, BEFORE_REFERRALS), (REQUIRED, REQUIRED)])
    course = models.ForeignKey(Course, models.PROTECT, null=True, related_name="+")
    reason = models.TextField()
    approved_by = models.CharField(max_length=200)
    approver = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", help_text="Who approved it here; a workbook brings a name."
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta(Period.Meta):
        ordering = ["starts_on", "id"]
        constraints = [
            *Period.Meta.constraints,
            models.CheckConstraint(condition=Q(ends_on__isnull=False), name="training_exemption_has_an_end"),
            models.CheckConstraint(
                condition=Q(rule="training.before_referrals", course__isnull=True)
                | Q(rule="training.required", course__isnull=False),
                name="training_exemption_names_a_course_where_its_rule_does",
            ),
            models.UniqueConstraint(
                fields=["coach", "rule", "course", "starts_on"],
                nulls_distinct=False,
                condition=Q(voided_at__isnull=True),
                name="training_exemption_once",
            ),
        ]

    def __str__(self) -> str:
        return f"exemption {self.pk}"
