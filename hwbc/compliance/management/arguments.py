"""Arguments that several commands take."""

import argparse
from datetime import date, datetime

from hwbc.kit.periods import read_day, read_moment


def day(text: str) -> date:
    """A day, yyyy-mm-dd or dd/mm/yyyy."""
    try:
        return read_day(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def moment(text: str) -> datetime:
    """A moment in ISO form; London time where it names no zone."""
    try:
        return read_moment(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None
