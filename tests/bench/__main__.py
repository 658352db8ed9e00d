"""`make bench`: every benchmark, one table each."""

import os


def main() -> None:
    """Set the service up as the web server does, then measure."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hwbc.settings")
    os.environ.setdefault("HWBC_LOCAL", "true")
    os.environ["LOG_LEVEL"] = "WARNING"
    os.environ["DATABASE_POOL"] = "2"  # without it every request would open a connection
    import django

    django.setup()
    from tests.bench import compliance, importing, pages

    pages.main()
    compliance.main()
    importing.main()


main()
