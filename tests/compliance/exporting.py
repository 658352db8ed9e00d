"""Lists as files: filled, opened again, and held against their pages."""

import csv
import re
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO, StringIO
from typing import Any
from urllib.parse import urlencode

from openpyxl import Workbook, load_workbook

from hwbc.compliance.catalogue import STATES
from hwbc.compliance.checks import run_checks
from hwbc.compliance.sentences import written
from hwbc.kit.exports import harmless
from hwbc.kit.periods import today
from hwbc.standards import actions as standards
from hwbc.standards.models import Flag
from hwbc.workforce import walls
from hwbc.workforce.models import AuditEvent, Coach
from tests import facts
from tests.cast import SETUP, Cast, Person
from tests.coaching.work import do
from tests.compliance.test_lists import COLUMNS, SEVERITY, pcns
from tests.kit.html import parse_page, text, with_class
from tests.pages import more_cases, more_coaches, more_overrides

LISTS = {  # a list's page, and where its file is
    "coaches": "/coaches",
    "flags": "/flags",
    "overview": "/pcns",
    "referrals": "/referrals",
    "overrides": "/overrides",
    "caseload": "/caseload",
}


# --- Opening what was saved -------------------------------------------------------------------------------------------


@dataclass
class File:
    """A saved file: its name, its rows by heading, and of a workbook what its first sheet says."""

    name: str
    rows: list[dict[str, Any]]
    book: Workbook | None = None

    def said(self, part: str) -> dict[str, Any]:
        """What a part of the read-me says."""
        assert self.book is not None
        found: dict[str, dict[str, Any]] = {}
        for cells in self.book["Read me"].iter_rows(values_only=True):
            row: list[Any] = [cell for cell in cells if cell is not None]
            if len(row) == 1:
                found[row[0]] = {}
                heading = row[0]
            elif row:
                found[heading][row[0]] = row[1]
        return found[part]


def address(name: str, form: str = "csv", /, **asked: str) -> str:
    """Where a list's file is."""
    return f"{LISTS[name]}/export?{urlencode({**asked, 'format': form})}"


def opened(name: str, content: bytes) -> File:
    """A file as somebody opens it: days as days, and no cell that is a formula."""
    if name.endswith(".csv"):
        return File(name, list(csv.DictReader(StringIO(content.decode("utf-8-sig"), newline=""))))
    book = load_workbook(BytesIO(content))
    assert book.sheetnames[0] == "Read me"
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}
    header, *rows = book.worksheets[1].iter_rows(values_only=True)
    return File(name, [dict(zip(map(str, header), map(_day, row), strict=True)) for row in rows], book)


def _day(value: Any) -> Any:
    return value.date() if isinstance(value, datetime) else value


def saved(who: Person, name: str, form: str = "csv", /, **asked: str) -> File:
    """What somebody saves of a list."""
    response = who.client.get(address(name, form, **asked))
    assert response.status_code == 200, name
    [called] = re.findall('filename="(.*)"', response.headers["Content-Disposition"])
    return opened(called, response.getvalue())


def as_csv(value: Any) -> str:
    """What stands in a CSV file for a cell of a workbook."""
    return "" if value is None else str(harmless(value))


def both(who: Person, name: str, /, **asked: str) -> list[dict[str, Any]]:
    """The rows of the workbook, after the CSV file has said the same."""
    plain, book = saved(who, name, **asked), saved(who, name, "xlsx", **asked)
    assert plain.rows == [{label: as_csv(value) for label, value in row.items()} for row in book.rows]
    assert book.said("About this file")["Rows"] == len(book.rows)
    return book.rows


# --- Reading the page -------------------------------------------------------------------------------------------------


def shown(who: Person, name: str, /, **asked: str) -> list[dict[str, str]]:
    """The rows of a page, of all its pages: what stands under each narrow heading; the first cell's is "Who"."""
    rows: list[dict[str, str]] = []
    count = 1
    while len(rows) < count:
        page = str(len(rows) // 25 + 1)
        response = who.client.get(f"{LISTS[name]}?{urlencode({**asked, 'page': page})}")
        assert response.status_code == 200
        root = parse_page(response.content.decode())
        caption = root.find(".//caption")
        count = int(re.sub(r"\D.*", "", text(caption).replace(",", ""))) if caption is not None else 0
        rows += [_cells(row) for row in root.iterfind(".//tbody/tr")] if count else []
    return rows


def _cells(row: Any) -> dict[str, str]:
    found = {}
    for cell in row:
        label = with_class(cell, "nhsuk-table-responsive__heading")
        heading = text(label[0]) if label else "PCN" if cell.tag == "td" else "Who"
        found[heading] = text(cell).removeprefix(heading if label else "").strip()
    return found


def worst(answers: list[tuple[str, str]], codes: list[str]) -> str:
    """The state in words of those of a coach's answers that stand in one column."""
    found = [
        state
        for rule, state in answers
        if any(rule == code or (code[-1] in ".:" and rule.startswith(code)) for code in codes)
    ]
    return min(found, key=SEVERITY.index, default="Does not apply")


def same(cell: str, *pieces: str) -> bool:
    """Whether a cell says just that: lines of a cell are read without what parts them."""
    return cell.replace(" ", "") == "".join(pieces).replace(" ", "")


def compare_coaches(who: Person, **asked: str) -> int:
    """Each state that the page shows is the worst of the file's in that column, for the same coaches."""
    rows, file = shown(who, "coaches", **asked), both(who, "coaches", **asked)
    answers: dict[str, list[tuple[str, str]]] = {}
    for line in file:
        assert STATES[line["State"]][0] == line["State in words"]
        answers.setdefault(line["Name"], []).append((line["Rule code"], line["State in words"]))
    assert set(answers) == {row["Who"] for row in rows}
    for row in rows:
        theirs = [line for line in file if line["Name"] == row["Who"]]
        if "PCN" in row:
            assert {line["PCN"] for line in theirs} == {row["PCN"].replace(", ", "; ")}
        if "State" in row:  # narrowed to one rule
            state = min((line["State in words"] for line in theirs), key=SEVERITY.index)
            assert row["State"] == state
            said = [line for line in theirs if line["State in words"] == state]
            assert all(line["Reason"] in row["Why"] for line in said)
            due = min((line["Due on"] for line in said if line["Due on"]), default=None)
            assert row["Due"] == (written(due) if due else "No due date")
        else:
            for label, codes in COLUMNS.items():
                expected = worst(answers[row["Who"]], codes)
                assert row[label] == expected or row[label].startswith(f"{expected} "), (row, label)
    return len(file)


def compare_flags(who: Person, **asked: str) -> int:
    """Line by line: coach, rule and state, why and what turns it green, flagged and acknowledged."""
    rows, file = shown(who, "flags", **asked), both(who, "flags", **asked)
    assert len(rows) == len(file)
    for row, line in zip(rows, file, strict=True):
        assert same(row["Coach"], line["Name"], line["PCN"].replace("; ", ", "))
        assert same(row["What"], line["Rule title"], line["State in words"])
        assert row["Why"].startswith(f"{line['Why']} {line['What turns it green']}".strip())
        if line["Acknowledged on"]:
            said = f"Acknowledged by {line['Acknowledged by']} on {written(line['Acknowledged on'])}."
            assert row["Flag"].startswith(said)
        elif line["Flagged on"]:
            assert row["Flag"].startswith(f"Flagged on {written(line['Flagged on'])}.")
        else:
            assert not row["Flag"].startswith(("Flagged", "Acknowledged"))
    return len(file)


def compare_pcns(who: Person, **asked: str) -> int:
    """Each share of the page is the file's; over one rule, each state's count."""
    page, file = pcns(who, **asked), both(who, "overview", **asked)
    names = [name for name in page.order if not name.startswith("All ")]
    titles = list(dict.fromkeys(line["Rule title"] for line in file))
    assert [(line["PCN"], line["Rule title"]) for line in file] == [(name, rule) for name in names for rule in titles]
    labels = [text(th) for th in page.root.findall(".//thead//th")][3:]
    for line in file:
        row = page.rows[line["PCN"]]
        assert str(line["Coaches"]) == row["Coaches"]
        assert str(line["Waiting referrals"]) == row["Waiting referrals"]
        cell = row[labels[titles.index(line["Rule title"])]]
        share = f"{line['On track']} of {line['Asked']}"
        assert cell == share or cell.startswith(f"{share} {line['Percent']}%"), (cell, line)
        assert (line["Percent"] is None) == (line["Asked"] == 0)
        assert sum(line[words] for words in SEVERITY) == line["Coaches"]
        if len(titles) == 1:
            assert {words: str(line[words]) for words in SEVERITY} == {words: row[words] for words in SEVERITY}
    return len(file)


def compare_referrals(who: Person, **asked: str) -> int:
    """Line by line, everything but what can be done."""
    rows, file = shown(who, "referrals", **asked), both(who, "referrals", **asked)
    assert len(rows) == len(file)
    for row, line in zip(rows, file, strict=True):
        ended = line["Post ended on"]
        left = f"Was with {line['Was with']}, whose post ended on {written(ended)}" if ended else ""
        back = "Handed back" if line["Handed back"] == "Yes" and not left else ""
        assert same(row["Referral"], line["Referral"], left or back)
        assert row["Priority"] == line["Priority"]
        assert row["Received"] == written(line["Received on"])
        assert row["Waiting"] == f"{line['Days waiting']} day{'' if line['Days waiting'] == 1 else 's'}"
        assert same(row["From"], line["From"], line["Practice"])
        assert row["Proposed"] == line["Proposed coach"]
        assert row.get("PCN", line["PCN"]) == line["PCN"]
    return len(file)


def compare_overrides(who: Person, **asked: str) -> int:
    """Line by line, with the referrals that were taken."""
    rows, file = shown(who, "overrides", **asked), both(who, "overrides", **asked)
    assert len(rows) == len(file)
    for row, line in zip(rows, file, strict=True):
        trained = f"Trained on {written(line['Trained on'])}" if line["Trained on"] else ""
        assert same(row["Coach"], line["Coach"], trained)
        assert (row["State"], row["From"], row["To"]) == (line["State"], *map(written, (line["From"], line["To"])))
        assert (row["Reason"], row["Approved"]) == (line["Reason"], line["Approved by"])
        assert same(row["Taken"], (line["Which referrals"] or "None").replace("; ", ""))
        assert line["Referrals taken"] == len([each for each in (line["Which referrals"] or "").split("; ") if each])
    return len(file)


def compare_caseload(who: Person, **asked: str) -> int:
    """Line by line, with the last contact and the next step."""
    rows, file = shown(who, "caseload", **asked), both(who, "caseload", **asked)
    assert len(rows) == len(file)
    for row, line in zip(rows, file, strict=True):
        assert (row["Referral"], row["Priority"]) == (line["Referral"], line["Priority"])
        assert (row["Accepted"], row["Attended"]) == (written(line["Accepted on"]), str(line["Attended sessions"]))
        assert row["Next step"] == line["Next step"]
        last, ago = line["Last contact"], line["Days since"]
        on = "Today" if not asked.get("as-at") else "On this day"
        since = f"{ago} day{'s' if ago != 1 else ''} ago" if ago else on
        assert same(row["Contact"], *((written(last), since) if isinstance(last, date) else (last,)))
    return len(file)


# --- Something to list, and what is said of it ------------------------------------------------------------------------


def fill(cast: Cast) -> Cast:
    """Coaches in every state at two PCNs, flagged and acknowledged; cases, referrals that wait, overrides."""
    more_coaches(cast, 6)
    facts.everything(cast, 2, 1, "U99992")
    with walls.lifted("tests"):
        for coach in Coach.objects.filter(reference__startswith="U99992"):  # the same names as at Riverside
            coach.name = coach.name.replace("Invented", "Hill")
            coach.save()
    run_checks(SETUP, today())
    more_cases(cast, 3)
    more_overrides(cast, 2)
    with walls.lifted("tests"):
        flag = Flag.objects.filter(coach__name="Bo Lindqvist").earliest("pk")
    do(cast.mo, standards.acknowledge, flag=flag, note="Course booked for May")
    return cast


def offered(who: Person, name: str, /, **asked: str) -> tuple[str, dict[str, str]]:
    """What stands under "Export", and where its links lead."""
    page = parse_page(who.client.get(f"{LISTS[name]}?{urlencode(asked)}").content.decode())
    [part] = with_class(page, "hwbc-export")
    return text(part), {text(link): link.get("href", "") for link in part.iter("a")}


def events(what: str = "export.") -> list[AuditEvent]:
    """What the audit says of exports."""
    with walls.lifted("tests"):
        return list(AuditEvent.objects.filter(what__startswith=what).order_by("at", "pk"))
