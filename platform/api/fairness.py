"""Balanced wording before it is used, and the bias report of a brand.

Rights: who may generate may ask for a proposal of their own; the report needs
`byline_generation.view_rewrite`.
"""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from byline.generation import rewrites
from byline.platform.api.manners import OurManners
from byline.platform.api.serializers import ErrorSerializer
from byline.platform.api.views import MayGenerate
from byline.platform.fairness.report import report
from byline.platform.ledger.retention import parse_day


class MayReadReports(BasePermission):
    message = "Your account may not read bias reports."

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.has_perm("byline_generation.view_rewrite"))


class RewriteAskSerializer(serializers.Serializer[Any]):
    prompt = serializers.CharField(max_length=2000)
    brand = serializers.CharField(max_length=64, required=False, default="byline")
    seed = serializers.IntegerField(
        min_value=0, max_value=2**32 - 1, required=False, allow_null=True, default=None
    )


class ChangeSerializer(serializers.Serializer[Any]):
    start = serializers.IntegerField(help_text="In characters of `original`.")
    end = serializers.IntegerField()
    original = serializers.CharField()
    replacement = serializers.CharField()


class ProposalSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(allow_null=True, help_text="Send it as `rewrite`; null: nothing to answer.")
    original = serializers.CharField(source="prompt")
    proposed = serializers.CharField()
    changes = ChangeSerializer(many=True)
    left = serializers.CharField(
        help_text="Why the prompt is left alone: named, historic, event, template..."
    )


class Rewrites(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]

    @extend_schema(
        operation_id="rewrites_create",
        request=RewriteAskSerializer,
        responses={201: ProposalSerializer, 400: ErrorSerializer, 403: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask how open people would be worded. Answer within an hour with POST /generations: `rewrite` alone
        accepts, with `edited_prompt` edits, with `debias` false refuses; these two need `debias_reason`."""
        asked = RewriteAskSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        found = rewrites.propose(**asked.validated_data, requester=request.user.get_username())
        return Response(ProposalSerializer(found).data, status=status.HTTP_201_CREATED)


class FairnessReport(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayReadReports]

    @extend_schema(
        parameters=[
            OpenApiParameter("brand", str, description="Name of a brand kit; default byline."),
            OpenApiParameter("since", str, description="First day, YYYY-MM-DD; default 90 days."),
            OpenApiParameter("until", str, description="Last day, YYYY-MM-DD; default today."),
        ],
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, description="As `byline fairness report --json`."),
            400: ErrorSerializer,
            403: ErrorSerializer,
        },
    )
    def get(self, request: Request) -> Response:
        """Distributions of prompts and measured outputs against the brand's target, with intervals."""
        wanted = request.query_params
        days = {name: parse_day(wanted[name]) for name in ("since", "until") if wanted.get(name)}
        return Response(report(wanted.get("brand", ""), **days).as_dict())
