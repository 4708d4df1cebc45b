"""The API: the quality record of a clip, thumbs, blind comparison of two takes, and the ratings."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from byline.audit.base.errors import InvalidInput
from byline.generation.models import GenerationRequest
from byline.generation.quality import preferences, record
from byline.generation.quality.rows import TAGS
from byline.generation.submit import RequestNotFound
from byline.platform.api.manners import OurManners
from byline.platform.api.serializers import ErrorSerializer
from byline.platform.api.views import MayGenerate, visible_to


class ThumbSerializer(serializers.Serializer[Any]):
    up = serializers.BooleanField()
    tags = serializers.ListField(
        child=serializers.ChoiceField(choices=list(TAGS)), required=False, default=list
    )


class PreferenceSerializer(serializers.Serializer[Any]):
    better = serializers.UUIDField()
    worse = serializers.UUIDField()


class Editors(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]

    def one(self, request: Request, generation_id: UUID) -> GenerationRequest:
        """The caller's own, or any for who may see all. RequestNotFound."""
        found = visible_to(request.user).filter(pk=generation_id).first()
        if found is None:
            raise RequestNotFound("There is no such request.")
        return found


class GenerationQuality(Editors):
    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.OBJECT), 404: ErrorSerializer})
    def get(self, request: Request, generation_id: UUID) -> Response:
        """The measures with their versions; one without a value is "not checked". No verdict."""
        return Response(record.of(self.one(request, generation_id)))


class GenerationThumb(Editors):
    @extend_schema(
        request=ThumbSerializer,
        responses={200: OpenApiResponse(OpenApiTypes.OBJECT), 404: ErrorSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request, generation_id: UUID) -> Response:
        """Say what you think of a finished clip. A second opinion replaces the first."""
        serializer = ThumbSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        found = self.one(request, generation_id)
        preferences.thumb(found, request.user.get_username(), **serializer.validated_data)
        return Response(preferences.opinions(found))


class Preferences(Editors):
    def _mine(self, request: Request) -> QuerySet[GenerationRequest]:
        return visible_to(request.user)

    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.OBJECT)})
    def get(self, request: Request) -> Response:
        """Two takes of one prompt that you have not compared, in random order and without their models."""
        pair = preferences.next_pair(self._mine(request), request.user.get_username())
        if pair is None:
            return Response({"prompt": "", "clips": []})
        return Response({"prompt": pair[0].prompt, "clips": [str(row.pk) for row in pair]})

    @extend_schema(
        request=PreferenceSerializer,
        responses={201: PreferenceSerializer, 404: ErrorSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        """Say which of two takes is better."""
        serializer = PreferenceSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        better, worse = (self.one(request, given[name]) for name in ("better", "worse"))
        preferences.prefer(better, worse, request.user.get_username())
        return Response({name: str(given[name]) for name in given}, status=status.HTTP_201_CREATED)


class Ratings(Editors):
    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.OBJECT), 400: ErrorSerializer})
    def get(self, request: Request) -> Response:
        """Elo ratings of the models, or of the clips with ?by=asset, from every comparison."""
        by = request.query_params.get("by", "model")
        if by not in ("model", "asset"):
            raise InvalidInput("there are no such ratings", help="Ask for ?by=model or ?by=asset.")
        found = preferences.ratings(by)
        if by == "asset":
            mine = {str(pk) for pk in visible_to(request.user).values_list("pk", flat=True)}
            found = {name: value for name, value in found.items() if name in mine}
        return Response({name: round(value, 1) for name, value in found.items()})
