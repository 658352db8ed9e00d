"""The gate that an allocation made today passes, whoever asks for it (rules, section 4)."""

from collections.abc import Collection
from datetime import date


def referral_ready(coaches: Collection[int], day: date) -> set[int]:
    """Those of the coaches who may take a referral on a day."""
    from hwbc.compliance import answers

    return set(answers.referral_ready(coaches, day))
