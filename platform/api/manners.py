"""What all our endpoints keep, in a host project whose own REST settings differ, too.

Promises: JSON in our shape, our errors, our paging; what is public sets no cookie, is kept by no cache
unless it says so, and is never taken for another media type.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from byline.platform.api import errors
from byline.platform.tokens import BearerToken


class OurManners:
    """The house rules of every endpoint."""

    schema: Any = AutoSchema()
    renderer_classes: Any = [JSONRenderer]
    pagination_class: Any = LimitOffsetPagination

    def get_exception_handler(self) -> Any:
        return errors.handle


class Public(OurManners):
    """For everybody: no session is read, so no cross-site request can use one; a token lifts the limit."""

    authentication_classes: Any = [BearerToken]
    permission_classes: Any = []

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response


class BearerTokenSchema(OpenApiAuthenticationExtension):
    """How the schema names the token (`byline token make`)."""

    target_class = BearerToken
    name = "byline_token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
