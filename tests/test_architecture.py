"""The code keeps to the design; and each guard bites."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import architecture
from tests.architecture import BASE, GUARDS


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_the_code_passes_the_guard(guard) -> None:
    assert [fault for path, source in architecture.modules() for fault in guard(path, source)] == []


@pytest.mark.parametrize(
    ("guard", "path", "source"),
    [
        ("rows_without_asking_who", "coaching/views.py", "def page(request):\n    return Coach.objects.all()"),
        ("rows_without_asking_who", "coaching/views/board.py", "rows = Coach.objects.filter(pk=1)"),
        ("rows_without_asking_who", "coaching/forms.py", "field = ModelChoiceField(Coach.objects.all())"),
        ("rows_without_asking_who", "coaching/views.py", "Coach._default_manager.get(pk=1)"),
        ("writes_outside_actions", "coaching/views.py", "form.save()"),
        ("writes_outside_actions", "coaching/tasks.py", "Flag.objects.create(coach=1)"),
        ("writes_outside_actions", "coaching/tasks.py", "Flag.objects.filter(pk=1).update(open=False)"),
        ("writes_outside_actions", "coaching/queries.py", "Flag.objects.for_actor(actor).delete()"),
        ("writes_outside_actions", "hwbc/compliance/management/commands/load.py", "Coach.objects.bulk_create(rows)"),
        ("unaudited_actions", "coaching/actions.py", "def allocate(actor, line): ..."),
        ("unaudited_actions", "coaching/actions/referrals.py", "@wraps(f)\ndef allocate(actor, line): ..."),
        ("lifts", "coaching/views.py", "with walls.lifted('quickly'): pass"),
        ("lifts", "coaching/actions.py", "with lifted('quickly'): pass"),
        ("lifts", "coaching/tasks.py", "with walls.as_owner(): pass"),
        ("impure_rules", "supervision/rules.py", "from django.utils import timezone"),
        ("impure_rules", "supervision/rules.py", "from supervision.models import Meeting"),
        ("impure_rules", "supervision/rules.py", "day = date.today()"),
        ("undocumented", "hwbc/kit/tables.py", "def table(): ..."),
    ],
)
def test_the_guard_bites(guard: str, path: str, source: str) -> None:
    assert getattr(architecture, guard)(path, source)


def test_guards_leave_alone_what_is_right() -> None:
    assert architecture.rows_without_asking_who("a/views.py", "Coach.objects.for_actor(request.actor).count()") == []
    assert architecture.writes_outside_actions("a/views.py", "context.update(x=1)\nsuper().save()") == []
    assert architecture.unaudited_actions("a/actions.py", "@action('x')\ndef do(a, l): ...\ndef _help(): ...") == []


# --- The floors ---------------------------------------------------------------------------------------------------


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_point_down() -> None:
    done = lint_imports(BASE)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("hwbc/kit/periods.py", "import hwbc.workforce.models"),
        ("hwbc/workforce/roles.py", "import hwbc.standards.models"),
        ("hwbc/standards/queries.py", "import hwbc.compliance.views"),
        ("hwbc/compliance/navigation.py", "import hwbc.urls"),
        ("hwbc/embedded/addresses.py", "import hwbc.workforce.models"),
    ],
)
def test_an_import_that_points_up_is_caught(tmp_path: Path, module: str, line: str) -> None:
    for path, source in architecture.modules():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source)
    (tmp_path / "pyproject.toml").write_text((BASE / "pyproject.toml").read_text())
    (tmp_path / module).write_text(f"{line}\n" + (tmp_path / module).read_text())
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "BROKEN" in done.stdout


def test_every_module_of_ours_stands_on_a_floor() -> None:
    contract = (BASE / "pyproject.toml").read_text()
    apps = {
        path.split("/")[1] for path, _ in architecture.modules() if path.startswith("hwbc/") and path.count("/") > 1
    }
    assert {app for app in apps if f"hwbc.{app}" not in contract} == set()


# --- The tree -------------------------------------------------------------------------------------------------------


def test_every_variable_of_the_environment_stands_in_the_example() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', (BASE / "hwbc/settings.py").read_text()))
    example = (BASE / ".env.example").read_text()
    assert {name for name in read if not re.search(rf"^#? ?{name}=", example, re.MULTILINE)} == set()


def test_the_image_holds_every_app() -> None:
    apps = {path.partition("/")[0] for path, _ in architecture.modules()}
    image = (BASE / "Dockerfile").read_text()
    assert {app for app in apps if image.count(f"COPY {app} {app}\n") != 2} == set()  # to build in, and to run


def test_the_image_can_dump_the_database_that_it_is_run_with() -> None:
    [server] = re.findall(r"image: postgres:(\d+)$", (BASE / "docker-compose.yml").read_text(), re.MULTILINE)
    assert re.findall(r"postgresql-client-(\d+)", (BASE / "Dockerfile").read_text()) == [server]


def test_the_locks_hold_every_dependency_with_hashes_and_no_index() -> None:
    project = tomllib.loads((BASE / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[~=<>]", name)[0] for name in project["dependencies"]}
    for lock in ("base", "local", "dev"):
        text = (BASE / f"requirements/{lock}.txt").read_text()
        assert {name for name in wanted if not re.search(rf"^{name}==", text, re.MULTILINE)} == set()
        assert "://" not in text
        for requirement in re.findall(r"^[a-z][^\n]*==[^\n]*\n[^\n]*", text, re.MULTILINE):
            assert "--hash=sha256:" in requirement
    assert "resolved" not in (BASE / "package-lock.json").read_text()
