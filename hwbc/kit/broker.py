"""Whether the broker answers."""

from celery import current_app
from kombu.exceptions import OperationalError


def answers() -> bool:
    """Whether a connection can be made now, with a second's patience."""
    try:
        with current_app.connection_for_write(connect_timeout=1) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            return True
    except OperationalError:
        return False
