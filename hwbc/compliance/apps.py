from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    name = "hwbc.compliance"
    label = "compliance"
