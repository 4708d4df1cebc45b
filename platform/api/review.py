"""Review over the API, for reviewers: the queue, a case with its evidence, its lock, preview and decision.

Rights: `byline_safety.review_case` works on cases, `byline_safety.assign_case` gives them to others. What
users see of it is in redress.py.
"""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from byline.audit.base.errors import BylineError, InvalidInput
from byline.generation import store
from byline.platform.api.manners import OurManners
from byline.platform.api.serializers import ErrorSerializer
from byline.platform.review import appeals, effects, evidence, previews, subjects
from byline.safety.review import cases, services
from byline.safety.review.metrics import metrics
from byline.safety.review.models import Case

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
