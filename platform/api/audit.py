"""The log for those who may read it: entries with filters, proofs, the story of a clip.

Rights: `byline_audit.view_entry` sees entries and names; an editor sees the story of their own clips,
without names. Anybody may check a proof, but not list what there is to prove.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from byline.audit import log, pseudonyms
from byline.audit.base.errors import BylineError
from byline.audit.models import Entry
from byline.platform.api.manners import OurManners
from byline.platform.api.serializers import ErrorSerializer
from byline.platform.api.views import MayGenerate, visible_to
from byline.platform.ledger import retention
from byline.platform.ledger.story import UnknownClip, story


class MayReadLog(BasePermission):
    message = "Your account may not read the log."

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.has_perm("byline_audit.view_entry"))


class NotCovered(BylineError):
    code = "no_proof"
    status = 404
    help = "Check the id. A fresh entry is covered by a checkpoint within a second."


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """An entry with its place in the tree and the person's name, where one is still known."""

    index = serializers.SerializerMethodField()
    name = serializers.SerializerMethodField()

    class Meta:
        model = Entry
        fields = ["id", "index", "created", "kind", "subject", "actor", "name", "payload"]

    def get_index(self, entry: Entry) -> int | None:
        leaf = getattr(entry, "leaf", None)
        return leaf.index if leaf else None

    def get_name(self, entry: Entry) -> str:
        return pseudonyms.names([entry.actor]).get(entry.actor, "")


class EntryList(OurManners, ListAPIView[Entry]):
    permission_classes = [IsAuthenticated, MayReadLog]
    serializer_class = EntrySerializer

    @extend_schema(
        parameters=[
            OpenApiParameter("kind", str, description="One kind, e.g. generation.published."),
            OpenApiParameter("subject", str, description="What it is about, e.g. request:<id>."),
            OpenApiParameter("since", str, description="First day, YYYY-MM-DD."),
            OpenApiParameter("until", str, description="Last day, YYYY-MM-DD."),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Entries, newest first."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Entry]:
        found = Entry.objects.select_related("leaf").order_by("-id")
        wanted = self.request.query_params
        for name in ("kind", "subject"):
            if value := wanted.get(name):
                found = found.filter(**{name: value})
        if since := wanted.get("since"):
            found = found.filter(created__gte=_midnight(since))
        if until := wanted.get("until"):
            found = found.filter(created__lt=_midnight(until, 1))
        return found


class EntryProof(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayReadLog]

    @extend_schema(
        responses={
            200: OpenApiResponse(description="What `byline audit verify-proof` checks."),
            404: ErrorSerializer,
            410: ErrorSerializer,
        }
    )
    def get(self, request: Request, entry: int) -> Response:
        """The inclusion proof of one entry."""
        found = log.proof(entry)
        if found is None:
            raise NotCovered(f"no checkpoint covers entry {entry}")
        return Response(found)


class GenerationStory(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]

    @extend_schema(
        responses={
            200: OpenApiResponse(
                description="Requester, approver, model, its owner, policy, and what happened."
            ),
            404: ErrorSerializer,
        }
    )
    def get(self, request: Request, generation_id: UUID) -> Response:
        """What happened to one clip, in plain words, each sentence with the entry that proves it."""
        if not visible_to(request.user).filter(pk=generation_id).exists():
            raise UnknownClip("no such generation")
        named = request.user.has_perm("byline_audit.view_entry")
        return Response(story(str(generation_id), names=named).as_dict())


def _midnight(text: str, days: int = 0) -> datetime:
    day = retention.parse_day(text)
    return datetime.fromordinal(day.toordinal() + days).replace(tzinfo=UTC)
