"""The deployment checks: who is reached in the clear, or without looking at the certificate; what was not made."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.checks import run_checks

from hwbc.kit.checks import common_passwords_are_known, others_are_reached_by_tls
from hwbc.settings import database

CA = "sslrootcert=/etc/ssl/hwbc/ca.pem"
TLS = {
    "DATABASE_URL": f"postgres://app:x@db.example:5432/hwbc?sslmode=verify-full&{CA}",
    "DATABASE_OWNER_URL": f"postgres://owner:x@db.example:5432/hwbc?sslmode=verify-full&{CA}",
    "REDIS_URL": "rediss://:x@broker.example:6379/0?ssl_cert_reqs=required",
    "EMAIL_URL": "smtp+tls://user:x@mail.example:587",
}
DATABASE, OWNER, BROKER, MAIL = "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "EMAIL_URL"


def warned(monkeypatch: pytest.MonkeyPatch, private: list[str], **addresses: str) -> list[tuple[str, str]]:
    """Which addresses are warned of."""
    said = TLS | addresses
    scheme, _, rest = said[MAIL].partition("://")
    asked = SimpleNamespace(
        DATABASES={"default": database(said[DATABASE])},
        OWNER_DATABASE_URL=said[OWNER],
        REDIS_URL=said[BROKER],
        PRIVATE_NETWORK=private,
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST=rest.rpartition("@")[2].rpartition(":")[0],
        EMAIL_USE_TLS=scheme == "smtp+tls",
        EMAIL_USE_SSL=scheme == "smtp+ssl",
    )
    monkeypatch.setattr("hwbc.kit.checks.settings", asked)
    return [(str(warning.id), str(warning.msg).partition(" ")[0]) for warning in others_are_reached_by_tls(None)]


@pytest.mark.parametrize(
    ("name", "address", "warning"),
    [
        (DATABASE, "postgres://app@db.example/hwbc", "hwbc.W001"),
        (DATABASE, "postgres://app@db.example/hwbc?sslmode=require", "hwbc.W001"),
        (DATABASE, f"postgres://app@db.example/hwbc?sslmode=verify-ca&{CA}", "hwbc.W001"),
        (DATABASE, "postgres://app@db.example/hwbc?sslmode=verify-full", "hwbc.W001"),
        (DATABASE, "postgres://app@10.0.0.7/hwbc", "hwbc.W001"),
        (DATABASE, "postgres://app@/hwbc?host=db.example", "hwbc.W001"),
        (DATABASE, "postgres://app@/hwbc?host=/run/postgresql", None),
        (DATABASE, "postgres://app@127.0.0.1/hwbc", None),
        (DATABASE, "postgres://app@localhost:5432/hwbc", None),
        (OWNER, "postgres://owner@db.example/hwbc", "hwbc.W001"),
        (OWNER, "", None),
        (BROKER, "redis://broker.example:6379/0", "hwbc.W002"),
        (BROKER, "rediss://broker.example:6379/0?ssl_cert_reqs=none", "hwbc.W002"),
        (BROKER, "rediss://broker.example:6379/0?ssl_cert_reqs=CERT_OPTIONAL", "hwbc.W002"),
        (BROKER, "rediss://broker.example:6379/0?ssl_check_hostname=False", "hwbc.W002"),
        (BROKER, "rediss://broker.example:6379/0?ssl_cert_reqs=CERT_REQUIRED", None),
        (BROKER, "rediss://broker.example:6379/0", None),
        (BROKER, "redis://[::1]:6379/0", None),
        (BROKER, "redis+socket:///run/valkey.sock", None),
        (MAIL, "smtp://mail.example:25", "hwbc.W003"),
        (MAIL, "smtp+ssl://mail.example:465", None),
        (MAIL, "smtp://localhost:25", None),
    ],
)
def test_what_is_reached_without_tls_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, name: str, address: str, warning: str | None
) -> None:
    assert warned(monkeypatch, [], **{name: address}) == ([(warning, name)] if warning else [])


def test_what_the_operator_calls_private_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clear = {DATABASE: "postgres://app@database/hwbc", BROKER: "redis://broker/0", OWNER: "", MAIL: "smtp://mail:25"}
    assert [name for _, name in warned(monkeypatch, [], **clear)] == [DATABASE, BROKER, MAIL]
    assert [name for _, name in warned(monkeypatch, ["database", "mail"], **clear)] == [BROKER]
    assert warned(monkeypatch, ["database", "broker", "mail"], **clear) == []


def test_the_deployment_check_asks_it_and_a_start_does_not(settings: Any) -> None:
    settings.REDIS_URL = "redis://broker.example/0"
    ids = [[message.id for message in run_checks(include_deployment_checks=deploy)] for deploy in (True, False)]
    assert ["hwbc.W002" in found for found in ids] == [True, False]


def test_a_list_of_common_passwords_that_was_not_made_is_warned_of(settings: Any, tmp_path: Path) -> None:
    assert common_passwords_are_known(None) == []
    settings.BUILD_DIR = tmp_path
    [warning] = common_passwords_are_known(None)
    assert warning.id == "hwbc.W004"
    assert "make setup" in str(warning.hint)
