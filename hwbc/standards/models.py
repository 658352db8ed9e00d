"""What is asked, where it is not met, and whether the jobs that look are running."""

from django.db import models

from hwbc.workforce import walls


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
