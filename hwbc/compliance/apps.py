from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    name = "hwbc.compliance"
    label = "compliance"

    def ready(self) -> None:
        """Rows of lists show states."""
        from hwbc.compliance.templatetags.compliance import state
        from hwbc.kit import rows

        rows.offer(state=state)
