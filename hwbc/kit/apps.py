from django.apps import AppConfig


class KitConfig(AppConfig):
    name = "hwbc.kit"
    label = "kit"
