"""What the documents claim is there: the tests, files, settings and paragraphs that they name; no row claims nothing.

Names of tests are read from the syntax tree, so that one that is renamed or deleted is noticed by the document.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests import need_to_know
from tests.architecture import BASE, modules
from tests.need_to_know import TABLE, Relation, confidential

SECURITY, SAFETY, PROTECTION = "docs/security.md", "docs/clinical-safety.md", "docs/data-protection.md"
DOCUMENTS = (SECURITY, SAFETY, PROTECTION)

# The requirements of levels 1 and 2 of the OWASP ASVS 5.0.0, by section: how many there are, as they are numbered there
# from 1. Those of level 3 come after them.
LEVELS_1_AND_2 = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2,
    "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2,
    "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
    "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1,
    "9.1": 3, "9.2": 4,
    "10.1": 2, "10.2": 2, "10.5": 5,
    "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4,
    "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5,
    "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3,
}  # fmt: skip
WHOLE = ("10.3", "10.4", "10.6", "10.7", "17")  # sections and a chapter of what is not here
KINDS = ("Test:", "Control:", "Control (operator):", "Does not apply:", "Not met yet:")

LIKELIHOODS = ("Very low", "Low", "Medium", "High", "Very high")
SEVERITIES = ("Minor", "Significant", "Considerable", "Major", "Catastrophic")

_NUMBER = r"\d+(\.\d+){0,2}"
_SPAN = re.compile(r"`([^`\n]+)`")
_TEST = re.compile(r"tests/[\w/]+\.py(::\w+)+")
_OF_THE_OPERATOR = re.compile(r"\]\(deploy\.md#[\w-]+\)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FILE = re.compile(r"[\w.\-]+(/[\w.\-]+)*/?")
_ENDING = re.compile(r"\.(py|md|txt|toml|json|yml|js|html|example|dockerignore|npmrc)$|/$|^(Makefile|Dockerfile)$")
_CAPITALS = re.compile(r"(?:[A-Z]\w+\.)?([A-Z][A-Z0-9_]{2,})")  # also of a class: Draft.KEPT_FOR


def read(document: str) -> str:
    return (BASE / document).read_text()


# --- What there is ----------------------------------------------------------------------------------------------------


def names_in(path: str, source: str) -> Iterator[str]:
    """Every test of a module, as pytest calls it."""
    for node in ast.parse(source).body:
        for function in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
                yield "::".join([path, *([node.name] if isinstance(node, ast.ClassDef) else []), function.name])


@cache
def all_tests() -> set[str]:
    files = sorted((BASE / "tests").rglob("test_*.py"))
    return {name for file in files for name in names_in(file.relative_to(BASE).as_posix(), file.read_text())}


@cache
def names_in_capitals() -> set[str]:
    """Every name in capitals that the code gives a value, and every variable of the environment."""
    found = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", read(".env.example"), re.MULTILINE))
    for _, source in [*modules(), ("", read("tests/need_to_know.py"))]:
        for node in ast.walk(ast.parse(source)):
            for target in _targets(node):
                found |= {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def headings_of(text: str) -> set[str]:
    """The anchors of a document's headings, as they are made from their words."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.casefold()).replace(" ", "-") for heading in headings}


# --- What is wrong with a document ------------------------------------------------------------------------------------


def unknown_tests(text: str) -> list[str]:
    """Tests that are named and are not there; and those that are named without saying where they stand."""
    there = all_tests()
    named = [span for span in _SPAN.findall(text) if "test_" in span and not span.endswith(".py")]
    return [name for name in named if name not in there]


def unknown_files(document: str, text: str) -> list[str]:
    """Files and folders that are named and are not there; links that lead to no file or no heading."""
    spans = [span for span in _SPAN.findall(text) if _FILE.fullmatch(span) and _ENDING.search(span)]
    found = [span for span in spans if not (BASE / span).exists()]
    for link in _LINK.findall(text):
        path, _, anchor = link.partition("#")
        file = (BASE / document).parent / path if path else BASE / document
        if not file.exists() or (anchor and anchor not in headings_of(file.read_text())):
            found.append(link)
    return found


def unknown_settings(text: str) -> list[str]:
    """Names in capitals that nothing in the code gives a value, and no variable of the environment has."""
    there = names_in_capitals()
    spans = [_CAPITALS.fullmatch(span) for span in _SPAN.findall(text)]
    return [span[0] for span in spans if span is not None and span[1] not in there]


def unknown_commands(text: str) -> list[str]:
    """`make …` and `manage.py …` that are not there."""
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    commands = {file.stem for file in BASE.glob("hwbc/*/management/commands/*.py")}
    spans = [span.split() for span in _SPAN.findall(text) if span.startswith(("make ", "manage.py "))]
    return [" ".join(span) for span in spans if span[1] not in (targets if span[0] == "make" else commands)]


def rows_of(text: str, first: str) -> list[list[str]]:
    """The rows of all tables whose first cell is like this, as their cells."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return [row for row in cells if re.fullmatch(first, row[0])]


def unanswered(text: str) -> list[str]:
    """Rows of requirements without exactly one answer, or whose answer names nothing that could be looked at."""
    found = []
    for row in rows_of(text, _NUMBER):
        if len(row) != 3:
            found.append(f"{row[0]} has {len(row)} cells")
            continue
        number, asked, answer = row
        kinds = [kind for kind in KINDS for _ in re.findall(rf"(?<!\w){re.escape(kind)}", answer)]
        spans = _SPAN.findall(answer)
        if len(kinds) != 1 or not answer.startswith(kinds[0]):
            found.append(f"{number} has {len(kinds)} answers")
        elif kinds[0] == "Test:" and not any(_TEST.fullmatch(span) for span in spans):
            found.append(f"{number} names no test")
        elif kinds[0] == "Control (operator):" and not _OF_THE_OPERATOR.search(answer):
            found.append(f"{number} does not say what the operator does")
        elif kinds[0] == "Control:" and not (spans or _LINK.search(answer)):
            found.append(f"{number} names no control")
        elif kinds[0] in ("Does not apply:", "Not met yet:") and len(answer.removeprefix(kinds[0]).split()) < 3:
            found.append(f"{number} gives no reason")
        if len(asked.split()) < 2:
            found.append(f"{number} does not say what is asked")
    return found


def wrong_numbers(text: str) -> list[str]:
    """Requirements of levels 1 and 2 without exactly one row."""
    wanted = [f"{section}.{n}" for section, count in LEVELS_1_AND_2.items() for n in range(1, count + 1)]
    part = text.partition("### Of level 3")[0]
    rows = [row[0] for row in rows_of(part, _NUMBER)]
    wanted += WHOLE
    return sorted({*wanted} ^ {*rows}) + sorted({row for row in rows if rows.count(row) > 1})


def matrix_of(text: str) -> dict[tuple[str, str], int]:
    """(likelihood, severity) → rating, as the table in the document has it."""
    rows = rows_of(text, "|".join(LIKELIHOODS))
    return {
        (row[0], severity): int(rating) for row in rows for severity, rating in zip(SEVERITIES, row[1:], strict=True)
    }


def uncontrolled(text: str) -> list[str]:
    """Hazards without a test that controls them, or with a rating that is not the table's."""
    matrix, found = matrix_of(text), []
    for row in rows_of(text, r"H\d+"):
        if len(row) != 8 or not all(row):
            found.append(f"{row[0]} has {len(row)} cells, or an empty one")
            continue
        number, controls, before, after = row[0], row[4], row[5], row[6]
        if not any(_TEST.fullmatch(span) for span in _SPAN.findall(controls)):
            found.append(f"{number} has no test")
        ratings = []
        for rating in (before, after):
            said = re.fullmatch(r"([\w ]+), ([\w ]+): (\d)", rating)
            if said is None or matrix.get((said[2].capitalize(), said[1])) != int(said[3]):
                found.append(f"{number} is rated {rating}")
            else:
                ratings.append(int(said[3]))
        if len(ratings) == 2 and ratings[1] > ratings[0]:
            found.append(f"{number} is worse with its controls")
    return found


WORDS = {
    "the coach": need_to_know.OWN,
    "whoever opened the case today with a reason": need_to_know.OPENED,
    "line manager": need_to_know.LINE,
    "clinical supervisor": need_to_know.CLINICAL,
    "coaching supervisor": need_to_know.COACHING,
    "PCN manager": need_to_know.MANAGER,
    "managers of the same hub": need_to_know.SIBLING,
    "manager of the next PCN": need_to_know.NEXT,
    "training hub": need_to_know.HUB,
    "auditor": need_to_know.AUDITOR,
    "whoever asked": need_to_know.ASKED,
    "whoever typed it": need_to_know.TYPED_IT,
    "whoever signed in": need_to_know.CAME_IN,
}


def who_sees(text: str) -> dict[str, frozenset[Relation]]:
    """Field → who sees it, as the document says."""
    said: dict[str, frozenset[Relation]] = {}
    for row in rows_of(text, ".+"):
        for name in _SPAN.findall(row[1]) if len(row) == 3 else ():
            if re.fullmatch(r"\w+\.[A-Z]\w+\.\w+", name):
                assert name not in said, name
                said[name] = frozenset(WORDS[who] for who in row[2].split("; ") if who != "nobody")
    return said


# --- They hold --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_is_there(document: str) -> None:
    text = read(document)
    assert unknown_tests(text) == []
    assert unknown_files(document, text) == []
    assert unknown_settings(text) == []
    assert unknown_commands(text) == []


def test_every_requirement_has_one_answer() -> None:
    text = read(SECURITY)
    assert wrong_numbers(text) == []
    assert unanswered(text) == []


def test_every_hazard_has_a_test_and_a_rating_of_the_table() -> None:
    text = read(SAFETY)
    assert len(rows_of(text, r"H\d+")) >= 15
    assert len(matrix_of(text)) == 25
    assert uncontrolled(text) == []


def test_hazards_are_numbered_once() -> None:
    numbers = [row[0] for row in rows_of(read(SAFETY), r"H\d+")]
    assert numbers == [f"H{n}" for n in range(1, len(numbers) + 1)]


def test_who_sees_what_is_the_table_that_the_pages_are_tried_with() -> None:
    assert who_sees(read(PROTECTION)) == {name: who for name, who in TABLE.items() if confidential(name)}


def test_the_documents_are_linked_from_the_readme() -> None:
    linked = set(_LINK.findall(read("README.md")))
    assert set(DOCUMENTS) - linked == set()


# --- And they bite ----------------------------------------------------------------------------------------------------

A_TEST = "tests/test_documents.py::test_what_a_document_names_is_there"


@pytest.mark.parametrize(
    "text",
    [
        "`tests/test_documents.py::test_nobody_wrote_this`",
        "`tests/nowhere.py::test_what_a_document_names_is_there`",
        "`test_what_a_document_names_is_there`",  # without its place
        "`tests/workforce/test_walls.py::test_the_owner_is_refused`",  # stands in a class
    ],
)
def test_a_made_up_test_is_caught(text: str) -> None:
    assert unknown_tests(text) != []
    assert unknown_tests(f"`{A_TEST}`") == []


@pytest.mark.parametrize(
    "text",
    ["`hwbc/nowhere.py`", "`docs/nowhere/`", "[x](nowhere.md)", "[x](deploy.md#nowhere)", "[x](#nowhere)"],
)
def test_a_made_up_file_is_caught(text: str) -> None:
    assert unknown_files(SECURITY, text) != []
    assert unknown_files(SECURITY, "`hwbc/settings.py` `tests/` [x](deploy.md#files)") == []


def test_a_made_up_setting_or_command_is_caught() -> None:
    assert unknown_settings("`SESSION_IDLE` `DEPUTY_MAY` `Draft.KEPT_FOR` `NOBODY_SET_THIS`") == ["NOBODY_SET_THIS"]
    assert unknown_commands("`make sabotage` `make nothing` `manage.py invite` `manage.py nothing`") == [
        "make nothing",
        "manage.py nothing",
    ]


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (f"Test: `{A_TEST}`", False),
        ("Control: `hwbc/settings.py`", False),
        ("Control: [deploying](deploy.md)", False),
        ("Control (operator): the proxy, [deploying](deploy.md#encryption-on-the-way)", False),
        ("Control (operator): the proxy of whoever runs it", True),
        ("Control (operator): `docker-compose.yml`", True),
        ("Control (operator): [deploying](deploy.md)", True),
        ("Not met yet: nobody has done it", False),
        ("Does not apply: there is no such thing", False),
        ("", True),
        (f"`{A_TEST}`", True),
        ("Test: somebody looked", True),
        ("Test: `hwbc/settings.py`", True),
        ("Control: we are careful", True),
        ("Not met yet:", True),
        (f"Test: `{A_TEST}`. Not met yet: all the rest of it", True),
        (f"Test: `{A_TEST}`. Test: `{A_TEST}`", True),
    ],
)
def test_a_row_without_one_answer_is_caught(answer: str, wrong: bool) -> None:
    assert bool(unanswered(f"| 1.1.1 | what is asked there | {answer} |")) is wrong


def test_a_requirement_that_is_missing_or_made_up_is_caught() -> None:
    text = read(SECURITY)
    assert wrong_numbers(text.replace("| 8.2.2 |", "| 8.2.9 |")) == ["8.2.2", "8.2.9"]
    assert wrong_numbers(text.replace("| 8.2.2 |", "| 8.2.1 |")) == ["8.2.2", "8.2.1"]


@pytest.mark.parametrize(
    ("controls", "before", "after", "wrong"),
    [
        (f"`{A_TEST}`", "Major, medium: 3", "Major, low: 3", 0),
        ("we are careful", "Major, medium: 3", "Major, low: 3", 1),
        (f"`{A_TEST}`", "Major, medium: 4", "Major, low: 3", 1),
        (f"`{A_TEST}`", "Awful, medium: 3", "Major, low: 3", 1),
        (f"`{A_TEST}`", "Major, low: 3", "Major, high: 4", 1),
        (f"`{A_TEST}`", "Major, low: 3", "", 1),
    ],
)
def test_a_hazard_without_its_test_or_rating_is_caught(controls: str, before: str, after: str, wrong: int) -> None:
    names = [
        f"| {likelihood} | {' | '.join(map(str, row))} |" for likelihood, row in zip(LIKELIHOODS, _NUMBERS, strict=True)
    ]
    row = f"| H1 | hazard | cause | effect | {controls} | {before} | {after} | remains |"
    assert len(uncontrolled("\n".join([*names, row]))) == wrong


_NUMBERS = ((1, 1, 2, 2, 3), (1, 2, 2, 3, 4), (2, 2, 3, 3, 4), (2, 3, 3, 4, 5), (3, 4, 4, 5, 5))
