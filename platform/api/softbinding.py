"""The C2PA Soft Binding Resolution API, mounted under /softbinding/v1/.

Promises: paths, parameters, statuses and bodies of the C2PA's OpenAPI document (version 1.0.0, held in
tests/contract/c2pa_softbinding_openapi.json and checked against it). Whatever is not public answers
byte for byte like what does not exist. Look-ups and uploads are counted per client; an upload
lives in memory and is read by a bounded child. No sign-in is asked: what is public needs none.
"""

import os
from typing import Any

from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from byline.audit.base import conf
from byline.platform import softbinding
from byline.platform.api.manners import Public
from byline.platform.api.throttles import LookupThrottle, VerifyThrottle
from byline.platform.api.uploads import FileTooLarge, NoFile, memory_file
from byline.platform.verification import verify_descriptor

_KINDS = ("image/", "audio/", "video/", "application/")
_LONGEST = 4096
_MATCHES = OpenApiResponse(
    OpenApiTypes.OBJECT, description='{"matches": [{"manifestId", "similarityScore"?}]}'
)
_MAX = OpenApiParameter("maxResults", int, description="At most this many; 10 unless told.")
_ALG = OpenApiParameter("alg", str, description="Name of a soft binding algorithm.")


class QueryTooLong(softbinding.BadQuery):
    code = "query_too_long"
    status = 414
    help = "Send it by POST."


def _most(request: Request) -> int:
    text = request.query_params.get("maxResults", "10")
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise softbinding.BadQuery("maxResults is not a whole number from 1", help="Leave it out for 10.")
    return int(text)


def _answer(request: Request, matches: list[softbinding.Match]) -> Response:
    return Response({"matches": [match.as_dict() for match in matches[: _most(request)]]})


@method_decorator(csrf_exempt, name="dispatch")
class ByBinding(Public, APIView):
    parser_classes = [JSONParser]
    throttle_classes = [LookupThrottle]

    @extend_schema(
        operation_id="softbinding_query_by_binding",
        parameters=[
            OpenApiParameter("value", str, required=True, description="Base64 of the soft binding's value."),
            OpenApiParameter("alg", str, required=True, description="Name of the algorithm."),
            _MAX,
        ],
        responses={200: _MATCHES},
    )
    def get(self, request: Request) -> Response:
        """Which manifests declare this soft binding?"""
        value = request.query_params.get("value", "")
        if len(value) > _LONGEST:
            raise QueryTooLong("the query is too long")
        return self._find(request, request.query_params.get("alg"), value)

    @extend_schema(
        operation_id="softbinding_query_by_large_binding",
        parameters=[_MAX],
        request=OpenApiTypes.OBJECT,
        responses={200: _MATCHES},
    )
    def post(self, request: Request) -> Response:
        """The same with {"alg", "value"} as the body."""
        body = request.data
        if not isinstance(body, dict):
            raise softbinding.BadQuery("the body is not an object with alg and value")
        return self._find(request, body.get("alg"), body.get("value"))

    def _find(self, request: Request, alg: Any, value: Any) -> Response:
        if not (isinstance(alg, str) and isinstance(value, str) and alg and value):
            raise softbinding.BadQuery("alg and value are both needed, as text")
        return _answer(request, softbinding.by_binding(alg, value))


@method_decorator(csrf_exempt, name="dispatch")
class ByContent(Public, APIView):
    throttle_classes = [VerifyThrottle]

    @extend_schema(
        operation_id="softbinding_upload_file",
        parameters=[_ALG, _MAX, OpenApiParameter("hintAlg", str), OpenApiParameter("hintValue", str)],
        request={
            "video/*": OpenApiTypes.BINARY,
            "image/*": OpenApiTypes.BINARY,
            "audio/*": OpenApiTypes.BINARY,
        },
        responses={200: _MATCHES},
    )
    def post(self, request: Request) -> Response:
        """Which manifests belong to this content? The body is the file itself; it is not stored."""
        kind = request.content_type.partition(";")[0].strip().lower()
        if not kind.startswith(_KINDS):
            raise UnsupportedMediaType(kind or "(none)")
        _most(request)
        with memory_file() as file:
            size = 0
            # request.data would hand the body to a parser, and a parser to the disk.
            while chunk := request._request.read(1 << 16):
                size += len(chunk)
                if size > conf.get("VERIFY_MAX_BYTES"):
                    raise FileTooLarge(f"the file is larger than {conf.get('VERIFY_MAX_BYTES')} bytes")
                file.write(chunk)
            if not size:
                raise NoFile("the body is empty")
            file.flush()
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            report = verify_descriptor(file.fileno())
        return _answer(request, softbinding.by_report(report, request.query_params.get("alg")))


class Manifest(Public, APIView):
    throttle_classes = [LookupThrottle]

    @extend_schema(
        operation_id="softbinding_get_manifest",
        parameters=[OpenApiParameter("returnActiveManifest", bool)],
        responses={(200, "application/c2pa"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, manifest_id: str) -> HttpResponse | Response:
        """The manifest store of a published clip, as it was signed."""
        wanted = request.query_params.get("returnActiveManifest", "false").lower()
        if wanted not in ("true", "false"):
            raise softbinding.BadQuery("returnActiveManifest is true or false")
        data = softbinding.store(manifest_id, active_only=wanted == "true")
        if data is None:
            message = {
                "code": "not_found",
                "message": "No manifest has this identifier.",
                "help": "Check the identifier.",
            }
            return Response(message, status=404)
        return HttpResponse(data, content_type="application/c2pa")


class SupportedAlgorithms(Public, APIView):
    throttle_classes = [LookupThrottle]

    @extend_schema(operation_id="softbinding_supported_algorithms", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """The soft bindings that this service can look up."""
        return Response(softbinding.supported())
