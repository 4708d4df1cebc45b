"""What can be asked for: operations, controls and presets, and which of them an engine carries out."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from byline.generation.controls import listing
from byline.platform.api.manners import OurManners
from byline.platform.api.serializers import ErrorSerializer
from byline.platform.api.views import MayGenerate


class Controls(OurManners, APIView):
    permission_classes: Any = [IsAuthenticated, MayGenerate]

    @extend_schema(
        parameters=[OpenApiParameter("engine", str, description="A configured engine; default: all.")],
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, description="As `byline controls --json`."),
            400: ErrorSerializer,
        },
    )
    def get(self, request: Request) -> Response:
        """List operations, controls, styles, FX presets with their versions, and engines."""
        return Response(listing.everything(request.query_params.get("engine", "")))
