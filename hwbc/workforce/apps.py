from django.apps import AppConfig


class WorkforceConfig(AppConfig):
    name = "hwbc.workforce"
    label = "workforce"

    def ready(self) -> None:
        from allauth.account.signals import authentication_step_completed

        from hwbc.workforce import checks  # noqa: F401  registers the system checks
        from hwbc.workforce.sessions import confirm

        authentication_step_completed.connect(confirm.on_another_step)
