"""What a sabotage is, and how it is done: text of the source is replaced, or the built database is changed."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """Text of a file that is replaced. It has to stand there exactly once."""

    path: str
    old: str
    new: str

    def fault(self, tree: Path) -> str:
        """Why it cannot be made in this tree; "" where it can."""
        file = tree / self.path
        if not file.is_file():
            return f"there is no {self.path}"
        found = file.read_text().count(self.old)
        return "" if found == 1 else f"{self.path} has this text {found} times and not once: {self.old!r}"

    def make(self, tree: Path) -> None:
        """Replace the text."""
        file = tree / self.path
        file.write_text(file.read_text().replace(self.old, self.new))


@dataclass(frozen=True)
class Sql:
    """A statement, after the walls are built and the cast is made: by the database's owner or a superuser."""

    statement: str
    undo: str = ""  # for what belongs to the cluster; the tables' walls are built anew by the next test process
    superuser: bool = False


@dataclass(frozen=True)
class Sabotage:
    """One way to break access control on purpose, and the test that has to notice."""

    name: str
    breaks: str
    how: tuple[Edit | Sql, ...]
    caught_by: str  # the node id of the test

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What is changed in the source."""
        return tuple(step for step in self.how if isinstance(step, Edit))

    @property
    def statements(self) -> tuple[Sql, ...]:
        """What is changed in the database."""
        return tuple(step for step in self.how if isinstance(step, Sql))
