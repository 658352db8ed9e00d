"""Which jobs there are, and which of them somebody works at."""

from uuid import UUID

from django.db import connection

from hwbc.standards.models import Job
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Reached

FOLDER = "jobs"  # of the private storage
_LOCK = "hashtext('hwbc.job'), hashtext(%s)"


def jobs(actor: Actor) -> Reached:
    """What somebody asked for, the newest first; a workbook's import stands for its check."""
    rows: Reached = Job.objects.for_actor(actor).filter(followed_by=None)
    return rows


def not_ended(actor: Actor) -> Reached:
    """What somebody asked for and is not ended."""
    rows: Reached = Job.objects.for_actor(actor).filter(ended_at=None)
    return rows


def one_at_a_time(user_id: int) -> None:
    """Whoever asks twice at once: the second waits until the first has asked."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('hwbc.jobs of'), hashtext(%s))", [str(user_id)])


def hold(job: Job) -> bool:
    """Say, for this transaction, that somebody is at work at a job. PostgreSQL forgets it when the process dies.

    False where the job is somebody else's by now: whoever took it was so slow to begin that it was given up for dead.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"select pg_advisory_xact_lock({_LOCK})", [str(job.uuid)])
    return Job.objects.filter(pk=job.pk, outcome=Job.Outcome.RUNNING, tries=job.tries).exists()


def is_at_work(uuid: UUID) -> bool:
    """Whether somebody is at work at a job; if nobody is, keeps it so to the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"select pg_try_advisory_xact_lock({_LOCK})", [str(uuid)])
        return not cursor.fetchone()[0]
