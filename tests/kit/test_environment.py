"""Secrets may lie in files; passwords may be kept apart from addresses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from hwbc.kit.environment import with_password
from tests.embedded.helpers import manage
from tests.embedded.test_manage import sentence

SECRETS = {
    "SECRET_KEY": "x7Kq" * 13,
    "SECRET_KEY_FALLBACKS": "older,oldest",
    "MFA_KEY": "new,old",
    "OIDC_CLIENT_SECRET": "given by the provider",
    "DATABASE_URL": "postgres://hwbc_app@database.example:5432/hwbc",
    "DATABASE_PASSWORD": "p@ss/word:1",
    "DATABASE_OWNER_URL": "postgres://hwbc_owner@database.example:5432/hwbc",
    "DATABASE_OWNER_PASSWORD": "another",
    "REDIS_URL": "rediss://broker.example:6379/0",
    "REDIS_PASSWORD": "a/third",
    "EMAIL_URL": "smtp+tls://user:fourth@mail.example:587",
}
PROGRAM = """
import json, os
from django.conf import settings as s
database = s.DATABASES["default"]
print(json.dumps({
    "SECRET_KEY": s.SECRET_KEY, "SECRET_KEY_FALLBACKS": s.SECRET_KEY_FALLBACKS, "MFA_KEY": s.MFA_KEYS,
    "OIDC_CLIENT_SECRET": s.OIDC_CLIENT_SECRET, "DATABASE_URL": [database["HOST"], database["USER"]],
    "DATABASE_PASSWORD": database["PASSWORD"], "DATABASE_OWNER_URL": s.OWNER_DATABASE_URL, "REDIS_URL": s.REDIS_URL,
    "EMAIL_URL": [s.EMAIL_HOST, s.EMAIL_HOST_PASSWORD], "environment": sorted(os.environ),
}))
"""


@pytest.mark.parametrize("in_files", [True, False], ids=["files", "variables"])
def test_every_secret_may_lie_in_a_file(tmp_path: Path, in_files: bool) -> None:
    env = {name: value for name, value in os.environ.items() if name not in SECRETS and not name.startswith("HWBC_")}
    env |= {"HWBC_LOCAL": "false", "ALLOWED_HOSTS": "x.example", "BASE_URL": "https://x.example"}
    env |= {"DJANGO_SETTINGS_MODULE": "hwbc.settings", "OIDC_NAME": "Somewhere", "OIDC_CLIENT_ID": "hwbc"}
    env |= {"OIDC_SERVER_URL": "https://sign-in.example"}
    for name, value in SECRETS.items():
        file = tmp_path / name.lower()
        file.write_text(f"{value}\n")  # as an editor leaves it
        env |= {f"{name}_FILE": str(file)} if in_files else {name: value}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not (in_files and set(SECRETS) & set(found.pop("environment")))  # nor is it put there
    apart = {
        name: value for name, value in SECRETS.items() if name not in ("DATABASE_OWNER_PASSWORD", "REDIS_PASSWORD")
    }
    assert {name: found[name] for name in apart} == apart | {
        "SECRET_KEY_FALLBACKS": ["older", "oldest"],
        "MFA_KEY": ["new", "old"],
        "DATABASE_URL": ["database.example", "hwbc_app"],
        "DATABASE_OWNER_URL": "postgres://hwbc_owner:another@database.example:5432/hwbc",
        "REDIS_URL": "rediss://:a%2Fthird@broker.example:6379/0",
        "EMAIL_URL": ["mail.example", "fourth"],
    }


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    said = sentence(manage(tmp_path, "check", SECRET_KEY_FILE=str(tmp_path / "nowhere")))
    assert said == "SECRET_KEY_FILE names a file that cannot be read: No such file or directory."


@pytest.mark.parametrize(
    ("url", "password", "whole"),
    [
        ("redis://broker:6379/0", "", "redis://broker:6379/0"),
        ("redis://broker:6379/0", "a:b@c/d#e?%", "redis://:a%3Ab%40c%2Fd%23e%3F%25@broker:6379/0"),
        ("postgres://app@db:5432/hwbc?sslmode=require", "x", "postgres://app:x@db:5432/hwbc?sslmode=require"),
        ("postgres://app:old@db/hwbc", "new", "postgres://app:new@db/hwbc"),
    ],
)
def test_a_password_is_put_into_its_address(url: str, password: str, whole: str) -> None:
    assert with_password(url, password) == whole
