"""The web server, the same on a laptop and in production; every number from the environment."""

import os

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "gthread"
graceful_timeout = 8  # seconds for a request under way when told to stop; the runner waits for ten
control_socket_disable = True
# A pool as large as the threads, so that none waits for another; in this process alone (Celery's hold one connection).
raw_env = [f"DATABASE_POOL={os.environ.get('DATABASE_POOL', threads)}"]
