"""Django settings of the product as it runs by itself (`byline serve`); a host project has its own.

Promises: everything comes from the environment or from `$BYLINE_HOME`; importing this file starts
nothing, writes nothing and needs neither a database nor torch. `BYLINE = {...}` is documented in
audit/base/conf.py; any of its names can be set as `BYLINE_<NAME>`.
"""

import os
import secrets
from pathlib import Path

from byline.audit.base.conf import DEFAULTS
from byline.platform import environment, plugin
from byline.platform.database import broker, location

BASE_DIR = Path(__file__).resolve().parent.parent

BYLINE = environment.overrides()
HOME = Path(BYLINE.get("HOME", DEFAULTS["HOME"]))
PUBLIC_BASE_URL = BYLINE.get("PUBLIC_BASE_URL", DEFAULTS["PUBLIC_BASE_URL"])

# A site addressed as localhost is one person's own: keys of our development authorities are good
# enough for it. Give the public address and DEBUG is off; checks.py then asks for real keys.
DEBUG = environment.flag("DEBUG", default=environment.is_loopback(PUBLIC_BASE_URL))

_secret_file = HOME / "keys" / "django_secret.txt"
# Made with the other keys. Before that a process gets a passing one: nothing can be signed in yet.
SECRET_KEY = (
    os.environ.get("SECRET_KEY")
    or (_secret_file.read_text().strip() if _secret_file.is_file() else "")
    or secrets.token_urlsafe(48)
)
ALLOWED_HOSTS = [
    name for name in os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",") if name
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL] if PUBLIC_BASE_URL.startswith("https://") else []

_CMS = "byline.platform.cms" in plugin.APPS
INSTALLED_APPS = [
    *plugin.APPS,
    *(
        [
            "wagtail.contrib.settings",
            "wagtail.embeds",
            "wagtail.sites",
            "wagtail.users",
            "wagtail.snippets",
            "wagtail.documents",
            "wagtail.images",
            "wagtail.search",
            "wagtail.admin",
            "wagtail",
            "modelcluster",
            "taggit",
            "django_filters",
        ]
        if _CMS
        else []
    ),
    "django.contrib.admin",  # reviewers: reports from the public, takedowns, tokens
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    # Before staticfiles: the development server then serves as the real one does.
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "byline.platform.site_urls"
WSGI_APPLICATION = "byline.platform.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # In a checkout the templates stand at the root; in the wheel they are platform/templates.
        "DIRS": [BASE_DIR / "templates"] if (BASE_DIR / "templates").is_dir() else [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Which role this process has; `database.roles.acting_as` changes it for a while.
DATABASE_ROLES = location.role_settings(HOME)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 60,
        **DATABASE_ROLES[os.environ.get("BYLINE_DB_ROLE") or "app"],
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis in production; without it the queues are tables of the same database.
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL") or broker.URL
CELERY_BROKER_TRANSPORT_OPTIONS = (
    broker.transport_options(DATABASE_ROLES["app"])
    if CELERY_BROKER_URL == broker.URL
    else {"visibility_timeout": 2 * 3600}
)

# The mail server for notices of review, where BYLINE_REVIEW_MAIL_FROM is set.
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = environment.flag("EMAIL_USE_TLS")
EMAIL_TIMEOUT = 10  # seconds: the sweeper has other duties than to wait for a mail server

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "wagtailadmin_login" if _CMS else "rest_framework:login"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
# Files are served from the packages they came in: `byline serve` needs no collectstatic.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_URL = "/media/"
# Uploads of the CMS (logos, documents). Generated clips are in the content-addressed store instead.
MEDIA_ROOT = HOME / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.BasicAuthentication",  # first: it makes "not signed in" a 401
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "byline.platform.api.errors.handle",
    "DEFAULT_THROTTLE_RATES": {"verify": "60/hour"},
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Byline",
    "DESCRIPTION": "Generates marked, signed and logged video, and verifies it.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
}

WAGTAIL_SITE_NAME = "Byline"
WAGTAILADMIN_BASE_URL = PUBLIC_BASE_URL
WAGTAIL_ENABLE_UPDATE_CHECK = False  # no calls home
WAGTAIL_GRAVATAR_PROVIDER_URL = None  # nor to a third party with hashes of our editors' addresses
WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": "wagtail.search.backends.database"}}

# Cookies and redirects follow the address the public sees: http://localhost must still log in.
_SECURE = PUBLIC_BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _SECURE
SECURE_HSTS_SECONDS = 31_536_000 if _SECURE else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"  # the CMS previews pages in a frame of its own
if os.environ.get("BEHIND_TLS_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL", "WARNING")},
    # Never lower: SQL parameters and request bodies hold prompts.
    "loggers": {"django.db.backends": {"level": "INFO"}, "byline": {"level": "INFO"}},
}
