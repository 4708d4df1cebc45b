"""The API: renditions and edits of a finished clip, its captions as WebVTT and its transcript."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from byline.generation import captions
from byline.generation.renditions import service
from byline.generation.submit import RequestNotFound
from byline.platform.api.quality import Editors
from byline.platform.api.serializers import ErrorSerializer, GenerationSerializer


class RenditionSerializer(serializers.Serializer[Any]):
    options = serializers.DictField(
        required=False,
        default=dict,
        help_text="What differs from the master: aspect or width and height, format (mp4, webm), fps, "
        "enhance, transition, description, music, loudness ...",
    )
    parts = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2),
        required=False,
        default=list,
        max_length=50,
        help_text="[from, to] in seconds of the master, in the order wanted; empty keeps it whole.",
    )


class Renditions(Editors):
    @extend_schema(responses={200: GenerationSerializer(many=True), 404: ErrorSerializer})
    def get(self, request: Request, generation_id: UUID) -> Response:
        """The renditions of a clip, each a generation of its own."""
        rows = self.one(request, generation_id).renditions.order_by("created_at")
        return Response(GenerationSerializer(rows, many=True).data)

    @extend_schema(
        request=RenditionSerializer,
        responses={
            202: GenerationSerializer,
            400: ErrorSerializer,
            404: ErrorSerializer,
            409: ErrorSerializer,
        },
    )
    def post(self, request: Request, generation_id: UUID) -> Response:
        """Ask for another shape, format or cut. Nothing is generated again; answers 202 at once."""
        serializer = RenditionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        master = self.one(request, generation_id)
        row = service.request(master, request.user.get_username(), **serializer.validated_data)
        return Response(GenerationSerializer(row).data, status=status.HTTP_202_ACCEPTED)


class Captions(Editors):
    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.STR), 404: ErrorSerializer})
    def get(self, request: Request, generation_id: UUID, form: str) -> HttpResponse:
        """The captions as they are in the clip (vtt), or its words with the time of each paragraph (txt)."""
        row = self.one(request, generation_id)
        if form not in captions.FORMS:
            raise RequestNotFound(
                "There are no captions of this form.", help="Ask for captions.vtt or captions.txt."
            )
        kind, write = captions.FORMS[form]
        return HttpResponse(write(captions.of(row.produced())), content_type=kind)
