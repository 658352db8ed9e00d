"""The environment, in which a secret may lie in a file: `SECRET_KEY_FILE` names the one that holds `SECRET_KEY`."""

from typing import Any
from urllib.parse import quote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping


class _Files(FileAwareMapping):  # type: ignore[misc]
    """A file that is named comes before the variable itself; the line's end with which editors close it is no part."""

    def __getitem__(self, key: str) -> Any:
        try:
            value = super().__getitem__(key)
        except (OSError, UnicodeDecodeError) as fault:
            why = getattr(fault, "strerror", None) or "it is no text"
            raise ImproperlyConfigured(f"{key}_FILE names a file that cannot be read: {why}.") from None
        return value.rstrip("\r\n") if self.env.get(f"{key}_FILE") else value


class Env(environ.Env):  # type: ignore[misc]
    """django-environ's, but each variable may be in a file."""

    ENVIRON = _Files()


def with_password(url: str, password: str) -> str:
    """An address, with a password that is kept apart from it; without one, the address as it is."""
    if not password:
        return url
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    user = login.partition(":")[0] if at else ""
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()
