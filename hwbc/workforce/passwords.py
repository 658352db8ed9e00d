"""Passwords that somebody who knows this service would try first."""

import re
from typing import Any

from django.core.exceptions import ValidationError

# Longest first, so that "coaching" is not left as "ing".
OWN_WORDS = sorted(
    (
        *("health", "healthy", "wellbeing", "well", "being", "coach", "coaches", "coaching", "hwbc", "supervision"),
        *(
            "supervisor",
            "training",
            "hub",
            "primary",
            "care",
            "network",
            "pcn",
            "nhs",
            "england",
            "referral",
            "patient",
        ),
        *("practice", "surgery", "password", "passwort", "welcome", "letmein", "login", "admin", "manager", "secret"),
        *("spring", "summer", "autumn", "winter", "monday", "qwerty", "and"),
    ),
    key=len,
    reverse=True,
)
_OWN = re.compile("|".join(OWN_WORDS))
LEFT = 5  # letters that have to be left


class OwnWords:
    """Refuses what is made of this service's own words, seasons and numbers: "HealthCoach2026!"."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError where too few letters are left without those words."""
        letters = re.sub(r"[\W\d_]", "", password.lower())
        if len(_OWN.sub("", letters)) < LEFT:
            raise ValidationError(self.get_help_text(), code="password_own_words")

    def get_help_text(self) -> str:
        """What is wrong with it, and what to do."""
        return "This is easy to guess for whoever knows the service. Choose words that have nothing to do with it."
