"""The guards: what the syntax tree of the code must not show. Each has a test that it bites."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent
APPS = ("hwbc", "coaching", "supervision", "training", "recruitment")

# Who may lift the walls: module → why. Longer only with a good reason in review.
MAY_LIFT = {
    "hwbc/workforce/access.py": "reach decides what the scope will be",
    "hwbc/workforce/sealing.py": "verify audit: sealing it, and verifying the chain",
    "hwbc/workforce/management/commands/invite.py": "the first person of an installation",
    "hwbc/compliance/checks.py": "nightly checks",
    "hwbc/compliance/jobs/work.py": "whose a job is is not known before it is found; its work is done in their scope",
    "hwbc/compliance/importing/jobs.py": "import, for whoever asked: limits.py says which rows, as of the moment",
    "hwbc/compliance/management/commands/compliance.py": "the answer for a machine, on the command line",
    "hwbc/compliance/management/commands/import_workbook.py": "import",
    "hwbc/compliance/management/commands/demo.py": "the import of an invented service, where nobody is yet",
}
MAY_BE_OWNER = {
    "hwbc/workforce/management/commands/migrate.py": "migrations",
    "hwbc/workforce/management/commands/flush.py": "truncates",
    "hwbc/workforce/management/commands/backup.py": "reads every row: no wall may hide one from a backup",
    "hwbc/workforce/management/commands/restore.py": "makes the tables, with their rows and walls",
}
_ROWS = re.compile(r"objects|filter\(|exclude\(|for_actor\(|_set\b")
WRITES = {
    "save", "create", "bulk_create", "update", "bulk_update", "delete", "get_or_create", "update_or_create",
    "acreate", "aupdate", "adelete", "asave",
}  # fmt: skip


def modules() -> Iterator[tuple[str, str]]:
    """Path and source of every module of ours, but for tests."""
    for app in APPS:
        for file in sorted((BASE / app).rglob("*.py")):
            yield file.relative_to(BASE).as_posix(), file.read_text()


def is_named(path: str, name: str) -> bool:
    """Whether the module is `name.py` or lies in a package `name/`."""
    parts = Path(path).with_suffix("").parts
    return name in parts[1:]


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _at(path: str, node: ast.AST, what: str) -> str:
    return f"{path}:{getattr(node, 'lineno', 0)} {what}"


def rows_without_asking_who(path: str, source: str) -> list[str]:
    """In views and forms: `Model.objects` followed by anything but `.for_actor`."""
    if not (is_named(path, "views") or is_named(path, "forms")):
        return []
    tree = ast.parse(source)
    asked = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "for_actor"}
    return [
        _at(path, node, "reaches rows without asking who: Model.objects.for_actor(request.actor)")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("objects", "_default_manager", "_base_manager")
        and id(node) not in asked
    ]


def writes_outside_actions(path: str, source: str) -> list[str]:
    """`.save()`, `.create()`, `.update()` … of rows anywhere but in an `actions` module or the audit itself."""
    if is_named(path, "actions") or is_named(path, "migrations") or path == "hwbc/workforce/audit.py":
        return []
    found = []
    for call in _calls(ast.parse(source)):
        function = call.func
        if not isinstance(function, ast.Attribute) or function.attr not in WRITES:
            continue
        text = ast.unparse(function.value)
        if text in ("super()", "vars(request)") or (function.attr == "update" and not _ROWS.search(text)):
            continue  # a parent's method; a dict's update
        found.append(_at(path, call, f"writes outside actions: {text}.{function.attr}"))
    return found


def unaudited_actions(path: str, source: str) -> list[str]:
    """Public functions of an `actions` module that are not made by `@action` or `@upkeep`."""
    if not is_named(path, "actions"):
        return []
    found = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        made_by = {
            ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
            for decorator in node.decorator_list
        }
        if not made_by & {"action", "upkeep"}:
            found.append(_at(path, node, f"{node.name} has no @action"))
    return found


def lifts(path: str, source: str) -> list[str]:
    """Calls of `lifted` and `as_owner` outside their short lists."""
    if path == "hwbc/workforce/walls.py":
        return []
    found = []
    for call in _calls(ast.parse(source)):
        name = ast.unparse(call.func).rpartition(".")[2]
        if name in ("lifted", "entered") and path not in MAY_LIFT:
            found.append(_at(path, call, "lifts the walls"))
        if name == "as_owner" and path not in MAY_BE_OWNER:
            found.append(_at(path, call, "uses the owner's login"))
    return found


def impure_rules(path: str, source: str) -> list[str]:
    """In `rules` modules: anything of Django, a model, a query or the clock."""
    if not is_named(path, "rules"):
        return []
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."]
        found += [
            _at(path, node, f"imports {name}")
            for name in names
            if name.split(".")[0] == "django" or name.split(".")[-1] in ("models", "queries", "actions")
        ]
        if isinstance(node, ast.Attribute) and node.attr in ("today", "now", "localdate"):
            found.append(_at(path, node, "asks the clock"))
    return found


def undocumented(path: str, source: str) -> list[str]:
    """Public functions and classes at the top of a module without a docstring (commands and migrations apart)."""
    if is_named(path, "migrations") or is_named(path, "commands") or path.endswith("/apps.py"):
        return []
    return [
        _at(path, node, f"{node.name} has no docstring")
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]


GUARDS = (
    rows_without_asking_who, writes_outside_actions, unaudited_actions, lifts, impure_rules, undocumented,
)  # fmt: skip
