"""The API: create, list, read and cancel generations; verify a file without leaving a trace."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import ListCreateAPIView, RetrieveAPIView
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from byline.audit.base import conf
from byline.audit.base.errors import InvalidInput
from byline.generation import submit
from byline.generation.models import GenerationRequest
from byline.platform.api import errors
from byline.platform.api.serializers import ErrorSerializer, GenerationCreateSerializer, GenerationSerializer
from byline.platform.api.uploads import MemoryFile, MemoryFileHandler
from byline.platform.verification import verify_descriptor


class MayGenerate(BasePermission):
    """Editors hold `byline_generation.add_generationrequest`; being signed in is not enough."""

    message = "Your account may not generate video."

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.has_perm("byline_generation.add_generationrequest"))


def visible_to(user: Any) -> QuerySet[GenerationRequest]:
    """Own requests; everyone's for accounts that may view them all."""
    every = GenerationRequest.objects.order_by("-created_at")
    if user.has_perm("byline_generation.view_generationrequest"):
        return every
    return every.filter(requester=user.get_username())


class OurManners:
    """What our endpoints keep in a host project whose own REST settings differ."""

    schema: Any = AutoSchema()
    renderer_classes: Any = [JSONRenderer]
    pagination_class: Any = LimitOffsetPagination

    def get_exception_handler(self) -> Any:
        return errors.handle


class GenerationList(OurManners, ListCreateAPIView[GenerationRequest]):
    permission_classes = [IsAuthenticated, MayGenerate]
    serializer_class = GenerationSerializer

    def get_queryset(self) -> QuerySet[GenerationRequest]:
        return visible_to(self.request.user)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return GenerationCreateSerializer if self.request.method == "POST" else GenerationSerializer

    @extend_schema(
        request=GenerationCreateSerializer,
        responses={202: GenerationSerializer, 400: ErrorSerializer, 403: ErrorSerializer},
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Submit a brief. Answers 202 at once; poll the generation for its progress."""
        serializer = GenerationCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        created = submit.submit(**serializer.validated_data, requester=request.user.get_username())
        return Response(GenerationSerializer(created).data, status=status.HTTP_202_ACCEPTED)


class GenerationDetail(OurManners, RetrieveAPIView[GenerationRequest]):
    permission_classes = [IsAuthenticated, MayGenerate]
    serializer_class = GenerationSerializer
    lookup_url_kwarg = "generation_id"

    def get_queryset(self) -> QuerySet[GenerationRequest]:
        return visible_to(self.request.user)


class GenerationCancel(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]

    @extend_schema(
        request=None, responses={202: GenerationSerializer, 404: ErrorSerializer, 409: ErrorSerializer}
    )
    def post(self, request: Request, generation_id: UUID) -> Response:
        """Ask for a stop. The worker stops at its next step and removes what it had made."""
        found = visible_to(request.user).filter(pk=generation_id).first()
        if found is None:
            return Response(
                {"code": "not_found", "message": "No such generation.", "help": "Check the id."},
                status=status.HTTP_404_NOT_FOUND,
            )
        submit.cancel(found.pk, actor=request.user.get_username())
        found.refresh_from_db()
        return Response(GenerationSerializer(found).data, status=status.HTTP_202_ACCEPTED)


class VerifyThrottle(AnonRateThrottle):
    """`DEFAULT_THROTTLE_RATES["verify"]` of the site's settings, or this."""

    scope = "verify"

    def get_rate(self) -> str:
        return str(self.THROTTLE_RATES.get(self.scope) or "60/hour")


class NoFile(InvalidInput):
    code = "no_file"
    help = 'Send the media as multipart/form-data in a field named "file".'


class FileTooLarge(InvalidInput):
    code = "file_too_large"
    status = 413
    help = "Send a smaller file, or run `byline verify` on your own machine."


@method_decorator(csrf_exempt, name="dispatch")
class Verify(OurManners, APIView):
    """Public. Nothing is stored: the upload lives in memory and dies with the request."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    parser_classes = [MultiPartParser]
    throttle_classes = [VerifyThrottle]

    @extend_schema(
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
        responses={
            200: OpenApiResponse(description="The report of `byline verify --json`."),
            400: ErrorSerializer,
            413: ErrorSerializer,
            422: ErrorSerializer,
            429: ErrorSerializer,
        },
    )
    def post(self, request: Request) -> Response:
        """Say what is known of a file: manifest, proof, mark, similarity, each with its status."""
        handler = MemoryFileHandler(request._request)
        request._request.upload_handlers = [handler]
        upload = request.FILES.get("file")
        if handler.refused == "size":
            raise FileTooLarge(f"the file is larger than {conf.get('VERIFY_MAX_BYTES')} bytes")
        if handler.refused == "count":
            raise NoFile("more than one file arrived; send one at a time")
        if not isinstance(upload, MemoryFile):
            raise NoFile("no file arrived")
        assert upload.file is not None
        return Response(verify_descriptor(upload.file.fileno()))
