"""Mail that nobody waits for: how long the mail server takes tells nobody anything, and its failures stop no page."""

import smtplib
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.conf import settings
from django.core.mail import EmailMessage

log = structlog.get_logger(__name__)
# What still waits when the process is told to stop is sent before it ends.
_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="mail")


def send_later(message: EmailMessage | None) -> None:
    """Send a mail beside the page. None does as much for the page as a mail would, and sends none."""
    if settings.MAIL_IN_BACKGROUND:
        _pool.submit(_send, message)
    else:
        _send(message)


def _send(message: EmailMessage | None) -> None:
    try:
        if message is not None:
            message.send()
    except (OSError, smtplib.SMTPException) as fault:
        log.error("mail.not_sent", fault=type(fault).__name__)
