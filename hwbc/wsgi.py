"""What the web server runs. It refuses to start with a database login that no wall holds for."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hwbc.settings")
application = get_wsgi_application()

import hwbc.celery  # noqa: E402, F401  tasks are sent by this app
from hwbc.workforce import walls  # noqa: E402  models can be imported only now

walls.refuse()
