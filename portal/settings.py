"""All settings, in headed sections, read from the environment.

Every variable read here stands in the README's configuration table; a test holds the two together.
A variable without a default is required: its absence stops the start with the variable's name.
"""

import logging
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent


def required(name: str) -> str:
    """Value of a variable that has no default. Raises ImproperlyConfigured that names it."""
    value: str = env.str(name, default="")
    if not value:
        message = f"Set {name}: README.md, section 'Configuration', says what it holds. `python3 manage.py demo` sets it by itself."
        raise ImproperlyConfigured(message)
    return value


# --- Where the portal is ---------------------------------------------------------------------------------------------

PORTAL_URL = required("PORTAL_URL").rstrip("/")
# Clouds reach the issuer under its own name; it may differ from the one people use.
ISSUER_URL = env.str("PORTAL_ISSUER_URL", default=PORTAL_URL).rstrip("/")
# Agents in the cells dial this one.
AGENT_URL = env.str("PORTAL_AGENT_URL", default=PORTAL_URL).rstrip("/")
ALLOWED_HOSTS = [urlsplit(url).hostname or "" for url in (PORTAL_URL, ISSUER_URL, AGENT_URL)] + env.list("PORTAL_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

# --- Secrets ---------------------------------------------------------------------------------------------------------

SECRET_KEY = required("PORTAL_SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("PORTAL_SECRET_KEY_FALLBACKS", default=[])
# Fernet keys that seal the issuer's private keys at rest; the first seals, all open.
SEAL_KEYS = required("PORTAL_SEAL_KEYS").split(",")

# --- Applications ----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "portal.apps.PortalAdminConfig",
    "accounts.apps.AccountsConfig",
    "accounts.support.apps.SupportConfig",
    "accounts.offboarding.apps.OffboardingConfig",
    "accounts.closing.apps.ClosingConfig",
    "cells.apps.CellsConfig",
    "portal.operations.apps.OperationsConfig",
    "portal.audit.apps.AuditConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",  # its widget templates, for a renderer that also sees ours
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "django_structlog",
    "lucide",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.middleware.HeadersMiddleware",
    "portal.middleware.RequestLogMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.HtmxSignInMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.sign_in.SessionActivityMiddleware",
    "portal.middleware.TimeZoneMiddleware",
    "accounts.support.brokering.viewing.ViewingMiddleware",
    "portal.audit.middleware.ActivityMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.template.context_processors.tz",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context_processors.portal",
            ],
            "builtins": ["portal.templatetags.components"],
        },
    },
]
FORM_RENDERER = "portal.forms.PortalRenderer"

# --- Data ------------------------------------------------------------------------------------------------------------

DATABASES = {"default": env.db_url_config(required("DATABASE_URL"))}
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
DATABASES["default"].setdefault("OPTIONS", {})
# A connection that died with a restarted server is replaced before a request gets it, not after it failed.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if env.bool("PORTAL_DATABASE_POOL", default=True):
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": env.int("PORTAL_DATABASE_POOL_SIZE", default=8), "timeout": 10}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": env.cache_url_config(required("CACHE_URL"))}

# --- Background work -------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = required("BROKER_URL")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 270
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

# --- People ----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.sessions.PersonBackend"]
SESSION_ENGINE = "accounts.sessions"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_PATH = "/auth/login/"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.sign_in.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.people.SignupForm"
ACCOUNT_FORMS = {
    "login": "accounts.forms.sign_in.LoginForm",
    "signup": "accounts.forms.sign_in.SignupForm",
    "add_email": "accounts.forms.sign_in.AddEmailForm",
    "change_password": "accounts.forms.sign_in.ChangePasswordForm",
    "set_password": "accounts.forms.sign_in.SetPasswordForm",
    "reset_password": "accounts.forms.sign_in.ResetPasswordForm",
    "reset_password_from_key": "accounts.forms.sign_in.ResetPasswordKeyForm",
    "reauthenticate": "accounts.forms.sign_in.ReauthenticateForm",
}
MFA_FORMS = {
    "authenticate": "accounts.forms.sign_in.AuthenticateForm",
    "reauthenticate": "accounts.forms.sign_in.MfaReauthenticateForm",
    "activate_totp": "accounts.forms.sign_in.ActivateTotpForm",
    "add_webauthn": "accounts.forms.sign_in.AddKeyForm",
    "edit_webauthn": "accounts.forms.sign_in.EditKeyForm",
    "login_webauthn": "accounts.forms.sign_in.LoginByKeyForm",
    "authenticate_webauthn": "accounts.forms.sign_in.AuthenticateByKeyForm",
    "reauthenticate_webauthn": "accounts.forms.sign_in.ReauthenticateByKeyForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = False
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = "strict"
# `key` is the e-mail address together with the machine's (accounts.sign_in), in the last line the e-mail address alone.
ACCOUNT_RATE_LIMITS = {
    "login_failed": "10/m/ip,5/5m/key,30/d/key",
    "login_failed_anywhere": "100/h/key",
}
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # only in the browser that signed up
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_CHANGE_EMAIL = True  # one address a person; a new one replaces it once confirmed
MFA_ADAPTER = "accounts.sign_in.MfaAdapter"
# Nobody is signed in with an unconfirmed address; without this, people with a second factor could not change theirs.
MFA_ALLOW_UNVERIFIED_EMAIL = True
USERSESSIONS_ADAPTER = "accounts.sign_in.SessionsAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = urlsplit(PORTAL_URL).hostname == "localhost"
USERSESSIONS_TRACK_ACTIVITY = True
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())

# --- Mail ------------------------------------------------------------------------------------------------------------

vars().update(env.email_url_config(required("EMAIL_URL")))
EMAIL_TIMEOUT = 10  # seconds for each answer of the mail server; without it one that hangs would keep a worker for ever
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("PORTAL_MAIL_FROM", default=f"no-reply@{urlsplit(PORTAL_URL).hostname}")

# --- The provider: name and look (UX section d, brand contract) -----------------------------------------------------

PROVIDER_NAME = MFA_TOTP_ISSUER = env.str("PORTAL_PROVIDER_NAME", default="Your provider")
PROVIDER_SUPPORT_EMAIL = env.str("PORTAL_SUPPORT_EMAIL", default=DEFAULT_FROM_EMAIL)
BRAND_ACCENT = env.str("PORTAL_BRAND_ACCENT", default="")

# --- Trust: the issuer and the kits ----------------------------------------------------------------------------------

KITS_BUCKET = env.str("PORTAL_KITS_BUCKET", default="")
KITS_REGION = env.str("PORTAL_KITS_REGION", default="us-east-1")
# The clouds' own consoles, where links of the run page lead; empty means the cloud's public one.
CONSOLE_URLS = {
    "aws": env.str("PORTAL_AWS_CONSOLE_URL", default="").rstrip("/"),
    "gcp": env.str("PORTAL_GCP_CONSOLE_URL", default="").rstrip("/"),
    "azure": env.str("PORTAL_AZURE_CONSOLE_URL", default="").rstrip("/"),
}
# Where kit files are downloaded from; empty means the bucket's own public address.
KITS_URL = env.str("PORTAL_KITS_URL", default="").rstrip("/")

# A connected account's trust is looked at this often, and a second time before anybody is told that it is lost.
TRUST_LOOK_EVERY = timedelta(minutes=env.float("PORTAL_TRUST_LOOK_MINUTES", default=60))
TRUST_CONFIRM_AFTER = timedelta(minutes=env.float("PORTAL_TRUST_CONFIRM_MINUTES", default=5))

# A kit that a newer one has followed is supported for this long.
KIT_SUPPORT = timedelta(days=env.int("PORTAL_KIT_SUPPORT_DAYS", default=180))

# --- The end of an organisation ---------------------------------------------------------------------------------------

# Days after which the oldest backup of the database is gone: customers read it with what is deleted after a closing.
BACKUP_DAYS = env.int("PORTAL_BACKUP_DAYS", default=35)

# --- Cells and their agents ------------------------------------------------------------------------------------------

# Of each web process: agents that wait in line for news, and reports that are being stored. More are told to come again.
AGENT_HELD_LINES = env.int("PORTAL_AGENT_HELD_LINES", default=2)
AGENT_STORING = env.int("PORTAL_AGENT_STORING", default=4)
# Of one batching process beside Django: requests that wait for their COMMIT. It is some two seconds of work.
AGENT_WAITING = env.int("PORTAL_AGENT_WAITING", default=5000)
# Days that figures of cells and instances are kept; changes of health are kept for longer (cells.telemetry.changes).
HISTORY_DAYS = env.int("PORTAL_HISTORY_DAYS", default=14)
# From where agents take charts, by the beginnings of addresses; empty: from any that is encrypted. Cells learn it when they are ordered.
AGENT_CHARTS = env.list("PORTAL_AGENT_CHARTS", default=[])
# What the agent installs in every cell before any instance: [{"name", "chart", "chart_version", "digest"}].
PLATFORM_COMPONENTS = env.json("PORTAL_PLATFORM_COMPONENTS", default=[])

# --- Language and time -----------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

# --- Static files ----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = env.path("PORTAL_STATIC_ROOT", default=BASE_DIR / "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {"staticfiles": {"BACKEND": env.str("PORTAL_STATIC_STORAGE", default="whitenoise.storage.CompressedManifestStaticFilesStorage")}}

# --- Security --------------------------------------------------------------------------------------------------------

DEBUG = False
IS_HTTPS = PORTAL_URL.startswith("https://")
SECURE_SSL_REDIRECT = IS_HTTPS
# True: a reverse proxy of ours sets X-Forwarded-Proto and appends the client to X-Forwarded-For; both are believed only then.
BEHIND_PROXY = env.bool("PORTAL_BEHIND_PROXY", default=False)
ALLAUTH_TRUSTED_PROXY_COUNT = int(BEHIND_PROXY)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "portal.views.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    },
}

# --- Logs ------------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.str("PORTAL_LOG_LEVEL", default="INFO")
# One line a request, when it has ended; PORTAL_LOG_LEVEL=DEBUG shows when it began too.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
LOGGING_CONFIG = "portal.logs.configure"
LOGGING = LOG_LEVEL
