"""POST /api/v1/detect: the evidence that a file was made by AI, without keeping the file.

Promises: the same path as /verify: memory file, bounded child, the same allowance per client (both
read marks, so both are oracles); the media kind comes from the bytes; nothing is stored, fetched or
redirected. A file that is no media is a 422 with a code, never a verdict.
"""

from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from byline.platform.api.manners import Public
from byline.platform.api.serializers import ErrorSerializer
from byline.platform.api.throttles import VerifyThrottle
from byline.platform.api.uploads import NoFile, expect_file, file_of
from byline.platform.verification import run_in_child
from byline.provenance.decode import Unreadable


class EvidenceSerializer(serializers.Serializer[Any]):
    source = serializers.CharField()  # type: ignore[assignment]
    family = serializers.ChoiceField(["credential", "mark", "registry", "declaration", "forensic"])
    applicable = serializers.BooleanField()
    finding = serializers.CharField(help_text="What this source found, or why it could not look.")
    log_likelihood_ratio = serializers.FloatField(
        allow_null=True,
        help_text="Natural logarithm; null: not calibrated, or it decides alone; 0: looked at.",
    )
    calibration_set = serializers.CharField(allow_null=True)
    n = serializers.IntegerField(allow_null=True, help_text="Files in the calibration set.")
    decides = serializers.CharField(help_text="The verdict that this item settles alone, or empty.")
    limits = serializers.CharField()
    version = serializers.CharField()
    details = serializers.DictField()


class FusionSerializer(serializers.Serializer[Any]):
    prior = serializers.FloatField()
    log_odds = serializers.FloatField(allow_null=True)
    probability_synthetic = serializers.FloatField(
        allow_null=True,
        help_text="Under the stated prior and the ratios above; null when nothing was weighed.",
    )
    declaration_ratio_assumed = serializers.FloatField()


class DetectionSerializer(serializers.Serializer[Any]):
    v = serializers.IntegerField()
    version = serializers.CharField()
    verdict = serializers.ChoiceField(
        [
            "generated_here",
            "generated_elsewhere_declared",
            "likely_synthetic",
            "likely_authentic_capture",
            "inconclusive",
        ]
    )
    leaning = serializers.ChoiceField(["", "synthetic", "camera-made"], help_text="Only when inconclusive.")
    summary = serializers.CharField()
    fusion = FusionSerializer()
    evidence = EvidenceSerializer(many=True)
    sub_scores = serializers.DictField(
        help_text="Per source: extractor version, state, ratio and the named raw features."
    )
    provenance = serializers.DictField(help_text="The verdict of /verify about the same file.")
    media = serializers.DictField(allow_null=True)


@method_decorator(csrf_exempt, name="dispatch")
class Detect(Public, APIView):
    """Public. Nothing is stored: the file lives in memory and dies with the request."""

    parser_classes = [MultiPartParser]
    throttle_classes = [VerifyThrottle]

    @extend_schema(
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
        responses={
            200: DetectionSerializer,
            400: ErrorSerializer,
            413: ErrorSerializer,
            422: ErrorSerializer,
            429: ErrorSerializer,
            503: ErrorSerializer,
        },
    )
    def post(self, request: Request) -> Response:
        """Weigh the evidence that an image, a video or a sound was made by AI."""
        handler = expect_file(request._request)
        upload = file_of(handler, request.FILES.get("file"))
        if upload is None:
            raise NoFile("no file arrived")
        assert upload.file is not None
        with upload.file as file:
            answer = run_in_child("detect", file.fileno())
        if "error" in answer:
            raise Unreadable(str(answer["error"].get("message", "the file cannot be read")))
        return Response(answer)
