from django.apps import AppConfig


class StandardsConfig(AppConfig):
    name = "hwbc.standards"
    label = "standards"
