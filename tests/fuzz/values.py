"""What somebody sends who wants to break a form: values, and ways to change a form that was filled in well."""

from collections.abc import Callable, Sequence
from random import Random

Text = str | bytes
Pairs = list[tuple[Text, Text]]

NASTY: tuple[Text, ...] = (
    # nothing, or nothing that is seen
    "", " ", "\t", "\u00a0", "\u200b", "\ufeff", "\u2028\u2029", "\x00", "a\x00b", "\x1b[31m", "\x07\x08\x7f", "\x85",
    "a\r\nb\rc\nd", "\r\n\r\nSet-Cookie: a=b",
    # bytes that are no text: no UTF-8, a lone surrogate, an overlong NUL
    b"\xff\xfe", b"abc\x80", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80",
    # text of every kind
    "\u202eevil\u2066", "a\u200db\u200c", "😀" * 50, "👩‍👩‍👧‍👦", "é" * 1_000, "ﷺ" * 200, "İ" * 100, "ß" * 254,
    "ǆ" * 101,
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢", "x" * 101, "x" * 201, "x" * 501, "x" * 5_001,
    # numbers
    "0", "-1", "-0", "+1", "1.5", "1,5", "1e5", "1e309", "NaN", "-NaN", "Infinity", "-Infinity", "1_000", "0x10", "007",
    "9" * 18, "9" * 400, "2147483648", "9223372036854775808", "-9223372036854775809", "0.00000000001", "٣", "１２", "²",
    "½", "Ⅷ",
    # days and moments
    "0000-00-00", "0001-01-01", "1899-12-31", "2200-01-01", "9999-12-31", "10000-01-01", "2026-02-31", "31/02/2026",
    "00/00/0000", "32/13/2026", "2026-W10-1", "2026-03-31T18:00", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00",
    "2026-03-29T01:30", "2026-03-31T18:00+99:99", "2026-03-31T24:00", "24:00", "25:61", "-1:00", "2026-03-31T18:00:00Z",
    # languages of other programs
    "' or 1=1 --", "'; drop table workforce_user; --", "\\'", '"', "$1", "%s%n%d", "%(value)s", "%", "{0.__class__}",
    "{{ 7*7 }}", "{% now 'Y' %}", "{% extends 'a' %}", "${7*7}", "<script>alert(1)</script>", "]]>", "&#0;",
    '"><img src=x onerror=alert(1)>', "../../etc/passwd", "//evil.example/", "https://evil.example/", "/\\evil.example",
    "javascript:alert(1)", "=cmd|' /C calc'!A0", "null", "None", "true", "on", "[]", "{}", '{"a": 1}', "a,b;c\td",
    # addresses
    "a@b", "a@" + "x" * 300 + ".org", '"a b"@example.org', "ä@example.org", "a@exämple.org", "a@[127.0.0.1]",
    "MO.HADDAD@EXAMPLE.ORG", "a@example.org\nbcc: b@example.org", "a@example.org,b@example.org", "@", "a@\x00.org",
)  # fmt: skip
LARGE = 1_000_000  # characters
EXECUTES = (b"<script>alert(1)", b"<img src=x onerror")  # of the values above: never to stand in a page as it is

# Fields that no form shows to set them, and what somebody would like to set.
EXTRAS = (
    "pcn", "pcn_id", "coach", "coach_id", "user", "user_id", "is_active", "is_staff", "is_superuser", "voided_at",
    "voided_by", "voided_because", "recorded_at", "end_recorded_at", "role", "version", "organisation",
    "organisation_id", "imported", "allocated_by", "allocated_by_id", "id", "pk", "uuid", "token", "reference",
    "register", "employer", "approver", "supervisor", "supervisor_id", "patient", "patient_id", "referral",
    "referral_id", "proposed_coach", "made_at", "granted_by", "revoked_at", "starts_on", "ends_on", "kind", "status",
    "name", "email", "password", "outcome", "result", "asked", "file", "file_name", "follows", "progress", "tries",
)  # fmt: skip
PARAMETERS = (
    "as_at", "known_at", "as-at", "known-at", "day", "known", "known-as-of", "sort", "page", "place", "name", "role",
    "show", "group", "rule", "state", "next", "format", "service", "clock", "day_day", "day_month", "day_year", "list",
    "query", "q", "status", "source", "priority", "kind", "from", "to", "coach", "pcn", "period", "user",
)  # fmt: skip


def nasty(rng: Random, others: Sequence[str]) -> Text:
    """One of them: another's identifier one time in four, a large text seldom."""
    if others and rng.random() < 0.25:
        return rng.choice(others)
    chance = rng.random()
    if chance < 0.003:
        return rng.choice(("a", "\u202e", "9", "=\n")) * (LARGE // 2)
    if chance < 0.05:  # several in one
        parts = [rng.choice(NASTY) for _ in range(3)]
        return b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    if chance < 0.09:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 40)))
    return rng.choice(NASTY)


def _instead(rng: Random, pairs: Pairs, others: Sequence[str]) -> None:
    if pairs:
        at = rng.randrange(len(pairs))
        pairs[at] = (pairs[at][0], nasty(rng, others))


def _missing(rng: Random, pairs: Pairs, others: Sequence[str]) -> None:
    if pairs:
        del pairs[rng.randrange(len(pairs))]


def _twice(rng: Random, pairs: Pairs, others: Sequence[str]) -> None:
    if pairs:
        name, value = rng.choice(pairs)
        pairs.insert(rng.randrange(len(pairs) + 1), (name, rng.choice((value, nasty(rng, others)))))


def _swapped(rng: Random, pairs: Pairs, others: Sequence[str]) -> None:
    if len(pairs) > 1:
        one, other = rng.sample(range(len(pairs)), 2)
        pairs[one], pairs[other] = (pairs[one][0], pairs[other][1]), (pairs[other][0], pairs[one][1])


def _renamed(rng: Random, pairs: Pairs, others: Sequence[str]) -> None:
    if pairs:
        at = rng.randrange(len(pairs))
        name = pairs[at][0]
        name = name.decode(errors="replace") if isinstance(name, bytes) else name
        others_of_it = (f"{name}[]", f"{name}__id", f"{name}_id", f"{name}_0", name.upper(), f"{name}\x00")
        pairs[at] = (rng.choice(others_of_it), pairs[at][1])


def _odd_name(rng: Random, pairs: Pairs, others: Sequence[str]) -> None:
    pairs.append((nasty(rng, ()), nasty(rng, others)))


def _cut(rng: Random, pairs: Pairs, others: Sequence[str]) -> None:
    if pairs:
        at = rng.randrange(len(pairs))
        name, value = pairs[at]
        pairs[at] = (name, value[: rng.randrange(len(value) + 1)] or nasty(rng, others))


def _around(rng: Random, pairs: Pairs, others: Sequence[str]) -> None:
    """What was right, with something before or behind it."""
    if pairs:
        at = rng.randrange(len(pairs))
        name, value = pairs[at]
        given, more = (part if isinstance(part, bytes) else part.encode() for part in (value, nasty(rng, others)))
        pairs[at] = (name, given + more if rng.random() < 0.5 else more + given)


_WAYS: tuple[Callable[[Random, Pairs, Sequence[str]], None], ...] = (
    _instead, _instead, _instead, _instead, _missing, _twice, _swapped, _renamed, _odd_name, _cut, _around,
)  # fmt: skip


def changed(rng: Random, pairs: Pairs, others: Sequence[str]) -> Pairs:
    """A form with one to three things wrong with it."""
    after = list(pairs)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(_WAYS)(rng, after, others)
    return after
