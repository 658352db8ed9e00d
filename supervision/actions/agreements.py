"""Supervisors, and who supervises whom."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.formats import date_format

from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action
from hwbc.workforce.models import Coach, Organisation
from supervision.actions.access import follow_agreements
from supervision.models import Agreement, Supervisor


@action("supervisor.add")
def add_supervisor(
    actor: Actor,
    line: Line,
    *,
    name: str,
    role: str,
    email: str = "",
    organisation: Organisation | None = None,
    coach: Coach | None = None,
) -> Supervisor:
    """Add a professional who supervises; `coach` where they are a coach here. Raises ValidationError."""
    supervisor = Supervisor(
        name=name.strip(), role=role, email=email.strip().lower(), organisation=organisation, coach=coach
    )
    supervisor.clean_fields(exclude=["organisation", "coach", "user"])
    supervisor.save()
    line.about(supervisor, at=organisation, role=role)
    return supervisor


@action("agreement.add")
def agree(
    actor: Actor,
    line: Line,
    *,
    coach: Coach,
    supervisor: Supervisor,
    kind: str,
    starts_on: date,
    ends_on: date | None = None,
) -> Agreement:
    """A coach gets a supervisor of a kind, for a while; the supervisor's access follows. Raises ValidationError.

    A coach has one supervisor of a kind at a time, and never themself.
    """
    if supervisor.coach_id == coach.pk:
        raise ValidationError({"supervisor": f"{coach.name} cannot supervise themself."})
    # Agreements of one coach are made one after the other; rows that refer to the coach need not wait.
    Coach.objects.select_for_update(no_key=True).get(pk=coach.pk)
    agreement = Agreement(coach=coach, supervisor=supervisor, kind=kind, starts_on=starts_on, ends_on=ends_on)
    agreement.clean_fields()
    there = Agreement.objects.filter(coach=coach, kind=kind, voided_at=None).filter(
        Q(ends_on=None) | Q(ends_on__gte=starts_on)
    )
    other = (there.filter(starts_on__lte=ends_on) if ends_on else there).select_related("supervisor").first()
    if other is not None:
        until = f"until {date_format(other.ends_on)}" if other.ends_on else "without an end"
        raise ValidationError(
            f"{coach.name} has {other.get_kind_display().lower()} by {other.supervisor.name} "
            f"from {date_format(other.starts_on)} {until}: end that first, or choose other days."
        )
    agreement.validate()
    agreement.save()
    followed = follow_agreements(coaches=[coach.pk])
    line.about(agreement, kind=kind, supervisor=str(supervisor.uuid), access=followed._asdict())
    return agreement
