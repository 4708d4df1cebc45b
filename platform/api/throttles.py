"""How often a stranger may ask. Whatever reads a mark is an oracle for somebody who removes marks.

Promises: an address counts as the network sees it, or as our own proxy reports it: a header that
anybody can write buys nobody a fresh allowance; an IPv6 client counts by its /64. Accounts with the
permission `byline_platform.unlimited_verification` are not counted. Rates are the site's
`DEFAULT_THROTTLE_RATES` under "verify", "lookup" and "report", or those below. Counts are in
Django's default cache: with several web processes give them a shared one, or each counts alone.
"""

import hashlib
import ipaddress
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle

from byline.platform.tokens import PERMISSION


def client_address(request: Any) -> str:
    """The address to count by. Forwarded addresses are read only from as many proxies as we run."""
    address = str(request.META.get("REMOTE_ADDR") or "")
    proxies = api_settings.NUM_PROXIES
    if proxies is None:
        proxies = 1 if getattr(settings, "SECURE_PROXY_SSL_HEADER", None) else 0
    told = [part.strip() for part in str(request.META.get("HTTP_X_FORWARDED_FOR") or "").split(",") if part]
    if proxies and told:
        address = told[-min(proxies, len(told))]
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network(f"{ip}/64", strict=False))
    return str(ip)


class _PerClient(SimpleRateThrottle):
    rates: dict[str, str] = {"verify": "60/hour", "lookup": "600/hour", "report": "10/hour"}

    def get_rate(self) -> str:
        return str(self.THROTTLE_RATES.get(str(self.scope)) or self.rates[str(self.scope)])

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        if request.user is not None and request.user.has_perm(PERMISSION):
            return None
        # Hashed, so that a shared cache holds no list of who verified something.
        key = hashlib.sha256(f"{settings.SECRET_KEY}{client_address(request)}".encode()).hexdigest()
        return f"byline:{self.scope}:{key[:32]}"


class VerifyThrottle(_PerClient):
    """Everything that looks for a mark in a file."""

    scope = "verify"


class LookupThrottle(_PerClient):
    """Look-ups by an id or by a value that somebody else read from a file."""

    scope = "lookup"


class ReportThrottle(_PerClient):
    """Reports from the public."""

    scope = "report"
