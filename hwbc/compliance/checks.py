"""The checks: gathers facts, asks the rules, hands what is red to the flags. By hand, and on schedule."""

from collections.abc import Iterator
from datetime import date

from hwbc.compliance.queries import standings
from hwbc.standards import actions
from hwbc.standards.models import Run
from hwbc.standards.rules import RED, Answer
from hwbc.workforce import walls
from hwbc.workforce.access import Actor

# The gate's own answer raises no flag: an untrained coach who takes no referral is no finding.
NO_FLAG = "training.referral_ready"


def look(day: date) -> actions.Seen:
    """What is red on a day. Needs the walls lifted."""
    coaches = 0
    red: list[actions.Red] = []
    for standing in standings(day):
        coaches += 1
        red.extend(_red(standing.coach, standing.answers))
    return actions.Seen(coaches, red)


def _red(coach: int, answers: list[tuple[str, Answer]]) -> Iterator[actions.Red]:
    for rule, answer in answers:
        if answer.state in RED and rule != NO_FLAG:
            yield actions.Red(coach, rule, answer.state, answer.since, answer.due_on)


def run_checks(actor: Actor, day: date) -> Run:
    """Raise and clear flags for a day; returns the finished run. Raises TooEarly, with a failed run left behind."""
    with walls.lifted("nightly checks"):
        run = actions.start_run(actor, kind=Run.Kind.CHECKS, day=day)
    try:
        with walls.lifted("nightly checks"):
            actions.apply_checks(actor, run=run, look=lambda: look(day))
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
