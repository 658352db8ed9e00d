"""The checks: gathers facts, asks the rules, hands what is red to the flags. By hand, on schedule, after an entry.

What must happen is a question to the database, asked again every few minutes (`catch_up`): has today been checked?
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime

from django.utils import timezone

from coaching.actions.leaving import tell_of_leavers
from coaching.actions.opening import tell_of_openings
from hwbc.compliance import trends
from hwbc.compliance.queries import standings
from hwbc.kit.queue import nudge
from hwbc.standards import actions
from hwbc.standards.models import Run
from hwbc.standards.queries import due_on, nobody_at_work, overdue, said_to_be_running, somebody_is_untold
from hwbc.standards.rules import RED, Answer
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Coach

# The gate's own answer raises no flag: an untrained coach who takes no referral is no finding.
NO_FLAG = "training.referral_ready"
NIGHTLY = Actor.system("nightly checks")


def look(day: date, coaches: Sequence[int] | None = None) -> actions.Seen:
    """What is red on a day, of these coaches or of everybody: for everybody, the walls are lifted by the caller."""
    count = 0
    red: list[actions.Red] = []
    for standing in standings(day, coaches=coaches):
        count += 1
        red.extend(_red(standing.coach, standing.answers))
    return actions.Seen(count, red)


def _red(coach: int, answers: list[tuple[str, Answer]]) -> Iterator[actions.Red]:
    for rule, answer in answers:
        if answer.state in RED and rule != NO_FLAG:
            yield actions.Red(coach, rule, answer.state, answer.since, answer.due_on)


def run_checks(actor: Actor, day: date) -> Run:
    """Raise and clear flags for a day; returns the finished run.

    Raises TooEarly or TurnTaken, with a run left behind that failed or was interrupted.
    """
    with walls.lifted("nightly checks"):
        run = actions.start_run(actor, kind=Run.Kind.CHECKS, day=day)
    return _work(actor, run)


def _work(actor: Actor, run: Run) -> Run:
    try:
        with walls.lifted("nightly checks"):
            actions.apply_checks(actor, run=run, look=lambda: look(run.day))
    except actions.TurnTaken:
        raise
    except BaseException:
        with walls.lifted("nightly checks"):
            actions.fail_run(actor, run=run)
        raise
    run.refresh_from_db()
    return run


def dry_run(day: date) -> actions.Seen:
    """What the checks would find on a day; nothing is written."""
    with walls.lifted("nightly checks"):
        return look(day)


def catch_up(now: datetime) -> Run | None:
    """Do what is to be done by now and was not: the day's checks, and telling of flags, of cases that somebody opened
    or left behind, and of checks that were missed.

    Asked every few minutes. A lost message, an emptied broker, a dead worker or a stopped schedule delay it and lose
    nothing; two at once do it once. Returns the run, where there was one to make. Counting the months comes after all
    of it: where that fails, the run is done and everybody told, and the next time it is due still.
    """
    try:
        run = _begin(now)
        return _work(NIGHTLY, run) if run else None
    except actions.TurnTaken:
        return None  # the other one does it
    finally:
        _tell(now)
        count_shares(now)


def _begin(now: datetime) -> Run | None:
    """Begin the run that is due, unless another is at work; what dead ones left is set right."""
    with walls.lifted("nightly checks"):
        if not nobody_at_work():
            return None
        for dead in said_to_be_running():
            actions.interrupt_run(NIGHTLY, run=dead)
        day = due_on(now)
        return actions.start_run(NIGHTLY, kind=Run.Kind.CHECKS, day=day) if day else None


def _tell(now: datetime) -> None:
    today = timezone.localdate(now)
    with walls.lifted("nightly checks"):
        if somebody_is_untold():
            actions.tell_of_raised_flags(day=today)
        tell_of_openings(day=today)
        tell_of_leavers(day=today)
        for missed in overdue(now):
            actions.tell_checks_missed(day=missed.day, last=missed.last, on=today)


def count_shares(now: datetime) -> int:
    """Count the months of `trends`, if checks were made since they last were; answers how many counts that made.

    In a transaction of its own after a run, whose lock entries wait for.
    """
    with walls.lifted("nightly checks"):
        months = trends.due(now)
        known = timezone.now()
        return actions.keep_shares(trends.counted(months, known), known=known) if months else 0


def check_coaches(actor: Actor | None, coaches: Collection[int], day: date) -> dict[str, int]:
    """Raise and clear the flags of these coaches at once, as the checks do at night; returns the numbers of flags.

    In the scope that the caller is in: coaches beyond it are left out. Called last, once, for all the coaches that an
    entry is about (`actions.check_flags` says why). Whoever is to know of a flag that this raises is told a moment
    later, by a job: a coach's scope does not show who manages the PCN.
    """
    from hwbc.compliance.tasks import checks as message

    reached = list(Coach.objects.filter(pk__in=coaches).values_list("pk", flat=True))
    if not reached:
        return {"raised": 0, "changed": 0, "cleared": 0, "open": 0}
    done = actions.check_flags(actor or NIGHTLY, coaches=reached, day=day, look=lambda on: look(on, reached))
    if done["raised"]:
        nudge(message)
    return done
