"""Several takes of one brief, and how alike they turned out."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from byline.generation.controls import takes
from byline.generation.models import GenerationRequest
from byline.platform.api.manners import OurManners
from byline.platform.api.serializers import (
    ErrorSerializer,
    GenerationCreateSerializer,
    GenerationSerializer,
)
from byline.platform.api.views import MayGenerate, visible_to


class TakeAskSerializer(GenerationCreateSerializer):
    takes = serializers.IntegerField(min_value=2, max_value=takes.MOST)


class PairSerializer(serializers.Serializer[Any]):
    takes = serializers.ListField(child=serializers.IntegerField(), help_text="Which two, from 1.")
    similarity = serializers.FloatField(
        allow_null=True, help_text="SSIM of small frames; 1 is the same clip."
    )
    alike = serializers.BooleanField(allow_null=True)


class TakeSetSerializer(serializers.Serializer[Any]):
    take_set = serializers.UUIDField()
    takes = GenerationSerializer(many=True)
    similarity = PairSerializer(many=True)


def _told(rows: list[GenerationRequest]) -> dict[str, Any]:
    found = {"take_set": rows[0].take_set, "takes": rows, "similarity": takes.compared(rows)}
    return dict(TakeSetSerializer(found).data)


class TakeCreate(OurManners, APIView):
    permission_classes: Any = [IsAuthenticated, MayGenerate]

    @extend_schema(
        request=TakeAskSerializer,
        responses={202: TakeSetSerializer, 400: ErrorSerializer, 403: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        """Submit one brief as several takes with different seeds; each goes through every gate."""
        serializer = TakeAskSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        brief = dict(serializer.validated_data)
        rows = takes.ask(brief.pop("takes"), **brief, requester=request.user.get_username())
        return Response(_told(rows), status=status.HTTP_202_ACCEPTED)


class TakeSet(OurManners, APIView):
    permission_classes: Any = [IsAuthenticated, MayGenerate]

    @extend_schema(responses={200: TakeSetSerializer, 404: ErrorSerializer})
    def get(self, request: Request, take_set: UUID) -> Response:
        """The takes of a set with the similarity of each pair, as far as they are made."""
        rows = list(visible_to(request.user).filter(take_set=take_set).order_by("created_at"))
        if not rows:
            raise Http404
        return Response(_told(rows))
