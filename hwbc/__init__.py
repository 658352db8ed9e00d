"""Health and wellbeing coaches: the service."""
