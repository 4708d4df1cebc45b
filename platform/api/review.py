"""Review over the API: the queue and its decisions for reviewers, statements and appeals for users, and the
state of a report for whoever sent it.

Rights: `byline_safety.review_case` works on cases, `byline_safety.assign_case` gives them to others; an
editor sees and appeals decisions about their own requests; a report's id is its sender's key.
"""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from byline.audit.base.errors import BylineError, InvalidInput
from byline.generation import store
from byline.platform.api.manners import OurManners, Public
from byline.platform.api.serializers import ErrorSerializer
from byline.platform.api.throttles import LookupThrottle, ReportThrottle, VerifyThrottle
from byline.platform.api.uploads import NoFile, expect_file, file_of
from byline.platform.api.views import MayGenerate, visible_to
from byline.platform.review import appeals, declarations, effects, evidence, previews, subjects
from byline.platform.review.appeals import Standing
from byline.safety.review import cases, services
from byline.safety.review.metrics import metrics
from byline.safety.review.models import Case, Report

_NO = {403: ErrorSerializer, 404: ErrorSerializer, 409: ErrorSerializer}


class MayReview(BasePermission):
    message = "Your account may not review."

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.has_perm("byline_safety.review_case"))


class MayAssign(BasePermission):
    message = "Your account may not give cases to others."

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.has_perm("byline_safety.assign_case"))


class Blurred(BylineError):
    code = "blurred"
    status = 403
    help = "Choose to see it without the blur first: POST .../unblur. The choice is logged."


class CaseSerializer(serializers.ModelSerializer[Case]):
    """One case in the queue. A second rating looks like its first: who rates it must not know."""

    source: Any = serializers.CharField(source="rated_as")
    overdue = serializers.SerializerMethodField()
    held_by = serializers.SerializerMethodField()

    class Meta:
        model = Case
        fields = [
            "id",
            "source",
            "subject",
            "category",
            "kind",
            "state",
            "priority",
            "opened_at",
            "due_at",
            "overdue",
            "clocks",
            "held_by",
            "locked_until",
        ]

    def get_overdue(self, case: Case) -> bool:
        return case.overdue

    def get_held_by(self, case: Case) -> str:
        return case.held_by()


class CaseDetailSerializer(CaseSerializer):
    evidence = serializers.SerializerMethodField()
    outcomes = serializers.SerializerMethodField()

    class Meta(CaseSerializer.Meta):
        fields = [*CaseSerializer.Meta.fields, "outcomes", "evidence"]

    def get_outcomes(self, case: Case) -> list[str]:
        return list(services.outcomes(case))

    def get_evidence(self, case: Case) -> dict[str, Any]:
        return evidence.of(case, self.context["reviewer"])


class AssignSerializer(serializers.Serializer[Any]):
    reviewer = serializers.CharField(max_length=150)


class DecideSerializer(serializers.Serializer[Any]):
    outcome = serializers.CharField(max_length=16)
    reason = serializers.CharField(max_length=32)
    clause = serializers.CharField(max_length=16, help_text="Its number, e.g. P1.")
    rationale = serializers.CharField(max_length=1000, help_text="For the file; the log holds a commitment.")
    explanation = serializers.CharField(
        max_length=2000, required=False, allow_blank=True, default="", help_text="For the user."
    )
    public_statement = serializers.CharField(
        max_length=300,
        required=False,
        allow_blank=True,
        default="",
        help_text="For everybody; name no person.",
    )
    tags = serializers.ListField(child=serializers.CharField(max_length=32), required=False, default=list)


class DecisionSerializer(serializers.Serializer[Any]):
    outcome = serializers.CharField()
    entry = serializers.IntegerField(help_text="Its entry in the log.")
    decided_at = serializers.DateTimeField()


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


class CaseQueue(OurManners, ListAPIView[Case]):
    permission_classes = [IsAuthenticated, MayReview]
    serializer_class = CaseSerializer

    @extend_schema(
        parameters=[
            OpenApiParameter("source", str, enum=list(cases.rulebook.OUTCOMES)),
            OpenApiParameter("mine", bool, description="Only those that you hold."),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Open cases that you may decide, the most urgent first."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Case]:
        name = self.request.user.get_username()
        found = cases.queue(name).select_related("original")
        if source := self.request.query_params.get("source"):
            rated = Q(original__source=source, source__in=[Case.Source.SECOND, Case.Source.REPEAT])
            found = found.filter(Q(source=source) | rated)
        if self.request.query_params.get("mine") in {"1", "true"}:
            found = found.filter(assignee=name)
        return found


class _OnCase(OurManners, APIView):
    """What a reviewer does with one case."""

    permission_classes: Any = [IsAuthenticated, MayReview]

    def find(self, case_id: UUID) -> Case:
        """CaseNotFound; OwnCase for whom it is about."""
        case = cases.find(case_id)
        services.require_impartial(case, self.request.user.get_username())
        return case

    def shown(self, case: Case) -> Response:
        context = {"reviewer": self.request.user.get_username()}
        return Response(CaseDetailSerializer(case, context=context).data)


class CaseDetail(_OnCase):
    @extend_schema(responses={200: CaseDetailSerializer, **_NO})
    def get(self, request: Request, case_id: UUID) -> Response:
        """One case with its evidence. Previews are blurred until you choose otherwise."""
        return self.shown(self.find(case_id))


class CaseTake(_OnCase):
    @extend_schema(request=None, responses={200: CaseDetailSerializer, **_NO})
    def post(self, request: Request, case_id: UUID) -> Response:
        """Lock it for yourself. 409 `case_locked` if somebody else has it, 403 `own_case` if it is yours."""
        return self.shown(services.take(case_id, request.user.get_username()))


class CasePutBack(_OnCase):
    @extend_schema(request=None, responses={200: CaseDetailSerializer, **_NO})
    def post(self, request: Request, case_id: UUID) -> Response:
        """Let others have it."""
        return self.shown(services.put_back(case_id, request.user.get_username()))


class CaseAssign(_OnCase):
    permission_classes = [IsAuthenticated, MayReview, MayAssign]

    @extend_schema(
        request=AssignSerializer, responses={200: CaseDetailSerializer, 400: ErrorSerializer, **_NO}
    )
    def post(self, request: Request, case_id: UUID) -> Response:
        """Give it to another reviewer, also when somebody holds it."""
        serializer = AssignSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        name = serializer.validated_data["reviewer"]
        if not appeals.is_reviewer(name):
            raise InvalidInput("no reviewer has this name", help="Give the account name of a reviewer.")
        return self.shown(services.assign(case_id, name, actor=request.user.get_username()))


class CaseDecide(_OnCase):
    @extend_schema(request=DecideSerializer, responses={200: DecisionSerializer, 400: ErrorSerializer, **_NO})
    def post(self, request: Request, case_id: UUID) -> Response:
        """Decide a case that you hold, and do what follows from it. Logged; never edited."""
        serializer = DecideSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        made = services.decide(
            case_id, request.user.get_username(), carry_out=effects.carry_out, **serializer.validated_data
        )
        return Response(DecisionSerializer(made).data)


class CaseUnblur(_OnCase):
    @extend_schema(request=None, responses={200: CaseDetailSerializer, **_NO})
    def post(self, request: Request, case_id: UUID) -> Response:
        """See the preview as it is, for a while. A deliberate act; logged."""
        return self.shown(services.unblur(case_id, request.user.get_username()).case)


class CasePreview(_OnCase):
    @extend_schema(responses={(200, "image/jpeg"): OpenApiTypes.BINARY, **_NO})
    def get(self, request: Request, case_id: UUID) -> HttpResponse:
        """A page of frames, blurred unless you chose to see it. 404 `no_preview` when nothing was made."""
        return preview(self.find(case_id), request.user.get_username())


class CaseClip(_OnCase):
    @extend_schema(responses={(200, "video/mp4"): OpenApiTypes.BINARY, **_NO})
    def get(self, request: Request, case_id: UUID) -> HttpResponse:
        """The clip with its sound. 403 `blurred` until you chose to see it."""
        return clip(self.find(case_id), request.user.get_username())


def preview(case: Case, reviewer: str) -> HttpResponse:
    """The preview as bytes; also for the admin's screen."""
    data = previews.page(case, blurred=not services.sees_clearly(case, reviewer))
    return HttpResponse(data, content_type="image/jpeg", headers={"Cache-Control": "no-store"})


def clip(case: Case, reviewer: str) -> HttpResponse:
    """The finished clip. Blurred, NoPreview."""
    if not services.sees_clearly(case, reviewer):
        raise Blurred("The clip is shown to nobody who did not choose to see it.")
    subject = subjects.of_case(case)
    if subject.record is None:
        raise previews.NoPreview("There is no finished clip.")
    data = store.read_path(subject.record.sha256).read_bytes()
    return HttpResponse(data, content_type="video/mp4", headers={"Cache-Control": "no-store"})


class ReviewMetrics(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayReview]

    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.OBJECT, description="Counts; no names.")})
    def get(self, request: Request) -> Response:
        """Queue, age, overdue, time to decision, overturned, dismissed, agreement with its n."""
        return Response(metrics())


# ---------------------------------------------------------------- the user


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
