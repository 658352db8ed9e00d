"""The two presets: every number with its source. Guidance, not law: "overdue against the standard", never "breach"."""

from dataclasses import replace

from hwbc.standards.rules import Numbers

WDF = Numbers()
MONTHLY_CLINICAL = replace(WDF, name="Monthly clinical", clinical_months=1, clinical_soon_days=7)
PRESETS = {preset.name: preset for preset in (WDF, MONTHLY_CLINICAL)}

_S2 = "S2 section 6, S4: Workforce Development Framework"
_DECIDED = "decided by this product; no source gives a number"
SOURCES: dict[str, str] = {
    "line_months": f"R-042, {_S2}: monthly meetings",
    "line_soon_days": _DECIDED,
    "line_grace_days": _DECIDED,
    "clinical_months": f"R-043, {_S2}: every two to three months",
    "clinical_soon_days": f"R-043, {_S2}: every two to three months",
    "coaching_minutes": f"R-046, {_S2}: one to two hours a month, as an individual",
    "coaching_minutes_upper": f"R-046, {_S2}: one to two hours a month, as an individual",
    "coaching_days_in_month": _DECIDED,
    "coaching_soon_working_days": _DECIDED,
    "appraisal_months": f"R-042, {_S2}: appraisal per employer; twelve months is usual",
    "appraisal_soon_days": _DECIDED,
    "pause_after_days": _DECIDED,
    "completed_days": "R-006, R-030: four-day training accredited by the Personalised Care Institute (S0, S1, S2, S3)",
    "required_soon_days": _DECIDED,
    "supervisor_tier": "R-049, S2: qualified health coach, minimum Tier 3",
    "supervisor_years": "R-050, S3: significant experience, five years",
    "supervisor_nhs_hours": "R-052, S4: 500 hours of coaching within the NHS",
    "supervisor_caseload_hours": "R-051, R-053, S3, S4: 50 hours of caseload in twelve months",
    "supervisor_evidence_months": "R-053, S4: within the previous twelve months",
}
_OVERRIDES = {
    "Monthly clinical": {
        "clinical_months": "R-045, S0 and the NHSE quick reference: often a monthly review",
        "clinical_soon_days": _DECIDED,
    }
}


def source(preset: str, key: str) -> str:
    """Where a number of a preset comes from."""
    return _OVERRIDES.get(preset, {}).get(key, SOURCES[key])
