"""The web process's entry for gunicorn and other WSGI servers."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
# Set before anything reads a key: this process may check signatures, never make one.
os.environ["BYLINE_PROCESS"] = "web"

application = get_wsgi_application()
