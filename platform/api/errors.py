"""Every API error has the same body: {"code", "message", "help"}, and never a stack or a prompt."""

from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler

from byline.audit.base.errors import BylineError


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF exception handler. None lets Django answer (and log) an unexpected error as a plain 500."""
    if isinstance(error, BylineError):
        return Response(error.as_dict(), status=error.status)
    response = exception_handler(error, context)
    if response is not None and not (isinstance(response.data, dict) and "code" in response.data):
        detail = (
            response.data.get("detail", response.data) if isinstance(response.data, dict) else response.data
        )
        code = getattr(error, "default_code", "invalid")
        response.data = {
            "code": code,
            "message": detail if isinstance(detail, str) else "Some fields cannot be used as they are.",
            "help": _HELP.get(response.status_code, "Correct the request and send it again."),
            **({} if isinstance(detail, str) else {"fields": detail}),
        }
    return response


_HELP = {
    401: "Sign in, or send an Authorization header.",
    403: "Ask an administrator for the permission this needs.",
    404: "Check the id; public ids are random and case-sensitive.",
    429: "Wait the number of seconds in Retry-After. Newsrooms may ask for an unlimited role.",
}
