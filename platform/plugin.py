"""What a host project adds.

`INSTALLED_APPS = [*plugin.APPS, ...]` and `path("byline/", include(plugin.URLS))`.
"""

from importlib.util import find_spec

_CORE = ["byline.platform", "byline.generation", "byline.safety", "byline.provenance", "byline.audit"]

# The CMS screens come with the `cms` extra; without Wagtail the API and command line still work.
APPS = [
    *(["byline.platform.cms"] if find_spec("wagtail") else []),
    *_CORE,
    "rest_framework",
    "drf_spectacular",
]
URLS = "byline.platform.urls"
