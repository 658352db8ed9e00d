"""The error of this package."""

from pathlib import Path


class Trouble(Exception):
    """One sentence for the person at the keyboard: what is wrong and what to do. `manage.py` prints it and ends."""


def cannot_write(error: OSError, var: Path) -> Trouble:
    """What to say of a state folder that is somebody else's, read-only or full."""
    return Trouble(
        f"{error.filename or var} cannot be written ({error.strerror}): run this as the folder's owner, "
        "or set HWBC_VAR to a folder of yours."
    )
