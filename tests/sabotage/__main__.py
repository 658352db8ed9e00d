"""`make sabotage`: break access control on purpose, in every way of `sabotages`, and see that a test notices.

Each is done to a copy of the source, in a folder that goes afterwards, with a database server of its own. A test counts
as having noticed when it is green without the sabotage and fails with it by itself: not by an error of the sabotaged
code, nor in its set-up. Arguments are names, or parts of names: `make sabotage ARGS=reach`.
"""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.embedded.helpers import processes_of, wait_until
from tests.sabotage.kinds import Edit, Sabotage
from tests.sabotage.sabotages import SABOTAGES

BASE = Path(__file__).resolve().parent.parent.parent
_LEFT_OUT = (".git", ".venv", "node_modules", "var", ".build", ".mypy_cache", ".ruff_cache", ".pytest_cache")
_LINKED = ("node_modules", ".build")
GREEN = "the test is green all the same"
_PLUGINS = ("no:cacheprovider", "no:hypothesispytest", "tests.sabotage.plugin")
_LONGEST = 300  # seconds, of one test process

# The runner's own control: what breaks nothing has to be called not caught.
HARMLESS = Sabotage(
    "nothing at all",
    "nothing: a docstring has another word",
    (Edit("hwbc/workforce/walls.py", "Who may see and write a table's rows.", "Who sees and writes a table's rows."),),
    "tests/workforce/test_walls.py::test_within_a_scope_the_database_shows_that_scope_and_no_more",
)  # fmt: skip


class Ending(NamedTuple):
    """How the test of a sabotage ended: caught, or why not."""

    caught: bool
    said: str
    seconds: float


class Place:
    """A copy of the source with a database server of its own, in which one test process runs at a time."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.var, self.folder = folder / "tree", folder / "var", folder
        # Only at the top: hwbc/var, if there ever is one, is source.
        shutil.copytree(BASE, self.tree, ignore=lambda at, names: _LEFT_OUT if Path(at) == BASE else ())
        for name in _LINKED:
            if (BASE / name).exists():
                (self.tree / name).symlink_to(BASE / name, target_is_directory=True)
        self.env = {**os.environ, "HWBC_LOCAL": "true", "HWBC_FSYNC": "off", "HWBC_VAR": str(self.var)}
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)  # the next test process starts in half the time

    @contextmanager
    def servers(self) -> Iterator[None]:
        """Keep the servers running between test processes, which then start in seconds."""
        program = (
            "import sys; from pathlib import Path; from hwbc.embedded import servers;"
            "servers.use(Path(sys.argv[1]), database=sys.argv[2] == '1', broker=sys.argv[3] == '1'); sys.stdin.read()"
        )
        wanted = ["0" if self.env.get(name) else "1" for name in ("DATABASE_URL", "REDIS_URL")]
        keeper = subprocess.Popen(
            [sys.executable, "-c", program, str(self.var), *wanted], cwd=self.tree, env=self.env, stdin=subprocess.PIPE
        )
        try:
            yield
        finally:
            keeper.communicate()
            wait_until(lambda: not processes_of(self.var))

    @contextmanager
    def edited(self, edits: Sequence[Edit]) -> Iterator[None]:
        """With the source changed."""
        try:
            for edit in edits:
                edit.make(self.tree)
            yield
        finally:
            for edit in edits:
                shutil.copy2(BASE / edit.path, self.tree / edit.path)

    def run(self, tests: Sequence[str], sabotage: str = "") -> tuple[list[dict[str, Any]], str]:
        """How these tests end, and what pytest says."""
        endings = self.folder / "endings.json"
        endings.unlink(missing_ok=True)
        options = ["-q", "--reuse-db", *(word for name in _PLUGINS for word in ("-p", name))]
        command = [sys.executable, "-m", "pytest", *options, f"--endings={endings}", f"--sabotage={sabotage}", *tests]
        try:
            done = subprocess.run(
                command, cwd=self.tree, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=_LONGEST,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return [], f"it took more than {_LONGEST} seconds"
        return json.loads(endings.read_text()) if endings.exists() else [], done.stdout + done.stderr

    def try_out(self, sabotage: Sabotage) -> Ending:
        """Break it, ask the test."""
        begun = time.monotonic()
        with self.edited(sabotage.edits):
            endings, said = self.run([sabotage.caught_by], sabotage.name if sabotage.statements else "")
        seconds = time.monotonic() - begun
        if not endings:
            return Ending(False, f"no test ran:\n{said}", seconds)
        faults = [end["fault"] for end in endings if end["outcome"] == "failed"]
        if other := [end["fault"] for end in endings if end["outcome"] == "failed" and not end["noticed"]]:
            return Ending(False, f"red for another reason, {', '.join(other)}:\n{said}", seconds)
        return Ending(bool(faults), "" if faults else GREEN, seconds)


def chosen(asked: Sequence[str]) -> list[Sabotage]:
    """Those whose name has one of the words; all without any."""
    return [one for one in SABOTAGES if not asked or any(word in one.name for word in asked)]


def spread(work: Sequence[Sabotage], places: Sequence[Place], tell: Callable[[Sabotage, Ending], None]) -> None:
    """Try all out, one at a time in each place."""
    free: queue.SimpleQueue[Place] = queue.SimpleQueue()
    for place in places:
        free.put(place)

    def somewhere(one: Sabotage) -> None:
        place = free.get()
        try:
            tell(one, place.try_out(one))
        finally:
            free.put(place)

    together([partial(somewhere, one) for one in work], len(places))


def together(work: Sequence[Callable[[], None]], at_once: int) -> None:
    """Do these, so many at once. What one of them raises is raised, and so is Ctrl-C: the others are not begun then."""
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for done in [threads.submit(each) for each in work]:
                done.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def green(work: Sequence[Sabotage], places: Sequence[Place]) -> list[str]:
    """The first control: without any sabotage every test is green. What is not, in words."""
    tests = list(dict.fromkeys(one.caught_by for one in work))
    faults: list[str] = []

    def at(place: Place, some: list[str]) -> None:
        endings, said = place.run(some)
        passed = {end["test"] for end in endings if end["outcome"] == "passed"}
        bad = [end["test"] for end in endings if end["outcome"] != "passed"]
        missing = [test for test in some if not any(one == test or one.startswith(f"{test}[") for one in passed)]
        if bad or missing:
            faults.append(f"Not green without any sabotage: {', '.join({*bad, *missing})}\n{said}")

    shares = [tests[n :: len(places)] for n in range(len(places))]
    together([partial(at, place, some) for place, some in zip(places, shares, strict=True) if some], len(places))
    return faults


def main(asked: Sequence[str]) -> int:
    """Print the table; answers 0 if everything was caught."""
    work = chosen(asked)
    if not work:
        print(f"No sabotage has any of these words in its name: {', '.join(asked)}")
        return 1
    if faults := [f"{one.name}: {fault}" for one in work for edit in one.edits if (fault := edit.fault(BASE))]:
        print("What is to be broken has changed. Correct tests/sabotage/sabotages.py:", *faults, sep="\n  ")
        return 1
    begun = time.monotonic()
    table = Table(work)
    # On a server that others made, the test database has one name for all.
    count = 1 if os.environ.get("DATABASE_URL") else 2
    with ExitStack() as stack:
        places = []
        for _ in range(count):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hwbc-")))
            folder.chmod(0o755)  # PostgreSQL does not run as root
            places.append(Place(folder))
            stack.enter_context(places[-1].servers())
        if faults := green([*work, HARMLESS], places):
            print(*faults, sep="\n")
            return 1
        control = places[0].try_out(HARMLESS)
        if control.said != GREEN:
            print(f"The control failed: what breaks nothing turned a test red, or none ran. {control.said}")
            return 1
        table.head()
        spread(work, places, table.row)
    for name, ending in table.endings.items():
        if not ending.caught:
            print(f"\nNOT CAUGHT: {name}: {ending.said}")
    caught = sum(ending.caught for ending in table.endings.values())
    print(f"\n{caught} of {len(work)} caught, in {time.monotonic() - begun:.0f} seconds")
    return 0 if caught == len(work) else 1


class Table:
    """sabotage · caught by · seconds: a row as soon as one has ended."""

    def __init__(self, work: Sequence[Sabotage]) -> None:
        self.endings: dict[str, Ending] = {}
        self._name = max(len(one.name) for one in work)
        self._test = max(len(self._by(one)) for one in work)

    @staticmethod
    def _by(one: Sabotage) -> str:
        return one.caught_by.removeprefix("tests/")

    def head(self) -> None:
        """The headings."""
        print(f"{'sabotage':{self._name}}  {'caught by':{self._test}}  seconds", flush=True)

    def row(self, one: Sabotage, ending: Ending) -> None:
        """How one of them ended."""
        self.endings[one.name] = ending
        by = self._by(one) if ending.caught else "NOT CAUGHT"
        print(f"{one.name:{self._name}}  {by:{self._test}}  {ending.seconds:7.1f}", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # also then, nothing is left behind
    sys.exit(main(sys.argv[1:]))
