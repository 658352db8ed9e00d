"""`make bench`: every benchmark, one table each."""

import os
import sys


def main() -> None:
    """Set the service up as the web server does, then measure."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hwbc.settings")
    os.environ.setdefault("HWBC_LOCAL", "true")
    os.environ["LOG_LEVEL"] = "WARNING"
    os.environ["REQUESTS_A_MINUTE"] = "0"  # a few sessions stand for many people
    os.environ["DATABASE_POOL"] = "2"  # without it every request would open a connection
    import django

    django.setup()
    from tests.bench import compliance, exporting, importing, load, reading, sign_in

    # One of them: `python -m tests.bench load`.
    tables = {
        "load": load,
        "compliance": compliance,
        "importing": importing,
        "exporting": exporting,
        "reading": reading,
        "sign_in": sign_in,
    }
    for name in sys.argv[1:] or tables:
        tables[name].main()


main()
