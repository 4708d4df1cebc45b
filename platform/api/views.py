"""The API: create, list, read and cancel generations; verify a file without a trace; report an error."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import ListCreateAPIView, RetrieveAPIView
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from byline.audit.base.errors import InvalidInput
from byline.generation import submit
from byline.generation.models import GenerationRequest
from byline.platform import inspection
from byline.platform.api.manners import OurManners, Public
from byline.platform.api.serializers import (
    ErrorSerializer,
    FeedbackSerializer,
    GenerationCreateSerializer,
    GenerationSerializer,
)
from byline.platform.api.throttles import ReportThrottle, VerifyThrottle
from byline.platform.api.uploads import FileTooLarge, MemoryFile, NoFile, expect_file, file_of
from byline.platform.review import reports

__all__ = ["FileTooLarge", "MemoryFile", "NoFile", "OurManners", "VerifyThrottle"]


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


class CrJSONRenderer(JSONRenderer):
    """`?format=crjson`: the C2PA's own JSON form of the file's manifests."""

    format = "crjson"


_RECEIPTS = {"json": "application/json", "pdf": "application/pdf"}


@method_decorator(csrf_exempt, name="dispatch")
class Verify(Public, APIView):
    """Public. Nothing is stored: the file lives in memory and dies with the request."""

    parser_classes = [MultiPartParser, FormParser, JSONParser]
    renderer_classes = [JSONRenderer, CrJSONRenderer]
    throttle_classes = [VerifyThrottle]

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "receipt", str, enum=sorted(_RECEIPTS), description="Answer with a signed receipt instead."
            ),
        ],
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "url": {
                        "type": "string",
                        "description": "Instead of a file: an address on a listed host.",
                    },
                },
            }
        },
        responses={
            200: OpenApiResponse(
                OpenApiTypes.OBJECT, description="The report of `byline verify --json`, crJSON or a receipt."
            ),
            400: ErrorSerializer,
            403: ErrorSerializer,
            413: ErrorSerializer,
            422: ErrorSerializer,
            429: ErrorSerializer,
            503: ErrorSerializer,
        },
    )
    def post(self, request: Request) -> Response | HttpResponse:
        """Say what is known of a file: manifest, proof, mark, similarity, each with its status."""
        wanted = request.query_params.get("receipt")
        if wanted is not None and wanted not in _RECEIPTS:
            raise InvalidInput("there is no such receipt", help="Ask for ?receipt=json or ?receipt=pdf.")
        as_crjson = isinstance(request.accepted_renderer, CrJSONRenderer)
        handler = expect_file(request._request)
        upload = file_of(handler, request.FILES.get("file")) if _is_form(request) else None
        url = "" if upload else _text(request.data, "url")
        if upload is None and not url:
            raise NoFile("no file arrived")
        with inspection.opened(upload, url) as file:
            answer = inspection.inspect(file, crjson=as_crjson)
        if as_crjson:
            return Response(inspection.crjson_of(answer))
        if wanted is not None:
            return HttpResponse(
                inspection.receipt(answer, wanted),
                content_type=_RECEIPTS[wanted],
                headers={"Content-Disposition": f'attachment; filename="byline-receipt.{wanted}"'},
            )
        return Response(answer.report)


def _is_form(request: Request) -> bool:
    return request.content_type.startswith("multipart/form-data")


def _text(data: Any, name: str) -> str:
    value = data.get(name) if hasattr(data, "get") else None
    return value if isinstance(value, str) else ""


@method_decorator(csrf_exempt, name="dispatch")
class Feedback(Public, APIView):
    """Public. Stores what the person wrote; no file, no address of the sender."""

    parser_classes = [JSONParser, FormParser, MultiPartParser]
    throttle_classes = [ReportThrottle]

    @extend_schema(
        request=FeedbackSerializer,
        responses={201: FeedbackSerializer, 400: ErrorSerializer, 429: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        """Tell the newsroom that an answer or a label is wrong, or that a clip should go."""
        serializer = FeedbackSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        row = reports.store(**serializer.validated_data)
        said = {**serializer.validated_data, "id": row.pk, "due_at": row.case.due_at}
        return Response(said, status=status.HTTP_201_CREATED)
