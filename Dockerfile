# The service without its embedded servers: web, worker, beat and migrations are one image with four commands
# (docker-compose.yml). Built in two stages, so that compilers and Node.js stay behind.

FROM python:3.13-slim AS build
WORKDIR /service
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/base.txt requirements/node.txt requirements/
RUN python -m venv .venv \
    && .venv/bin/pip install --require-hashes --requirement requirements/base.txt \
    && python -m venv /node \
    && /node/bin/pip install --require-hashes --requirement requirements/node.txt
COPY package.json package-lock.json .npmrc ./
RUN /node/bin/npm ci --ignore-scripts
COPY manage.py ./
COPY hwbc hwbc
COPY coaching coaching
COPY supervision supervision
COPY training training
COPY templates templates
COPY static static
# Compiling and collecting ask neither the database nor a secret.
RUN PATH="/node/bin:$PATH" .venv/bin/python -m hwbc.kit.assets \
    && HWBC_LOCAL=true HWBC_VAR=/tmp/var .venv/bin/python manage.py collectstatic --noinput --clear --ignore '*.scss'

FROM python:3.13-slim
WORKDIR /service
# For `manage.py backup` and `restore`: pg_dump and pg_restore, which must not be older than the database of
# docker-compose.yml. Debian's own are; PostgreSQL's archive has them, and its key comes with Debian's postgresql-common.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates postgresql-common \
    && sh /usr/share/postgresql-common/pgdg/apt.*.sh -y \
    && apt-get install --yes --no-install-recommends postgresql-client-18 \
    && apt-get purge --yes --auto-remove postgresql-common ssl-cert \
    && rm -rf /var/lib/apt/lists/* \
    && /usr/lib/postgresql/18/bin/pg_restore --version
RUN useradd --system --uid 10001 --home-dir /service --shell /usr/sbin/nologin service \
    && install --directory --owner 10001 --mode 0700 /files
ENV PATH="/service/.venv/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=hwbc.settings HWBC_LOCAL=false BIND=0.0.0.0:8000
COPY --from=build /service/.venv .venv
COPY --from=build /service/.build/static .build/static
COPY --from=build /service/.build/common-passwords.txt .build/
COPY manage.py gunicorn.conf.py ./
COPY hwbc hwbc
COPY coaching coaching
COPY supervision supervision
COPY training training
COPY templates templates
COPY static static
USER service
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
CMD ["gunicorn", "--no-control-socket", "hwbc.wsgi"]
