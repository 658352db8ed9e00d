"""Deployment checks: others are reached by TLS with a checked certificate; what setting up makes is there.

`python manage.py check --deploy` asks them. What they know are the addresses in the settings: nobody is called.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import environ
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

_PRIVATE = "Or name it in PRIVATE_NETWORK, if only machines of yours can listen there."


@register(deploy=True)
def others_are_reached_by_tls(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A warning for each address by which database, broker or mail server would be reached in the clear, or blindly."""
    return [*_databases(), *_broker(), *_mail()]


@register(deploy=True)
def common_passwords_are_known(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A warning where the list is not there: whoever chose a password would be shown an error."""
    if (settings.BUILD_DIR / "common-passwords.txt").exists():
        return []
    hint = "Run `make setup`, or `python -m hwbc.kit.assets` as the Dockerfile does."
    return [Warning("The list of common passwords was not made.", hint=hint, id="hwbc.W004")]


def _databases() -> Iterator[CheckMessage]:
    owner: dict[str, Any] = (
        environ.Env.db_url_config(settings.OWNER_DATABASE_URL) if settings.OWNER_DATABASE_URL else {}
    )
    logins: list[tuple[str, dict[str, Any]]] = [
        ("DATABASE_URL", settings.DATABASES["default"]),
        ("DATABASE_OWNER_URL", owner),
    ]
    for name, login in logins:
        options = login.get("OPTIONS", {})
        checked = options.get("sslmode") == "verify-full" and bool(options.get("sslrootcert"))
        hosts = str(options.get("host") or login.get("HOST") or "").split(",")
        if not checked and any(map(_is_elsewhere, hosts)):
            yield Warning(
                f"{name} does not ask for TLS with a checked certificate.",
                hint=f"Add ?sslmode=verify-full&sslrootcert=… to it (docs/deploy.md). {_PRIVATE}",
                id="hwbc.W001",
            )


def _broker() -> Iterator[CheckMessage]:
    parts = urlsplit(settings.REDIS_URL)
    said = dict(parse_qsl(parts.query.casefold()))
    blind = said.get("ssl_cert_reqs", "required") not in ("required", "cert_required")
    checked = parts.scheme == "rediss" and not blind and said.get("ssl_check_hostname", "true") != "false"
    if not checked and "socket" not in parts.scheme and _is_elsewhere(parts.hostname or ""):
        yield Warning(
            "REDIS_URL does not ask for TLS with a checked certificate.",
            hint=f"Begin it with rediss:// and add ?ssl_cert_reqs=required (docs/deploy.md). {_PRIVATE}",
            id="hwbc.W002",
        )


def _mail() -> Iterator[CheckMessage]:
    by_smtp = settings.EMAIL_BACKEND.endswith("smtp.EmailBackend")
    encrypted = settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL  # Django checks the certificate with either
    if by_smtp and not encrypted and _is_elsewhere(settings.EMAIL_HOST):
        yield Warning(
            "EMAIL_URL does not ask for TLS.",
            hint=f"Begin it with smtp+tls:// or smtp+ssl:// (docs/deploy.md). {_PRIVATE}",
            id="hwbc.W003",
        )


def _is_elsewhere(host: str) -> bool:
    """Whether it is another machine than this one, and on no network that the operator calls private."""
    if not host or host.startswith(("/", "@")) or host == "localhost" or host in settings.PRIVATE_NETWORK:
        return False
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return True
