from django.apps import AppConfig


class WorkforceConfig(AppConfig):
    name = "hwbc.workforce"
    label = "workforce"

    def ready(self) -> None:
        from hwbc.workforce import checks  # noqa: F401  registers the system checks
