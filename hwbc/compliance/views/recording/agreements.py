"""Who supervises whom: agreed, ended, withdrawn; a supervisor is added to the register on the same page."""

from uuid import UUID, uuid5

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from hwbc.compliance.forms.recording import NEW, Agree, LastDay
from hwbc.compliance.sentences import written
from hwbc.compliance.views.recording.entry import Entry, Said, answer, coach_of, filled, gone, row_of, told, withdrawal
from hwbc.kit.periods import today
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.models import Coach, Organisation, Post
from hwbc.workforce.queries import registers
from hwbc.workforce.roles import Can
from supervision.actions.agreements import add_supervisor, agree, end_agreement, void_agreement
from supervision.models import Agreement
from supervision.queries import to_choose

CAN = Can.RECORD
PAGE, ANCHOR = "coach_supervision", "agreements"
_SAYS = ("kind", "supervisor", "starts_on", "ends_on")
_FOLLOWS = "If the supervisor signs in here, their access to this coach follows the agreement."


@needs(CAN)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: Request, uuid: UUID) -> HttpResponse:
    """Name a supervisor from a day on."""
    actor, coach = request.actor, coach_of(request.actor, CAN, uuid)
    register = _register(actor, coach)
    chosen = to_choose(registers(actor, CAN, coach.pk) | actor.nodes(Can.KEEP_SUPERVISORS), [coach.pk])
    kind = request.GET.get("kind", "")
    initial = {"kind": kind} if kind in Agreement.Kind.values else {}
    form = filled(Agree, request, initial, supervisors=chosen, may_add=register is not None)

    def save() -> Agreement:
        asked = form.answers("who", "name", "role", "email", "supervisor")
        supervisor, token = form.cleaned_data["supervisor"], form.cleaned_data["token"]
        with transaction.atomic():  # both or neither
            if form.cleaned_data["who"] == NEW:
                who = {name: form.cleaned_data[name] for name in ("name", "role", "email")}
                supervisor = add_supervisor(actor, register=register, uuid=uuid5(token, "supervisor"), **who)
            return agree(actor, coach=coach, supervisor=supervisor, uuid=token, **asked)

    def say(made: Agreement) -> Said:
        named = made.get_kind_display().lower()
        later = f" from {written(made.starts_on)}" if made.starts_on > today() else ""
        return Said(f"{made.supervisor.name} is named for {named}{later}.", _rules(made))

    return answer(request, Entry("Name a supervisor", [coach], PAGE, ANCHOR, explains=_FOLLOWS), form, save, say)


@needs(CAN)
@require_http_methods(["GET", "HEAD", "POST"])
def end(request: Request, uuid: UUID) -> HttpResponse:
    """The last day of an agreement."""
    actor, agreement = request.actor, _agreement(request.actor, uuid)
    explains = f"The coach needs another supervisor of this kind from the day after. {_FOLLOWS}"
    entry = Entry(
        "Set the last day of an agreement", [agreement.coach], PAGE, ANCHOR, told(agreement, *_SAYS), explains
    )
    if (instead := gone(request, agreement, entry.href, _end_url)) is not None:
        return instead
    form = filled(LastDay, request, {"ends_on": agreement.ends_on, "version": agreement.version})

    def say(made: Agreement) -> Said:
        until = f"ends on {written(made.ends_on)}" if made.ends_on else "goes on"
        return Said(f"The agreement with {made.supervisor.name} {until}.", _rules(made))

    return answer(
        request, entry, form, lambda: end_agreement(actor, agreement=agreement, **form.answers()), say, _end_url
    )


@needs(CAN)
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: Request, uuid: UUID) -> HttpResponse:
    """Void an agreement that never was."""
    agreement = _agreement(request.actor, uuid)
    explains = f"For an agreement that was never made. One that is over is ended instead. {_FOLLOWS}"
    return withdrawal(
        request,
        Entry("Withdraw an agreement", [agreement.coach], PAGE, ANCHOR, told(agreement, *_SAYS), explains),
        agreement,
        lambda actor, **asked: void_agreement(actor, agreement=agreement, **asked),
        Said(f"The agreement with {agreement.supervisor.name} is withdrawn.", _rules(agreement)),
        lambda now: reverse("agreement_withdraw", kwargs={"uuid": now.uuid}),
    )


def _end_url(agreement: Agreement) -> str:
    return reverse("agreement_end", kwargs={"uuid": agreement.uuid})


def _rules(agreement: Agreement) -> list[str]:
    return [f"supervision.named.{agreement.kind}"]


def _agreement(actor: Actor, uuid: UUID) -> Agreement:
    found: Agreement = row_of(Agreement, actor, CAN, "starts_on", uuid=uuid)
    return found


def _register(actor: Actor, coach: Coach) -> Organisation | None:
    """The PCN of the actor's into whose register a new supervisor goes: that of the coach's newest post there."""
    pcns = actor.nodes(Can.KEEP_SUPERVISORS) & actor.pcns(CAN)
    posts = Post.objects.for_actor(actor, CAN).filter(coach=coach, pcn__in=pcns, voided_at=None).select_related("pcn")
    post = posts.order_by("-starts_on", "-pk").first()
    return post.pcn if post else None
