from django.apps import AppConfig


class KitConfig(AppConfig):
    name = "hwbc.kit"
    label = "kit"

    def ready(self) -> None:
        from hwbc.kit import checks  # noqa: F401  registers the deployment check
