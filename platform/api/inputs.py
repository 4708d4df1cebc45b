"""An editor's own pictures, masks, clips and songs: uploaded, listed and deleted by the account they are of.

The upload stays in memory until it was parsed in a jailed child; what is kept is sealed. A person's picture
that shows a face is used only with a consent to this very file, or a reviewer's word (docs/controls.md).
"""

import threading
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from byline.audit.base.errors import BylineError
from byline.generation.inputs import limits, parsing, service
from byline.generation.models import UploadedInput
from byline.platform.api.manners import OurManners
from byline.platform.api.serializers import ErrorSerializer
from byline.platform.api.uploads import NoFile, expect_file, file_of
from byline.platform.api.views import MayGenerate

_PLACES = threading.BoundedSemaphore(2)
_PATIENCE_S = 10.0


class UploadBusy(BylineError):
    code = "upload_busy"
    status = 503
    help = "Try again in a minute."


class InputAskSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(help_text=f"At most {limits.MAX_BYTES >> 20} MiB.")
    kind = serializers.ChoiceField(choices=list(parsing.KINDS))
    licence = serializers.CharField(max_length=200, help_text="An SPDX id or one sentence.")
    source = serializers.CharField(  # type: ignore[assignment]
        max_length=300, help_text="Who made it, or where it is from."
    )
    declared = serializers.BooleanField(help_text="True: I hold the rights to use this file here.")


class InputSerializer(serializers.ModelSerializer[UploadedInput]):
    class Meta:
        model = UploadedInput
        fields = [
            "id",
            "kind",
            "sha256",
            "bytes",
            "width",
            "height",
            "frames",
            "fps",
            "seconds",
            "notes",
            "credentials",
            "licence",
            "source",
            "created_at",
        ]
        read_only_fields = fields


class InputList(OurManners, ListAPIView[UploadedInput]):
    permission_classes = [IsAuthenticated, MayGenerate]
    serializer_class = InputSerializer
    parser_classes = [MultiPartParser]

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        # Before authentication: its CSRF check reads the form, and with it the file.
        if request.method == "POST":
            self.handler = expect_file(request, limits.MAX_BYTES + (1 << 16))
        return super().initialize_request(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[UploadedInput]:
        return service.kept(self.request.user.get_username())

    @extend_schema(
        request={"multipart/form-data": InputAskSerializer},
        responses={
            201: InputSerializer,
            400: ErrorSerializer,
            403: ErrorSerializer,
            409: ErrorSerializer,
            413: ErrorSerializer,
            422: ErrorSerializer,
            503: ErrorSerializer,
        },
    )
    def post(self, request: Request) -> Response:
        """Take a file in for later requests. Its metadata is left behind; pictures are turned upright."""
        upload = file_of(self.handler, request.FILES.get("file"))
        if upload is None or upload.file is None:
            raise NoFile("no file arrived")
        with upload.file as file:
            asked = InputAskSerializer(data={**request.POST.dict(), "file": upload})
            asked.is_valid(raise_exception=True)
            given = asked.validated_data
            if not _PLACES.acquire(timeout=_PATIENCE_S):
                raise UploadBusy("too many files are being read right now")
            try:
                row = service.add(
                    Path(f"/dev/fd/{file.fileno()}"),
                    given["kind"],
                    owner=request.user.get_username(),
                    licence=given["licence"],
                    source=given["source"],
                    declared=given["declared"],
                )
            finally:
                _PLACES.release()
        return Response(InputSerializer(row).data, status=status.HTTP_201_CREATED)


class InputDetail(OurManners, RetrieveAPIView[UploadedInput]):
    permission_classes = [IsAuthenticated, MayGenerate]
    serializer_class = InputSerializer
    lookup_url_kwarg = "input_id"

    def get_queryset(self) -> QuerySet[UploadedInput]:
        return service.kept(self.request.user.get_username())

    @extend_schema(responses={204: None, 404: ErrorSerializer})
    def delete(self, request: Request, input_id: UUID) -> Response:
        """Delete the file for good. Requests that have not used it yet will fail and say why."""
        self.get_object()
        service.forget(input_id, owner=request.user.get_username())
        return Response(status=status.HTTP_204_NO_CONTENT)
