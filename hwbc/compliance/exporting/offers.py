"""What stands below a list: how many rows its file would have, and where to get it. The lists' pages import this."""

from typing import NamedTuple
from urllib.parse import urlencode

from django.urls import reverse

from hwbc.compliance.as_at import AsAt
from hwbc.compliance.forms.lists import ListFilter
from hwbc.kit.exports import XLSX

AT_ONCE = 5_000  # rows: a larger file is made by the worker


class Offer(NamedTuple):
    """The list of a name as files. `query`: what its address asks for; `each`: what a row is, if not a line.

    `beyond`: there are more rows than were counted.
    """

    name: str
    query: str
    rows: int
    each: str = ""
    beyond: bool = False

    @property
    def csv(self) -> str:
        """The address of the CSV file."""
        return f"{reverse(f'{self.name}_export')}?{self.query}"

    @property
    def xlsx(self) -> str:
        """The address of the XLSX file."""
        return f"{self.csv}{'&' if self.query else ''}format={XLSX}"

    @property
    def is_large(self) -> bool:
        """Whether the worker has to be asked for it."""
        return self.rows > AT_ONCE


def offer(name: str, rows: int, as_at: AsAt, form: ListFilter | None = None, *, each: str = "") -> Offer | None:
    """The list of that name as files, with the rows that the page shows; None where no row may be taken away.

    `form`: what the page is narrowed to. Where anything in it is wrong the page is not narrowed, and nor is the file.
    """
    if not rows:
        return None
    chosen = {field: value for field in form.narrows if (value := form.given(field))} if form else {}
    return Offer(name, urlencode({**chosen, **as_at.parameters}), rows, each)
