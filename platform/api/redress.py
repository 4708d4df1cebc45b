"""What those whom a decision concerns can do over the API: read its reasons, appeal it, follow a report,
declare an upload.

Rights: an editor sees and appeals decisions about their own requests; a report's id is its sender's key.
"""

from typing import Any
from uuid import UUID

from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from byline.platform.api.manners import OurManners, Public
from byline.platform.api.serializers import ErrorSerializer
from byline.platform.api.throttles import LookupThrottle, ReportThrottle, VerifyThrottle
from byline.platform.api.uploads import NoFile, expect_file, file_of
from byline.platform.api.views import MayGenerate, visible_to
from byline.platform.review import appeals, declarations
from byline.platform.review.appeals import Standing
from byline.safety.review import cases
from byline.safety.review.models import Report

_NO = {403: ErrorSerializer, 404: ErrorSerializer, 409: ErrorSerializer}


class StandingSerializer(serializers.Serializer[Any]):
    """The statement of reasons (DSA, Article 17), and where an appeal stands."""

    statement = serializers.DictField()
    text = serializers.CharField()
    appealable = serializers.BooleanField()
    appeal = serializers.DictField(allow_null=True)


class PleaSerializer(serializers.Serializer[Any]):
    plea = serializers.CharField(max_length=2000, help_text="What was overlooked.")


def _told(standing: Standing) -> dict[str, Any]:
    appeal = standing.appeal
    return {
        "statement": standing.statement.as_dict(),
        "text": standing.statement.text(),
        "appealable": standing.appealable,
        "appeal": {"state": appeal.state, "due_at": appeal.due_at.isoformat()} if appeal else None,
    }


class GenerationStatements(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]

    @extend_schema(responses={200: StandingSerializer(many=True), 404: ErrorSerializer})
    def get(self, request: Request, generation_id: UUID) -> Response:
        """Every decision about your request, with its reasons, the newest first."""
        row = visible_to(request.user).filter(pk=generation_id).first()
        if row is None:
            raise cases.CaseNotFound("There is no such generation.", help="Check the id.")
        return Response([_told(item) for item in appeals.of_request(row)])


class GenerationAppeal(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]

    @extend_schema(
        request=PleaSerializer,
        responses={201: StandingSerializer(many=True), 400: ErrorSerializer, **_NO},
    )
    def post(self, request: Request, generation_id: UUID) -> Response:
        """Appeal the newest decision against your own request. Once; somebody else decides."""
        name = request.user.get_username()
        row = visible_to(request.user).filter(pk=generation_id, requester=name).first()
        if row is None:
            raise cases.CaseNotFound("There is no such generation of yours.", help="Check the id.")
        serializer = PleaSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        appeals.appeal_request(row, name, serializer.validated_data["plea"])
        return Response([_told(item) for item in appeals.of_request(row)], status=status.HTTP_201_CREATED)


class ReportStatusSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    received = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    decided = StandingSerializer(allow_null=True)


def _of_report(row: Report) -> dict[str, Any]:
    standing = appeals.of_report(row)
    return {
        "id": row.pk,
        "kind": row.kind,
        "received": row.created,
        "due_at": row.case.due_at,
        "decided": _told(standing) if standing else None,
    }


def _report(report_id: UUID) -> Report:
    row = Report.objects.filter(pk=report_id).select_related("case").first()
    if row is None:
        raise cases.CaseNotFound("There is no such report.", help="Check the address that you were given.")
    return row


class ReportStatus(Public, APIView):
    throttle_classes = [LookupThrottle]

    @extend_schema(responses={200: ReportStatusSerializer, 404: ErrorSerializer, 429: ErrorSerializer})
    def get(self, request: Request, report_id: UUID) -> Response:
        """What became of a report. Its id is known to its sender alone."""
        return Response(ReportStatusSerializer(_of_report(_report(report_id))).data)


@method_decorator(csrf_exempt, name="dispatch")
class ReportAppeal(Public, APIView):
    throttle_classes = [ReportThrottle]
    parser_classes = [JSONParser, FormParser]

    @extend_schema(
        request=PleaSerializer, responses={201: ReportStatusSerializer, 400: ErrorSerializer, **_NO}
    )
    def post(self, request: Request, report_id: UUID) -> Response:
        """Appeal the refusal of a report, once."""
        row = _report(report_id)
        serializer = PleaSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        appeals.appeal_report(row, serializer.validated_data["plea"])
        return Response(ReportStatusSerializer(_of_report(row)).data, status=status.HTTP_201_CREATED)


class DeclarationSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(read_only=True)
    sha256 = serializers.CharField(read_only=True)
    synthetic = serializers.BooleanField(help_text="Whether AI made or changed it.")
    found = serializers.CharField(read_only=True, help_text="The verdict of verification.")
    accepted = serializers.BooleanField(
        read_only=True, allow_null=True, help_text="null while a person has to decide."
    )
    due_at = serializers.DateTimeField(read_only=True, allow_null=True)


class Declare(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]
    parser_classes = [MultiPartParser]
    throttle_classes = [VerifyThrottle]

    @extend_schema(
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "synthetic": {"type": "boolean"},
                },
                "required": ["file", "synthetic"],
            }
        },
        responses={201: DeclarationSerializer, 400: ErrorSerializer, 413: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        """Declare whether a file that you upload elsewhere in the site was made by AI. It is verified in
        memory and not kept; when declaration and finding disagree, a person decides."""
        handler = expect_file(request._request)
        upload = file_of(handler, request.FILES.get("file"))
        if upload is None:
            raise NoFile("no file arrived")
        serializer = DeclarationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        made = declarations.declare(
            upload, synthetic=serializer.validated_data["synthetic"], declarant=request.user.get_username()
        )
        return Response(
            {
                **DeclarationSerializer(made).data,
                "due_at": made.case.due_at.isoformat() if made.case else None,
            },
            status=status.HTTP_201_CREATED,
        )
